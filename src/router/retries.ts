import type { TargetService } from './target.ts';

/** How many instances that refuse a connection are tried for one request. */
const mostRefusals = 20;

/**
 * Whether a request that may be tried elsewhere is. An instance that refuses a connection costs nothing and has been sent
 * nothing, so as many as that are passed over, unless the service wants no retries at all.
 * @param count how often it has been tried
 */
export function triesAgain(service: TargetService, wasRefused: boolean, count: number): boolean {
  const { attempts } = service.retries;
  if (wasRefused && attempts > 0 && count <= mostRefusals) return true;
  return count <= attempts && service.mayRetry();
}
