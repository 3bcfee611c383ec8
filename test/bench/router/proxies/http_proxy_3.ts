import { fileURLToPath } from 'node:url';
import type { InstalledPackage } from '../../peers/installation.ts';
import { endProxy, launchProxy, type ProxyKind } from './proxy.ts';

/** http-proxy-3 in a small program on the Node that the bench runs on. */
export function httpProxy3({ version, folder: installed }: InstalledPackage): ProxyKind {
  const name = 'http-proxy-3';
  const program = fileURLToPath(new URL('./http_proxy_3_process.ts', import.meta.url));
  return {
    name,
    version,
    start: async (setup) => {
      const { folder, port, backend, processes } = setup;
      const words = [program, installed, String(port), String(backend)];
      const start = () => launchProxy([process.execPath, ...words], setup);
      const daemons = [await start()];
      while (daemons.length < processes) daemons.push(await start());
      return { name, port, pids: () => daemons.map(({ pid }) => pid), stop: () => endProxy(daemons, folder) };
    },
  };
}
