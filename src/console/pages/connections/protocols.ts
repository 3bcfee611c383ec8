/** What connections speak, as the agent and as people call it. */
export const protocolNames = [
  ['http/1.1', 'HTTP/1.1'],
  ['http/2', 'HTTP/2'],
  ['websocket', 'WebSocket'],
] as const;

export function protocolName(protocol: string): string {
  return protocolNames.find(([value]) => value === protocol)?.[1] ?? protocol;
}
