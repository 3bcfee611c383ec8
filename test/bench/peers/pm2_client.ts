/**
 * Holds a connection to a PM2 daemon in a process of its own, because PM2's client reads its settings from the
 * environment and writes to the console. Takes one call at a time over IPC and answers with its milliseconds.
 */
import { createRequire } from 'node:module';

/** A service, as PM2 takes it. */
export interface Pm2App {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly interpreter: string;
  readonly cwd: string;
  /** Milliseconds. */
  readonly kill_timeout?: number;
  /** Milliseconds for which it must be up so that its end counts for nothing. */
  readonly min_uptime?: number;
  readonly max_restarts?: number;
}

export interface Pm2Call {
  readonly method: 'connect' | 'start' | 'restart' | 'stop';
  /** The one that it is about, or all that one call is to start. */
  readonly apps: readonly Pm2App[];
}

export type Pm2Answer = { readonly milliseconds: number } | { readonly error: string };

interface Pm2 {
  connect(done: (error: unknown) => void): void;
  start(apps: Pm2App | { apps: readonly Pm2App[] }, done: (error: unknown) => void): void;
  restart(name: string, done: (error: unknown) => void): void;
  stop(name: string, done: (error: unknown) => void): void;
}

const [packageFolder = ''] = process.argv.slice(2);
const pm2: Pm2 = createRequire(import.meta.url)(packageFolder);

function carryOut({ method, apps }: Pm2Call, done: (error: unknown) => void): void {
  const [first] = apps;
  if (first === undefined) pm2.connect(done);
  else if (method === 'start') pm2.start(apps.length === 1 ? first : { apps }, done);
  else if (method === 'restart') pm2.restart(first.name, done);
  else pm2.stop(first.name, done);
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
