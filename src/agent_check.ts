import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config/schema.ts';
import type { AgentCheck } from './contract/agent_check.ts';
import { readCertificate } from './http/tls.ts';
import { copyDatabase, openDatabase, stateVersion } from './lib/database.ts';
import { DavitError, errorMessage, systemErrorCode } from './lib/errors.ts';
import { commit, version } from './lib/version.ts';
import { Registry } from './services/registry.ts';
import { migrations } from './services/schema.ts';
import { ServiceStore } from './services/store.ts';

type StateCheck = Pick<AgentCheck, 'state_version' | 'services' | 'releases'>;

/**
 * Whether this binary can run an agent with this configuration and the state that is there, also while another runs
 * with them. It works on a copy of the state, in a folder of its own that it removes. Throws what is in the way:
 * `invalid_request` of the configuration, `state_newer`, `state_unreadable`, `storage_unavailable`.
 */
export function checkAgent(config: Config): AgentCheck {
  if (config.tls !== null) readCertificate(config.tls);
  const { certificates = [], min_version = 'TLSv1.2' } = config.router ?? {};
  for (const files of certificates) readCertificate({ ...files, client_ca_file: null, min_version });
  const { data, stop_services } = config;
  const next_state_version = migrations.length;
  return { version, commit, data, stop_services, next_state_version, ...checkState(data) };
}

function checkState(data: string): StateCheck {
  const file = join(data, 'davit.db');
  if (!existsSync(file)) return { state_version: null, services: 0, releases: 0 };
  removeLeftovers(data);
  const folder = makeFolder(data);
  try {
    const copy = join(folder, 'davit.db');
    copyDatabase(file, copy);
    return { state_version: requireKnown(file, stateVersion(copy)), ...readState(file, copy, folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeFolder(data: string): string {
  try {
    return mkdtempSync(join(data, `check-${process.pid}-`));
  } catch (cause) {
    const message = `the data directory ${data} cannot be used: ${errorMessage(cause)}`;
    throw new DavitError('storage_unavailable', message, { cause });
  }
}

/** Takes away what a check left that was killed. */
function removeLeftovers(data: string): void {
  for (const name of readdirSync(data)) {
    const [, pid] = /^check-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(data, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

function requireKnown(file: string, found: number): number {
  if (found <= migrations.length) return found;
  throw new DavitError(
    'state_newer',
    `${file} was written by a newer version (state version ${found}, davit ${version} reads up to ${migrations.length}); ` +
      'use a davit that is at least as new, or go back to a backup of the older state',
  );
}

/** Migrates the copy and reads all of it, as a start would. */
function readState(file: string, copy: string, folder: string): Omit<StateCheck, 'state_version'> {
  const { database, problems } = openDatabase({ file: copy, backups: join(folder, 'backups'), migrations });
  try {
    const problem = problems[0]?.replaceAll(copy, file);
    if (problem !== undefined) throw new Error(problem);
    const store = new ServiceStore(database, () => {});
    const registry = new Registry(store, () => {});
    const ids = registry.services().map(({ id }) => id);
    registry.close();
    return { services: ids.length, releases: ids.reduce((sum, id) => sum + store.releases(id).length, 0) };
  } catch (cause) {
    throw new DavitError('state_unreadable', `${file} cannot be read: ${errorMessage(cause)}`, { cause });
  } finally {
    database.close();
  }
}
