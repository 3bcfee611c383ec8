import { findDavit } from '../peers/davit_program.ts';
import { installHaproxy, installHttpProxy3, installNginx } from '../peers/installation.ts';
import type { Sandbox } from '../sandbox.ts';
import { davitRouter } from './proxies/davit_router.ts';
import { haproxy } from './proxies/haproxy.ts';
import { httpProxy3 } from './proxies/http_proxy_3.ts';
import { nginx } from './proxies/nginx.ts';
import type { ProxyKind } from './proxies/proxy.ts';

/** What the router is compared with, ready to be started. */
export interface Proxies {
  /** davit is the first. */
  readonly kinds: readonly ProxyKind[];
  readonly versions: Readonly<Record<string, string>>;
}

/** Finds or installs the proxies, and finds davit. */
export async function prepareProxies(_sandbox: Sandbox, fromSource: boolean): Promise<Proxies> {
  const found = await installNginx();
  const kinds = [
    davitRouter(await findDavit(fromSource)),
    nginx(found, '64k'),
    nginx(found, 'default'),
    haproxy(await installHaproxy()),
    httpProxy3(await installHttpProxy3()),
  ];
  return { kinds, versions: Object.fromEntries(kinds.map(({ name, version }) => [name, version])) };
}
