import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstalledProgram } from '../../peers/installation.ts';
import { fileLimit } from '../file_limit.ts';
import { endProxy, launchProxy, type ProxyKind, type ProxySetup } from './proxy.ts';

/** HAProxy, whose processes are threads. */
export function haproxy({ version, command, environment }: InstalledProgram): ProxyKind {
  const name = 'HAProxy';
  return {
    name,
    version,
    start: async (setup) => {
      const { folder, port } = setup;
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, configuration(setup));
      const daemon = await launchProxy([command, '-db', '-f', file], setup, environment);
      return { name, port, pids: () => [daemon.pid], stop: () => endProxy([daemon], folder) };
    },
  };
}

function configuration({ port, backend, processes }: ProxySetup): string {
  return `
global
  nbthread ${processes}
  maxconn ${Math.floor((fileLimit() - 100) / 2)}
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend clients
  bind 127.0.0.1:${port} backlog 16384
  default_backend service
backend service
  server service 127.0.0.1:${backend}
`;
}
