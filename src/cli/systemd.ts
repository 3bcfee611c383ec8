import { spawnSync } from 'node:child_process';
import { isSea } from 'node:sea';
import type { Command } from 'commander';
import { readAsset } from '../lib/assets.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';

/** Where the installer puts the binary, and what the unit says unless told otherwise. */
const installedBinary = '/usr/local/bin/davit';

/** Settings that only the system's own manager can give, or that a user's has no use for. */
const systemOnly = [
  'Wants',
  'After',
  'EnvironmentFile',
  'OOMScoreAdjust',
  'LimitNOFILE',
  'CapabilityBoundingSet',
  'SystemCallFilter',
  'SystemCallErrorNumber',
  'RestrictAddressFamilies',
  'ConfigurationDirectoryMode',
  // Where these lie for a user differs between versions of systemd; the agent finds and makes its own place.
  'StateDirectory',
  'StateDirectoryMode',
  'ConfigurationDirectory',
  // In a user's manager it would take setuid programs such as sudo from services.
  'LockPersonality',
];

export function addSystemd(program: Command, act: Act): void {
  program
    .command('systemd')
    .description('Print a systemd unit that runs the agent on this host.')
    .option('--user', "a unit for your own account's systemd instead of the system's")
    .option('--binary <file>', `where the binary is (default: this one, or ${installedBinary})`)
    .addHelpText(
      'after',
      examples([
        'davit systemd | sudo tee /etc/systemd/system/davit.service',
        'davit systemd --user > ~/.config/systemd/user/davit.service',
      ]),
    )
    .action(
      act(async ({ terminal, json }: Run, { user = false, binary }: { user?: boolean; binary?: string }) => {
        const path = binary ?? (isSea() ? process.execPath : installedBinary);
        const unit = unitFor(path, user, systemdVersion());
        if (json) terminal.json({ unit });
        else terminal.write(unit);
      }),
    );
}

/** The version of systemd on this host; 0 where there is none. */
function systemdVersion(): number {
  const { stdout } = spawnSync('systemctl', ['--version'], { encoding: 'utf8', timeout: 5_000 });
  return Number(/^systemd (\d+)/.exec(stdout ?? '')?.[1] ?? 0);
}

/** From this version on the agent can be put aside, which lets it limit what its services use. Others complain of the setting. */
const knowsSubgroups = 254;

/** The unit for a binary at this path; for the system, or for the systemd of an account that is not root. */
export function unitFor(binary: string, user: boolean, version = 0): string {
  const template = readAsset('davit.service')
    .toString('utf8')
    .replace(/^Delegate=yes$/m, version >= knowsSubgroups ? '$&\nDelegateSubgroup=davit.agent' : '$&');
  const system = template.replaceAll(installedBinary, quoted(binary));
  if (!user) return system;
  return (
    settingsOf(system)
      .filter((line) => !systemOnly.includes(line.split('=')[0] ?? ''))
      .map((line) => line.replace('WantedBy=multi-user.target', 'WantedBy=default.target'))
      // Only root can send a notification in the name of the agent's own process.
      .map((line) => line.replace('NotifyAccess=main', 'NotifyAccess=all'))
      .join('\n')
  );
}

/** The lines of a unit without its comments, which speak of the system's. */
function settingsOf(unit: string): string[] {
  return unit
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\n{2,}/g, '\n\n')
    .trimStart()
    .split('\n');
}

/** A path in a unit: a space would end it, and % and $ stand for other things (systemd.service(5)). */
function quoted(path: string): string {
  const escaped = path.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\;]/.test(escaped) ? `"${escaped.replaceAll(/["\\]/g, '\\$&')}"` : escaped;
}
