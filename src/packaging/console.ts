// `npm run build:console [-- --watch]`: makes dist/console, the pages that the agent serves. Does nothing where they are
// those of the source already. `--watch` serves them at http://localhost:5173 instead, as they are changed, for an agent
// at http://127.0.0.1:8888 or at DAVIT_AGENT.
import { errorMessage } from '../lib/errors.ts';
import { buildConsole, serveConsole } from './console_build.ts';

try {
  await (process.argv.includes('--watch') ? serveConsole() : buildConsole());
} catch (error) {
  process.stderr.write(`The console could not be built. ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
