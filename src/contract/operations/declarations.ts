import * as declaration from '../declaration.ts';
import type { Operation } from './operation.ts';

/** Services that are declared together. */
export const declarationOperations = {
  planDeclaration: {
    tag: 'services',
    summary: 'What applying a declaration would do, and what it would cost',
    query: declaration.planQuery,
    body: declaration.planDeclaration,
    yaml: true,
    answer: declaration.plan,
    errors: ['state_conflict'],
  },
  applyDeclaration: {
    tag: 'services',
    summary: 'Make of the services what a declaration says',
    query: declaration.applyQuery,
    body: declaration.applyDeclaration,
    yaml: true,
    answer: declaration.applied,
    errors: ['plan_outdated', 'state_conflict', 'apply_failed', 'shutting_down'],
  },
} as const satisfies Record<string, Operation>;
