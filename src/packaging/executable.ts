import { chmodSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import packager from '@yao-pkg/pkg/lib-es5/sea.js';
import { assetFiles, consoleAssets } from '../lib/assets.ts';
import { isNative, root, type Target } from './target.ts';

interface Parts {
  /** The bundled source. */
  readonly bundle: string;
  /** The stripped Node of the target. */
  readonly base: string;
  /** A folder inside the checkout, for what the packager writes on its way. */
  readonly workFolder: string;
}

/** Joins bundle, assets and Node into the executable `output`. Why each setting stands here: docs/packaging.md. */
export async function packExecutable(target: Target, parts: Parts, output: string): Promise<void> {
  const files = Object.entries({ ...assetFiles, ...consoleAssets() });
  const assets = files.map(([name, path]) => [name, join(root, path)]);
  // The packager runs `node` and `npx postject`: this Node, and the postject of our lockfile, which npx finds
  // from a working folder inside the checkout only. It must not fetch another one.
  Object.assign(process.env, {
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    TMPDIR: parts.workFolder,
    TEMP: parts.workFolder,
    npm_config_offline: 'true',
  });
  await packager.default(parts.bundle, {
    nodePath: parts.base,
    targets: [{ output, nodeRange: 'node24', platform: target.platform, arch: target.arch }],
    seaConfig: {
      assets: Object.fromEntries(assets),
      useCodeCache: isNative(target),
      execArgv: ['--max-semi-space-size=1'],
      execArgvExtension: 'none',
    },
  });
  requireInjected(output);
  chmodSync(output, 0o755);
}

/** The packager reports no failed injection: it leaves a bare Node. The flag that Node itself looks for tells. */
function requireInjected(executable: string): void {
  const isInjected = readFileSync(executable).includes('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1');
  if (!isInjected) throw new Error(`The program was not injected into ${executable}: "npx postject" failed`);
}
