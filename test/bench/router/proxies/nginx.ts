import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstalledProgram } from '../../peers/installation.ts';
import { childrenOf } from '../../processes.ts';
import { fileLimit } from '../file_limit.ts';
import { endProxy, launchProxy, type ProxyKind, type ProxySetup } from './proxy.ts';

/** Of the answers of the service, and of what comes over an upgraded connection. */
export type Buffers = 'default' | '64k';

/** nginx with kept connections to the service and without an access log. */
export function nginx({ version, command, environment }: InstalledProgram, buffers: Buffers): ProxyKind {
  const name = buffers === 'default' ? 'nginx, default buffers' : 'nginx';
  return {
    name,
    version,
    start: async (setup) => {
      const { folder, port } = setup;
      const file = join(folder, 'nginx.conf');
      writeFileSync(file, configuration(setup, buffers));
      const daemon = await launchProxy(
        [command, '-c', file, '-p', folder, '-e', join(folder, 'error.log')],
        setup,
        environment,
      );
      return {
        name,
        port,
        pids: () => childrenOf(daemon.pid),
        stop: () => endProxy([daemon], folder),
      };
    },
  };
}

function configuration({ folder, port, backend, processes }: ProxySetup, buffers: Buffers): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(folder, kind)};`,
  );
  return `
${process.geteuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')} warn;
worker_processes ${processes};
worker_rlimit_nofile ${fileLimit()};
events { worker_connections ${fileLimit()}; }
http {
${temporary.join('\n')}
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  map $http_upgrade $connection_of_upgrade { default upgrade; '' ''; }
  upstream service {
    server 127.0.0.1:${backend};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${port} reuseport backlog=16384;
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_of_upgrade;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
      ${buffers === '64k' ? 'proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;' : ''}
    }
  }
}
`;
}
