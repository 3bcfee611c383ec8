/** How an actor is called, and what is beside the name to tell it from others. */
export interface ActorName {
  readonly name: string;
  readonly detail: string | null;
}

/** Of `key:<id>` or `jwt:<issuer>#<subject>`. */
export function nameActor(actor: string, names: ReadonlyMap<string, string>): ActorName {
  const known = names.get(actor);
  if (known !== undefined) return { name: known, detail: actor.replace(/^key:/, '') };
  const [, issuer, subject] = /^jwt:([^#]*)#(.*)$/.exec(actor) ?? [];
  if (issuer !== undefined && subject !== undefined) return { name: subject, detail: issuer };
  return { name: actor, detail: null };
}
