/**
 * Holds a connection to a PM2 daemon in a process of its own, because PM2's client reads its settings from the
 * environment and writes to the console. Takes one call at a time over IPC and answers with its milliseconds.
 */
import { createRequire } from 'node:module';

export interface Pm2Call {
  readonly method: 'connect' | 'start' | 'restart';
  /** One service to start or restart, or all that one call is to start. */
  readonly services: readonly string[];
}

export type Pm2Answer = { readonly milliseconds: number } | { readonly error: string };

interface App {
  readonly name: string;
  readonly script: string;
  readonly args: string;
  readonly interpreter: string;
  readonly cwd: string;
}

interface Pm2 {
  connect(done: (error: unknown) => void): void;
  start(apps: App | { apps: App[] }, done: (error: unknown) => void): void;
  restart(name: string, done: (error: unknown) => void): void;
}

const [packageFolder = '', servicesFolder = ''] = process.argv.slice(2);
const pm2: Pm2 = createRequire(import.meta.url)(packageFolder);

function app(name: string): App {
  return { name, script: 'sleep', args: '1000', interpreter: 'none', cwd: servicesFolder };
}

function carryOut({ method, services }: Pm2Call, done: (error: unknown) => void): void {
  const [first = ''] = services;
  if (method === 'connect') pm2.connect(done);
  else if (method === 'restart') pm2.restart(first, done);
  else pm2.start(services.length === 1 ? app(first) : { apps: services.map(app) }, done);
}

process.on('message', (call: Pm2Call) => {
  const began = performance.now();
  carryOut(call, (error) => {
    const milliseconds = performance.now() - began;
    const failed = error !== null && error !== undefined;
    const answer: Pm2Answer = failed ? { error: JSON.stringify(error) || String(error) } : { milliseconds };
    process.send?.(answer);
  });
});
process.on('disconnect', () => process.exit());
