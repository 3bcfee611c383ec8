import { z } from 'zod';
import { errorAnswer } from './error_answer.ts';
import { rollbackService } from './releases.ts';
import { serviceId } from './scalars.ts';
import { deployService, operationResult, restartService, scaleService, signalService } from './services.ts';

const target = { service: serviceId };
export const batchOperation = z
  .discriminatedUnion('operation', [
    z.strictObject({ operation: z.literal('deploy'), ...target, body: deployService }),
    z.strictObject({ operation: z.literal('start'), ...target }),
    z.strictObject({ operation: z.literal('stop'), ...target }),
    z.strictObject({ operation: z.literal('restart'), ...target, body: restartService.optional() }),
    z.strictObject({ operation: z.literal('rollback'), ...target, body: rollbackService.optional() }),
    z.strictObject({ operation: z.literal('delete'), ...target }),
    z.strictObject({ operation: z.literal('signal'), ...target, body: signalService }),
    z.strictObject({ operation: z.literal('pause'), ...target }),
    z.strictObject({ operation: z.literal('resume'), ...target }),
    z.strictObject({ operation: z.literal('scale'), ...target, body: scaleService }),
  ])
  .meta({ id: 'BatchOperation' });
export type BatchOperation = z.infer<typeof batchOperation>;

export const batch = z
  .strictObject({ operations: z.array(batchOperation).min(1).max(1000) })
  .meta({ id: 'Batch' });

export const batchResult = z
  .object({
    results: z.array(
      z.object({
        service: z.string(),
        operation: z.string(),
        http_status: z.int(),
        result: z.union([operationResult, errorAnswer]),
      }),
    ),
    succeeded: z.int(),
    failed: z.int(),
  })
  .meta({ id: 'BatchResult' });
export type BatchResult = z.infer<typeof batchResult>;
