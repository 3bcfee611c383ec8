import { Command, CommanderError } from 'commander';
import { type AgentActions, addAgent, addConfig } from './agent_command.ts';
import { addAlert } from './alert.ts';
import { addAlerts } from './alerts.ts';
import { addApply } from './apply.ts';
import { durationArgument } from './arguments.ts';
import { addArtifacts } from './artifacts.ts';
import { addAudit } from './audit.ts';
import { type Act, commandFrame } from './command.ts';
import { addCompletion } from './completion.ts';
import { addConfigs } from './configs.ts';
import { addConnections } from './connections.ts';
import { addContexts } from './contexts.ts';
import { addDeploy } from './deploy.ts';
import { addCancel, addDeployments, addPromote } from './deployments.ts';
import { addDoctor } from './doctor.ts';
import { addEvents } from './events.ts';
import { exitCode } from './exit_codes.ts';
import { addExport, addSchema } from './export.ts';
import { reportFailure } from './failure.ts';
import { addHealth } from './health.ts';
import { commonOptionsNote, helpLayout } from './help.ts';
import { addInfo, addLogLevel, addVersion, versionText } from './info.ts';
import { addInstances } from './instances.ts';
import { addKeys } from './keys.ts';
import { addDelete, addLifecycle, addSignal } from './lifecycle.ts';
import { addLogs } from './logs.ts';
import { addMetrics } from './metrics.ts';
import { addOrphans } from './orphans.ts';
import { addPlan } from './plan.ts';
import { addPs } from './processes.ts';
import { addReleases, addRollback } from './releases.ts';
import { addReport } from './report.ts';
import { addRouter, type RouterActions } from './router_command.ts';
import { addRules } from './rules.ts';
import { addRuns } from './runs.ts';
import { addScale } from './scale.ts';
import { addSettings } from './settings.ts';
import { addStats } from './stats.ts';
import { addStatus } from './status.ts';
import { addSystemd } from './systemd.ts';
import { type Environment, type Streams, Terminal } from './terminal.ts';
import { addToken } from './token.ts';
import { addTop } from './top/command.ts';
import { addTraffic } from './traffic.ts';
import { addUpgrade } from './upgrade.ts';
import { addWhy } from './why.ts';

/** Everything the command line touches outside of itself. */
export interface CliOptions extends AgentActions, RouterActions, Streams {
  readonly environment: Environment;
}

/** How one call goes: what stood after `--`, and who is told the exit code. */
interface Call {
  readonly rest: readonly string[];
  readonly onEnd: (code: number) => void;
}

/** Names of the flags that say which agent is meant. */
const targetFlags = ['url', 'context', 'keyFile', 'caFile', 'certFile', 'certKeyFile', 'timeout'];
/** What `davit upgrade` finds out by itself: it is for the agent that a unit of this host runs. */
const targetOfUnit = ['url', 'context', 'data'];
/** Commands that ask no agent; a flag that names one would be ignored, so it is refused. */
const withoutAgent = ['agent', 'router', 'check', 'token', 'systemd', 'completion', 'version', 'schema'];

const afterHelp = `
The agent of this host is found by itself, and its admin key too where you may
read it. Another is named by --url or a context (davit context --help).

Environment: DAVIT_URL, DAVIT_CONTEXT, DAVIT_KEY, DAVIT_KEY_FILE, DAVIT_DATA,
DAVIT_CA_FILE, DAVIT_CERT_FILE, DAVIT_CERT_KEY_FILE, NO_COLOR, TRACEPARENT.

Exit codes:
  0  done                          5  the agent cannot be reached
  1  the agent tried and failed    6  a conflict with what is
  2  wrong usage or input          7  davit status SERVICE: it is not running
  3  no such service, release…   130  interrupted
  4  not authenticated, or not allowed`;

/**
 * Runs a command line and resolves with its exit code; it ends no process and, but for `davit agent`, throws nothing.
 * @param words what stands after the program's name
 */
