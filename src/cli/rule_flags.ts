import { type Command, InvalidArgumentError } from 'commander';
import { DavitError } from '../lib/errors.ts';
import { listOption, serviceArgument, wholeNumber } from './arguments.ts';

/** What the flags of `davit rules add` say. */
export interface RuleFlags {
  readonly to?: string;
  readonly split?: readonly string[];
  readonly redirect?: string;
  readonly deny?: boolean;
  readonly answer?: string;
  readonly status?: number;
  readonly host?: readonly string[];
  readonly path?: string;
  readonly pathPrefix?: string;
  readonly pathRegex?: string;
  readonly method?: readonly string[];
  readonly header?: readonly string[];
  readonly query?: readonly string[];
  readonly cookie?: readonly string[];
  readonly network?: readonly string[];
  readonly tag?: readonly string[];
  readonly rewritePrefix?: string;
  readonly priority?: number;
  readonly disabled?: boolean;
}

type Fields = Record<string, unknown>;

/** The flags that say which requests a rule is for, and what becomes of them. */
export function addRuleFlags(command: Command): Command {
  return command
    .option('--to <service>', 'they go to this service', serviceArgument)
    .addOption(listOption('--split <service=weight>', 'they go to several, by weight; repeatable'))
    .option('--redirect <url>', 'they are sent to this address; it may have placeholders')
    .option('--deny', 'they are refused')
    .option('--answer <text>', 'they are answered with this text')
    .option('--status <number>', 'of the answer, the redirect or the refusal', wholeNumber(200))
    .addOption(listOption('--host <name>', 'such as example.org or *.example.org; repeatable'))
    .option('--path <path>', 'exactly this path')
    .option('--path-prefix <path>', 'this path and all below it')
    .option('--path-regex <expression>', 'a path that holds a match (RE2)')
    .addOption(listOption('--method <method>', 'such as GET; repeatable'))
    .addOption(listOption('--header <name[=value]>', 'without a value: it is there; repeatable'))
    .addOption(listOption('--query <name[=value]>', 'a parameter of the query; repeatable'))
    .addOption(listOption('--cookie <name[=value]>', 'repeatable'))
    .addOption(listOption('--network <network>', 'where the client is; repeatable'))
    .addOption(listOption('--tag <tag>', 'that the request asks for; repeatable'))
    .option('--rewrite-prefix <path>', 'what the service sees in place of the prefix')
    .option('--priority <number>', 'higher comes first (default: 0)', priorityArgument)
    .option('--disabled', 'it does not count yet');
}

/** The body of the call. Throws `usage` unless exactly one flag says what becomes of the requests. */
export function ruleOf(flags: RuleFlags): Fields {
  const { priority, disabled } = flags;
  return {
    match: matchOf(flags),
    action: actionOf(flags),
    ...(priority !== undefined && { priority }),
    ...(disabled && { enabled: false }),
  };
}

function matchOf(flags: RuleFlags): Fields {
  const { host, path, pathPrefix, pathRegex, method, network, tag } = flags;
  const fields = {
    hosts: host,
    path,
    path_prefix: pathPrefix,
    path_regex: pathRegex,
    methods: method,
    headers: conditions(flags.header, (name) => name.toLowerCase()),
    query: conditions(flags.query),
    cookies: conditions(flags.cookie),
    networks: network,
    tags: tag,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function actionOf(flags: RuleFlags): Fields {
  const { to, split, redirect, deny, answer, status, rewritePrefix } = flags;
  const rewrite = rewritePrefix === undefined ? {} : { rewrite_prefix: rewritePrefix };
  const withStatus = status === undefined ? {} : { status };
  const actions = [
    to !== undefined && { type: 'route', service: to, ...rewrite },
    split !== undefined && { type: 'split', services: split.map(part), ...rewrite },
    redirect !== undefined && { type: 'redirect', to: redirect, ...withStatus },
    deny && { type: 'deny', ...withStatus },
    answer !== undefined && { type: 'answer', body: answer, ...withStatus },
  ].filter((action) => typeof action === 'object');
  const [action, ...more] = actions;
  if (action === undefined || more.length > 0)
    throw new DavitError('usage', 'say one of --to, --split, --redirect, --deny and --answer, or --file');
  return action;
}

/** A whole number, which may be negative. */
function priorityArgument(text: string): number {
  if (/^-?\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a whole number');
}

function conditions(
  given: readonly string[] | undefined,
  nameOf: (name: string) => string = (name) => name,
): Fields | undefined {
  const pairs = given?.map((text) => {
    const [name = '', ...value] = text.split('=');
    return [nameOf(name), value.length === 0 ? { present: true } : value.join('=')] as const;
  });
  return pairs && Object.fromEntries(pairs);
}

function part(text: string): Fields {
  const [, service, weight] = /^(.+)=(\d{1,7})$/.exec(text) ?? [];
  if (service === undefined) throw new DavitError('usage', `--split ${text}: must be like web=90`);
  return { service, weight: Number(weight) };
}
