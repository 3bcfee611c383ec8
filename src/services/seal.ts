import { isDeepStrictEqual } from 'node:util';
import type { Spec, SpecPatch } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';

/** What anybody who may deploy a sealed service may set of it. */
const open: ReadonlySet<string> = new Set(['artifact', 'arguments'] satisfies (keyof Spec)[]);

/** Whether somebody decides what is executed: an admin, or a file on this host. */
export interface Authority {
  readonly seals: boolean;
}

/** Whoever is not known to decide, does not. */
export const noAuthority: Authority = { seals: false };
export const fullAuthority: Authority = { seals: true };

/** The service that is to be changed, and who wants to. */
export interface SealedChange {
  readonly id: string;
  /** As it is; null: it does not exist. */
  readonly current: Spec | null;
  readonly authority: Authority;
  /** Whether this agent takes commands from those who decide alone. */
  readonly isRequired: boolean;
}

/**
 * Throws `command_sealed` where a patch touches more than it may. What it names counts, not what would differ: else one
 * could find out hidden values by trying.
 */
export function requireOpenPatch(change: SealedChange, patch: SpecPatch): void {
  const { current, authority, isRequired } = change;
  if (authority.seals) return;
  const named = Object.entries(patch).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (current?.sealed || (isRequired && current !== null)) {
    const closed = named.filter((name) => !open.has(name));
    if (closed.length > 0 || !current.sealed) throw sealedError(change, closed);
    return;
  }
  if (isRequired) throw sealedError(change, named);
  if (patch.sealed === true) throw sealingError(change);
}

/** Throws `command_sealed` where somebody may not make of a service exactly this, such as by a declaration or a rollback. */
export function requireOpenSpec(change: SealedChange, next: Spec): void {
  const { current, authority, isRequired } = change;
  if (authority.seals) return;
  if (current?.sealed) {
    const names = Object.keys(next) as (keyof Spec)[];
    const closed = names.filter((name) => !open.has(name) && !isDeepStrictEqual(current[name], next[name]));
    if (closed.length > 0) throw sealedError(change, closed);
    return;
  }
  if (isRequired) throw sealedError(change, []);
  if (next.sealed) throw sealingError(change);
}

/** Throws `command_sealed` where somebody may not do away with a service, or with what it reads. */
export function requireUnsealed(change: Omit<SealedChange, 'isRequired'>, what: string): void {
  if (change.authority.seals || !change.current?.sealed) return;
  throw new DavitError(
    'command_sealed',
    `service "${change.id}" is sealed: only an admin, or a file on the host of the agent, may ${what}`,
  );
}

function sealedError({ id, current }: SealedChange, fields: readonly string[]): DavitError {
  const what = fields.length > 0 ? `${fields.join(', ')} cannot be set` : 'this cannot be deployed';
  const message = current?.sealed
    ? `service "${id}" is sealed: ${what}; a deploy sets its artifact and its arguments alone`
    : `service "${id}" is not sealed, and this agent takes commands only from admins and from files on its host (require_sealed)`;
  return new DavitError('command_sealed', message, { fields: { sealed_fields: fields } });
}

function sealingError({ id }: SealedChange): DavitError {
  return new DavitError(
    'command_sealed',
    `only an admin, or a file on the host of the agent, may seal service "${id}"`,
    { fields: { sealed_fields: ['sealed'] } },
  );
}
