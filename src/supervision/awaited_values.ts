import type { Spec } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { checkPlaceholders } from '../processes/placeholders.ts';
import { missingParameters } from '../services/parameters.ts';

/** Whether a service cannot start before a deploy has brought its artifact, or the value of a parameter. */
export function awaitsDeploy(spec: Spec): boolean {
  return missingParameters(spec).length > 0 || (spec.artifact === null && asksForArtifact(spec));
}

function asksForArtifact(spec: Spec): boolean {
  try {
    checkPlaceholders(spec, { port: true, artifact: false });
    return false;
  } catch (error) {
    if (error instanceof DavitError) return true;
    throw error;
  }
}