export async function runCli(words: readonly string[], options: CliOptions): Promise<number> {
  const dashes = words.indexOf('--');
  const own = dashes === -1 ? words : words.slice(0, dashes);
  const rest = dashes === -1 ? [] : words.slice(dashes + 1);
  let code: number = exitCode.ok;
  const program = buildProgram(options, { rest, onEnd: (ended) => (code = ended) });
  try {
    await program.parseAsync(own, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    // Only `davit agent` gets here: whatever kept it from running has no other code than 1.
    reportFailure(error, {
      terminal: new Terminal(options, {}),
      json: false,
      client: null,
      argument: '',
    });
    return exitCode.failed;
  }
}

/** Every command with its flags. */
export function buildProgram(options: CliOptions, { rest, onEnd }: Call): Command {
  const { environment } = options;
  const terminal = new Terminal(options, environment);
  const program = new Command('davit')
    .description('Deploys services to a host, keeps them running and keeps their logs.')
    .version(versionText, '-V, --version', 'show version and commit')
    .exitOverride()
    .configureHelp(helpLayout)
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => options.err.write(text),
      getOutHelpWidth: () => Math.min(80, terminal.columns),
      getErrHelpWidth: () => 80,
      outputError: (text, write) => write(text.replace(/^error: /, 'davit: ')),
    })
    .showHelpAfterError('(--help says more)');
  addCommonOptions(program);
  addCommands(program, commandFrame({ streams: options, terminal, environment, rest, onEnd }), options);
  return program
    .addHelpText('after', afterHelp)
    .addHelpText('afterAll', commonOptionsNote)
    .hook('preAction', (_program, command) => refuseWhatWouldBeIgnored(command, rest));
}

function addCommonOptions(program: Command): void {
  program
    .optionsGroup('Options of every command:')
    .option('--url <url>', 'the address of the agent')
    .option('--context <context>', 'a named agent, see davit context')
    .option('--key-file <file>', 'the file that holds the API key')
    .option('--ca-file <file>', "the authority that signed the agent's certificate")
    .option('--cert-file <file>', 'our own certificate, for mutual TLS')
    .option('--cert-key-file <file>', 'its private key')
    .option('--data <directory>', "the data directory of this host's agent")
    .option('--timeout <duration>', 'how long an answer may take', durationArgument)
    .option('--json', 'print what the agent answers, as JSON');
}

function addCommands(program: Command, act: Act, actions: AgentActions & RouterActions): void {
  program.commandsGroup('Services:');
  addDeploy(program, act);
  addLifecycle(program, act);
  addScale(program, act);
  addRollback(program, act);
  addCancel(program, act);
  addPromote(program, act);
  addSignal(program, act);
  addDelete(program, act);
  addConfigs(program, act);
  program.commandsGroup('Declared services:');
  addPlan(program, act);
  addApply(program, act);
  addExport(program, act);
  addSchema(program, act);
  program.commandsGroup('Requests to services:');
  addRules(program, act);
  addConnections(program, act);
  addTraffic(program, act);
  program.commandsGroup('What is and what was:');
  addStatus(program, act);
  addStats(program, act);
  addTop(program, act);
  addMetrics(program, act);
  addWhy(program, act);
  addInstances(program, act);
  addPs(program, act);
  addHealth(program, act);
  addLogs(program, act);
  addReleases(program, act);
  addArtifacts(program, act);
  addDeployments(program, act);
  addRuns(program, act);
  addEvents(program, act);
  addAlerts(program, act);
  addAlert(program, act);
  addAudit(program, act);
  program.commandsGroup('Access:');
  addKeys(program, act);
  addToken(program, act);
  addContexts(program, act);
  program.commandsGroup('The agent:');
  addAgent(program, act, actions);
  addConfig(program, act, actions);
  addRouter(program, actions);
  addInfo(program, act);
  addSettings(program, act);
  addLogLevel(program, act);
  addOrphans(program, act);
  addDoctor(program, act, actions);
  addReport(program, act, actions);
  addSystemd(program, act);
  addUpgrade(program, act);
  program.commandsGroup('This command line:');
  addCompletion(program, act);
  addVersion(program, act);
  program.helpCommand('help [command]', 'Show the help of a command.');
}

/** Refuses what a command would not look at, for somebody meant something by it. */
function refuseWhatWouldBeIgnored(command: Command, rest: readonly string[]): void {
  const name = command.name();
  if (rest.length > 0 && name !== 'deploy' && name !== 'complete') {
    command.error(`error: davit ${name} takes nothing after --`);
  }
  const ignored = name === 'upgrade' ? targetOfUnit : targetFlags;
  if (name !== 'upgrade' && !withoutAgent.includes(name)) return;
  const given = ignored.find((flag) => command.getOptionValueSourceWithGlobals(flag) === 'cli');
  const flag = command.parent?.options.find((option) => option.attributeName() === given)?.long;
  if (given !== undefined)
    command.error(
      name === 'upgrade'
        ? `error: davit upgrade is for the agent of a unit of this host, so ${flag ?? given} means nothing to it`
        : `error: davit ${name} asks no agent, so ${flag ?? given} means nothing to it`,
    );
}
