import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { scopes } from '../contract/scalars.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { type JwtAlgorithm, jwtAlgorithms, signToken } from '../lib/token.ts';
import { milliseconds } from '../lib/units.ts';
import { durationArgument, serviceGlobs } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';

interface TokenFlags {
  readonly signingKeyFile: string;
  readonly algorithm: JwtAlgorithm;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly scope: string;
  readonly service?: string[];
  readonly expiresIn: string;
}

export function addToken(program: Command, act: Act): void {
  program
    .command('token')
    .description('Make a JSON Web Token for an agent that trusts its issuer. No agent is asked.')
    .requiredOption('--signing-key-file <file>', 'private key (PEM) or shared secret; - reads standard input')
    .addOption(new Option('--algorithm <name>', 'how it is signed').choices(jwtAlgorithms).default('HS256'))
    .requiredOption('--issuer <name>', 'the issuer, as the agent is configured')
    .option('--audience <name>', 'the audience, as the agent is configured', 'davit')
    .requiredOption('--subject <name>', 'who will use it')
    .addOption(new Option('--scope <scope>', 'what it may do').choices(scopes).default('read'))
    .option(
      '--service <pattern>',
      'only with this service; * stands for any characters; repeatable',
      serviceGlobs,
    )
    .option('--expires-in <duration>', 'how long it is good', durationArgument, '1h')
    .addHelpText(
      'after',
      examples([
        'davit token --signing-key-file ci.secret --issuer ci --subject build-7 \\\n      --scope deploy --service web --expires-in 10m',
      ]),
    )
    .action(act(makeToken));
}

async function makeToken({ terminal, json }: Run, flags: TokenFlags): Promise<void> {
  const key =
    flags.signingKeyFile === '-' ? await terminal.readInput() : readSigningKey(flags.signingKeyFile);
  const token = await signToken({
    algorithm: flags.algorithm,
    // An agent reads its file of the secret so, too.
    key: key.replace(/\r?\n$/, ''),
    issuer: flags.issuer,
    audience: flags.audience,
    subject: flags.subject,
    scope: flags.scope,
    services: flags.service ?? null,
    expires_in_seconds: Math.ceil(milliseconds(flags.expiresIn) / 1_000),
  });
  if (json) terminal.json({ token });
  else terminal.print(token);
}

function readSigningKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DavitError('usage', `the signing key cannot be read: ${errorMessage(cause)}`, { cause });
  }
}
