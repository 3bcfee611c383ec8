import type { RequestHandler } from 'express';
import type { EndedCall } from '../metrics/exposition/operation_counts.ts';

/** The caller hung up before it had an answer. */
const closedByCaller = 499;

/** Tells of each call when it has ended: what it was, how it ended and how long it took. To be run before all that may refuse. */
export function createRequestMeter(onEnd: (call: EndedCall) => void): RequestHandler {
  return (_request, response, next) => {
    const began = performance.now();
    response.once('close', () => {
      const isStream = String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
      // Whoever follows a stream ends it by hanging up.
      const isAnswered = response.writableEnded || (isStream && response.headersSent);
      onEnd({
        operation: String(response.locals['operation'] ?? 'unknown'),
        status: isAnswered ? response.statusCode : closedByCaller,
        seconds: isStream ? null : (performance.now() - began) / 1_000,
      });
    });
    next();
  };
}
