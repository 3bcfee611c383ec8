import type { Spec } from '../contract/spec.ts';

/** The parts of a spec in which a secret may stand. */
type Secretive = Pick<Spec, 'env' | 'env_file' | 'parameters' | 'arguments'>;

/**
 * The values that must not be told of a service: those of its environment, of its environment files as they are now, and
 * of its arguments. A file that cannot be read has none.
 */
export function secretsOf(
  { env, env_file, parameters, arguments: given }: Secretive,
  readFile: (file: string) => Readonly<Record<string, string>>,
): string[] {
  const files = [env_file].flat().flatMap((file) => valuesOf(file, readFile));
  const defaults = Object.values(parameters).flatMap(({ default: value }) =>
    typeof value === 'string' ? value : [],
  );
  const texts = Object.values(given).flatMap((value) => (typeof value === 'string' ? value : []));
  return [...Object.values(env), ...files, ...defaults, ...texts];
}

function valuesOf(file: string, readFile: (file: string) => Readonly<Record<string, string>>): string[] {
  try {
    return Object.values(readFile(file));
  } catch {
    return [];
  }
}
