import { join } from 'node:path';
import { build } from 'rolldown';
import { root } from './target.ts';

/** What the build bakes into `src/lib/version.ts`. */
export interface BuildIdentity {
  readonly version: string;
  readonly commit: string;
}

/**
 * Writes `src/main.ts`, with all that it imports, as one minified CommonJS file: the form that a single executable
 * can run with a code cache. Any warning fails it: an import that was not found would be one only at run time.
 */
export async function bundleSource(file: string, identity: BuildIdentity): Promise<void> {
  await build({
    cwd: root,
    input: join(root, 'src/main.ts'),
    platform: 'node',
    transform: {
      define: {
        DAVIT_VERSION: JSON.stringify(identity.version),
        DAVIT_COMMIT: JSON.stringify(identity.commit),
      },
    },
    output: { file, format: 'cjs', minify: true, codeSplitting: false, comments: false },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(`The bundler warns: ${log.message}`);
    },
  });
}
