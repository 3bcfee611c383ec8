import type { Request, Response } from 'express';
import type { operations as contract } from '../contract/operations.ts';
import { type Exposition, pageType } from '../metrics/exposition/exposition.ts';
import { type Handler, streamed } from './route.ts';

/** Where metrics come from. */
export type MetricsSource = Pick<Exposition, 'page'>;

/** The route on metrics, in the text format of Prometheus. */
export function metricsHandler(source: MetricsSource): Handler<(typeof contract)['metrics']> {
  return async ({ request, response }): Promise<typeof streamed> => {
    await sendMetrics(source, request, response);
    return streamed;
  };
}

/** Answers with all metrics, compressed for whoever takes that. */
export async function sendMetrics(
  source: MetricsSource,
  request: Request,
  response: Response,
): Promise<void> {
  const page = await source.page();
  const isCompressed = request.acceptsEncodings(['gzip', 'identity']) === 'gzip';
  const body = isCompressed ? await page.compressed() : page.text;
  response.set({ 'Content-Type': pageType, Vary: 'Accept-Encoding', 'Cache-Control': 'no-store' });
  if (isCompressed) response.set('Content-Encoding', 'gzip');
  response.set('Content-Length', String(body.length)).status(200);
  response.end(request.method === 'HEAD' ? undefined : body);
}
