/** How a service was in a time in which so many instances were ready, and so many missing, on average. */
export function beatState(ready: number, missing: number): string {
  if (missing > 0) return ready > 0 ? 'not_ready' : 'unhealthy';
  return ready > 0 ? 'healthy' : 'stopped';
}
