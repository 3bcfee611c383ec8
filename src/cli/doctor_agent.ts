import type { AgentInformation } from '../contract/agent.ts';
import type { Finding } from '../contract/doctor.ts';
import type { OrphanList } from '../contract/processes.ts';
import type { Service, ServiceList } from '../contract/services.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import type { AgentClient } from './client.ts';
import { ok, problem, warning } from './finding.ts';

/** What an agent said of itself; null when it could not be asked. */
export interface AgentChecks {
  readonly information: AgentInformation | null;
  readonly findings: readonly Finding[];
}

/** Asks an agent how it is and how its services are. `open` gives the client, or throws why there is none. */
export async function checkAgent(open: () => AgentClient): Promise<AgentChecks> {
  try {
    const client = open();
    const information = await client.get<AgentInformation>('/api/v1/agent');
    const { services } = await client.get<ServiceList>('/api/v1/services');
    const findings = [
      ...describe(information),
      ...(await checkOrphans(client)),
      ...checkServices(services, information),
    ];
    return { information, findings };
  } catch (error) {
    if (!(error instanceof DavitError) || error.code === 'interrupted') throw error;
    return { information: null, findings: [problem('agent', errorMessage(error), adviceOn(error.code))] };
  }
}

function adviceOn(code: string): string | null {
  if (code === 'agent_unreachable')
    return 'start it: systemctl start davit; why it ended: journalctl -u davit';
  return ['unauthenticated', 'forbidden', 'key_unreadable'].includes(code)
    ? 'run davit doctor as the user of the agent, as with sudo, or name a key: --key-file FILE'
    : null;
}

function describe({ version: its, listen, control_groups, warnings }: AgentInformation): Finding[] {
  const findings = [ok('agent', `it answers on ${listen}, version ${its}`)];
  if (its !== version) {
    const message = `the agent is ${its}, this command line ${version}`;
    findings.push(warning('version', message, 'davit upgrade replaces the agent'));
  }
  if (control_groups?.used) findings.push(ok('control groups', 'each instance has one of its own'));
  const isOfOthers = (text: string) => text !== control_groups?.reason && !text.includes('davit orphans');
  if (control_groups?.reason) findings.push(warning('control groups', control_groups.reason));
  return [...findings, ...warnings.filter(isOfOthers).map((text) => warning('agent', text))];
}

async function checkOrphans(client: AgentClient): Promise<Finding[]> {
  try {
    const { orphan_count } = await client.get<OrphanList>('/api/v1/orphans');
    if (orphan_count === 0) return [ok('orphans', 'there are none')];
    const what = orphan_count === 1 ? 'instance runs' : 'instances run';
    return [warning('orphans', `${orphan_count} ${what} that no service has`, 'davit orphans shows them')];
  } catch (error) {
    // Only an administrator may see them, and earlier agents tell of none.
    if (error instanceof DavitError && ['forbidden', 'not_found'].includes(error.code)) return [];
    throw error;
  }
}

function checkServices(services: readonly Service[], information: AgentInformation): Finding[] {
  const findings = services.filter(({ status }) => status.wanted === 'running').flatMap(checkService);
  if (findings.length === 0) {
    const { total, running } = information.services;
    return [ok('services', `${running} of ${total} run, and no other is wanted`)];
  }
  return findings;
}

/** What is wrong with a service that is wanted to run. */
function checkService({ id, status: { status, message, instances } }: Service): Finding[] {
  const found = `${id} is wanted, but ${status}: ${message}`;
  const advice = `davit why ${id}`;
  if (status === 'stopped' || status === 'failed')
    return [problem('services', found, `${advice}; davit start ${id}`)];
  if (status === 'backoff' || status === 'pending') return [warning('services', found, advice)];
  // Earlier agents tell of no instances.
  if (status !== 'running' || instances === undefined || instances.ready >= instances.wanted) return [];
  return [
    warning('services', `${instances.ready} of ${instances.wanted} of ${id} are ready: ${message}`, advice),
  ];
}
