import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';

/**
 * Every file that the product reads at run time besides those of the console, and where it lies in the checkout. The
 * build embeds exactly these and the console's, so what is not named does not exist in the binary.
 */
export const assetFiles = {
  'swagger-ui-bundle.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
  'davit.service': 'systemd/davit.service',
} as const;

export type AssetName = keyof typeof assetFiles;

/** One file of the console; it is kept twice, as `<path>.br` and `<path>.gz`. */
export interface ConsoleFile {
  /** From the console's folder on, with slashes. */
  readonly path: string;
  readonly type: string;
  /** Of the content. */
  readonly hash: string;
  /** In bytes, as it is without compression. */
  readonly size: number;
}

/** The list of the console's files, in its folder. */
export const consoleFilesName = 'files.json';
const consoleFolder = 'dist/console';

/** The bytes of an asset: from inside the binary, or from the checkout. Not cached: a caller that serves it often keeps it. */
export function readAsset(name: AssetName): Buffer {
  return read(name, assetFiles[name]);
}

/** The console's files; none where it is not built, which only a checkout knows. */
export function consoleFiles(): ConsoleFile[] {
  try {
    return JSON.parse(readConsoleAsset(consoleFilesName).toString('utf8')).files;
  } catch {
    return [];
  }
}

/** A file of the console as it was compressed: `<path>.br` or `<path>.gz`. Not cached. */
export function readConsoleAsset(name: string): Buffer {
  return read(`console/${name}`, `${consoleFolder}/${name}`);
}

/** What the binary holds of the console: the names of assets, and where each lies in the checkout. */
export function consoleAssets(): Record<string, string> {
  const names = consoleFiles().flatMap(({ path }) => [`${path}.br`, `${path}.gz`]);
  return Object.fromEntries(
    [consoleFilesName, ...names].map((name) => [`console/${name}`, `${consoleFolder}/${name}`]),
  );
}

function read(name: string, path: string): Buffer {
  if (isSea()) return Buffer.from(getAsset(name));
  return readFileSync(join(import.meta.dirname, '../..', path));
}
