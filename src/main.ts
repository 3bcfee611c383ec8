import { constants } from 'node:os';
import pino, { type Logger } from 'pino';
import { createAgent } from './agent.ts';
import { checkAgent } from './agent_check.ts';
import { runCli } from './cli/program.ts';
import { type ConfigFlags, configFile, loadConfig } from './config/load.ts';
import { watchConfig } from './config/watch.ts';
import { errorMessage, systemErrorCode } from './lib/errors.ts';
import { Router } from './router/router.ts';

/** A copy: each look into the environment itself asks the system. */
const environment = { ...process.env };

/** How often the configuration file is looked at, in milliseconds. */
const configInterval = 1_000;

/** Runs an agent until a signal ends it. Throws when it cannot start. */
async function runAgent(flags: ConfigFlags): Promise<void> {
  const file = configFile(flags, environment);
  // A file that has gone is told as such later on, instead of giving way to the defaults.
  const load = () => loadConfig(file === undefined ? flags : { ...flags, config: file }, environment);
  const onChange = () => void agent.reload(load);
  using watch = file === undefined ? null : watchConfig({ file, interval: configInterval, onChange });
  const loaded = load();
  const log = createLog(loaded.config.log_level);
  const agent = createAgent({ loaded, environment, log });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault inside the agent ends it; services run on');
    process.exit(1);
  });
  const ended = endingSignal();
  process.on('SIGHUP', () => {
    watch?.taken();
    void agent.reload(load);
  });
  await agent.start();
  log.info(`ending on ${await ended}`);
  await agent.stop();
}

/** Runs a router until a signal ends it. */
async function runRouter({ directory }: { readonly directory: string }): Promise<void> {
  const log = createLog('info');
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault inside the router ends it; another one takes its place');
    process.exit(1);
  });
  const router = new Router({ directory, log });
  // However it ends.
  process.on('exit', () => router.salvage());
  const ended = endingSignal();
  // An agent that takes over from one that died asks once more what is ending already: that must not cut off what drains.
  process.on('SIGTERM', () => {});
  router.start();
  log.info(`ending on ${await ended}`);
  await router.stop();
  log.info('ended');
}

function createLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    // What was logged before a crash must be there after it.
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Resolves with the first signal that asks this process to end. */
function endingSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', resolve).once('SIGINT', resolve);
  return promise;
}

async function main(): Promise<void> {
  // Whoever reads has seen enough, as `head` has: SIGPIPE would end us, if Node let it.
  process.stdout.on('error', (error) => {
    if (systemErrorCode(error) === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
    process.stderr.write(`davit: the output cannot be written: ${errorMessage(error)}\n`);
    process.exit(1);
  });
  process.exitCode = await runCli(process.argv.slice(2), {
    environment,
    input: process.stdin,
    out: process.stdout,
    err: process.stderr,
    runAgent,
    runRouter,
    checkConfig: (flags) => loadConfig(flags, environment).config,
    checkAgent: (flags) => checkAgent(loadConfig(flags, environment).config),
  });
}

void main();
