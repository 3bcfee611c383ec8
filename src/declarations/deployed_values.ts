import { isDeepStrictEqual } from 'node:util';
import { parameter } from '../contract/parameters.ts';
import type { Spec } from '../contract/spec.ts';
import { type Fields, isFields } from './merge.ts';

/**
 * With what pipelines gave, where a file says nothing of it: the artifact, and the values of parameters that are still what
 * they were. An edit of the file does not take back what was deployed.
 */
export function keepDeployed(fields: Fields, current: Spec | null): Fields {
  if (current === null) return fields;
  const values = Object.entries(current.arguments).filter(([name]) => isSame(name, fields, current));
  return {
    ...(current.artifact !== null && { artifact: current.artifact }),
    ...(values.length > 0 && { arguments: Object.fromEntries(values) }),
    ...fields,
  };
}

function isSame(name: string, { parameters }: Fields, current: Spec): boolean {
  const declared = parameter.safeParse(
    isFields(parameters) && Object.hasOwn(parameters, name) ? parameters[name] : undefined,
  );
  return declared.success && isDeepStrictEqual(declared.data, current.parameters[name]);
}
