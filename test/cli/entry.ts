import { runCli } from '../../src/cli/program.ts';
import { stubs } from './stubs.ts';

// The command line as a process of its own, without the agent.
process.exitCode = await runCli(process.argv.slice(2), {
  ...stubs(process.stdout),
  environment: process.env,
  input: process.stdin,
  out: process.stdout,
  err: process.stderr,
});
