import { execFile } from 'node:child_process';
import { lstatSync, opendirSync, readFileSync } from 'node:fs';
import { arch, cpus, freemem, hostname, loadavg, platform, release, totalmem, uptime } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { AgentInformation } from '../contract/agent.ts';
import type { ServiceList, ServiceState } from '../contract/services.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { commit, version } from '../lib/version.ts';
import { servicePath } from './arguments.ts';
import type { AgentClient } from './client.ts';

/** A part of a report: what could be found out, or why not. */
export interface Section {
  readonly title: string;
  /** Text as it is, or a value that is written as JSON. */
  readonly content: unknown;
}

/** How much of each list goes into a report. */
const most = { events: 500, services: 200, troubled: 20, deployments: 10, logBytes: 262_144, files: 500 };

/** Reads one part; what hinders it is told in its place. */
export async function section(title: string, read: () => unknown): Promise<Section> {
  try {
    return { title, content: await read() };
  } catch (error) {
    if (error instanceof DavitError && error.code === 'interrupted') throw error;
    return { title, content: `could not be read: ${errorMessage(error)}` };
  }
}

/** What this host is. */
export function hostFacts(): Record<string, unknown> {
  return {
    hostname: hostname(),
    system: `${platform()} ${release()} ${arch()}`,
    distribution: /^PRETTY_NAME="?(.*?)"?$/m.exec(read('/etc/os-release'))?.[1] ?? null,
    processors: cpus().length,
    load: loadavg(),
    memory: { total: totalmem(), free: freemem() },
    up_seconds: Math.round(uptime()),
    control_groups: read('/sys/fs/cgroup/cgroup.controllers') === '' ? 'version 1 or none' : 'version 2',
    command_line: { version, commit, node: process.version },
  };
}

/** What an agent tells, each part for itself. */
export async function agentSections(client: AgentClient): Promise<Section[]> {
  const lists: readonly [string, string, Record<string, number>?][] = [
    ['Agent', '/api/v1/agent'],
    ['Numbers', '/api/v1/stats'],
    ['Alerts', '/api/v1/alerts'],
    ['Alert rules', '/api/v1/alert_rules'],
    ['Silences', '/api/v1/silences'],
    ['Notifiers', '/api/v1/notifiers'],
    ['Routers', '/api/v1/routers'],
    ['Rules', '/api/v1/rules'],
    ['Traffic', '/api/v1/traffic'],
    ['Orphans', '/api/v1/orphans'],
    ['Events', '/api/v1/events', { limit: most.events }],
  ];
  const services = await section('Services', async () => {
    const { services } = await client.get<ServiceList>('/api/v1/services');
    return services.slice(0, most.services);
  });
  const asked = await Promise.all(
    lists.map(([title, path, query]) => section(title, () => client.get(path, query))),
  );
  return [...asked, services, ...(await troubledServices(client, services.content))];
}

/** Why those that are not as they are wanted are so, and how their last deployments went. */
async function troubledServices(client: AgentClient, services: unknown): Promise<Section[]> {
  if (!Array.isArray(services)) return [];
  const troubled = (services as ServiceList['services'])
    .filter(({ status }) => isTroubled(status.status) || status.instances.ready < status.instances.wanted)
    .slice(0, most.troubled);
  const sections = troubled.flatMap(({ id }) => [
    section(`Why ${id}`, () => client.get(servicePath(id, '/why'), { lines: 50 })),
    section(`Deployments of ${id}`, () =>
      client.get(servicePath(id, '/deployments'), { limit: most.deployments }),
    ),
  ]);
  return Promise.all(sections);
}

function isTroubled(state: ServiceState): boolean {
  return state === 'failed' || state === 'backoff' || state === 'pending';
}

/** The end of what the agent of this host logged itself, as the journal of systemd keeps it. */
export async function journalText(): Promise<string> {
  const words = ['--unit=davit', '--no-pager', '--output=cat', '--lines=2000'];
  const { stdout } = await promisify(execFile)('journalctl', words, {
    timeout: 10_000,
    maxBuffer: 64 * 2 ** 20,
  });
  return stdout.slice(-most.logBytes);
}

/** The limits and the state of the agent's process. */
export function processText({ pid }: AgentInformation): string {
  return `${read(`/proc/${pid}/limits`)}\n${read(`/proc/${pid}/status`)}`;
}

/** What lies in the data directory, without what is in it. */
export function dataText(folder: string): string {
  const names = namesIn(folder);
  const lines = names.slice(0, most.files).map((name) => {
    const stat = lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (stat === undefined) return `gone ${name}`;
    return `${(stat.mode & 0o7777).toString(8).padStart(4, '0')} ${String(stat.size).padStart(12)} ${name}`;
  });
  const left = names.length - lines.length;
  return [...lines, ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

/** Unlike `readdir`, this follows no links: those of artifacts may lead anywhere, and around for ever. */
function namesIn(folder: string): string[] {
  using directory = opendirSync(folder, { recursive: true });
  const names: string[] = [];
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
    names.push(relative(folder, join(entry.parentPath, entry.name)));
  return names.sort();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
