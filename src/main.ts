import pino from 'pino';
import { createAgent } from './agent.ts';
import { checkAgent } from './agent_check.ts';
import { runCli } from './cli/program.ts';
import { type ConfigFlags, configFile, loadConfig } from './config/load.ts';
import { watchConfig } from './config/watch.ts';

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
  const config = load();
  const log = pino(
    {
      level: config.log_level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    // What was logged before a crash must be there after it.
    pino.destination({ fd: 2, sync: true }),
  );
  const agent = createAgent({ config, environment, log });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault inside the agent ends it; services run on');
    process.exit(1);
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', end).once('SIGINT', end);
  process.on('SIGHUP', () => {
    watch?.taken();
    void agent.reload(load);
  });
  await agent.start();
  log.info(`ending on ${await ended}`);
  await agent.stop();
}

async function main(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), {
    environment,
    input: process.stdin,
    out: process.stdout,
    err: process.stderr,
    runAgent,
    checkConfig: (flags) => loadConfig(flags, environment),
    checkAgent: (flags) => checkAgent(loadConfig(flags, environment)),
  });
}

void main();
