import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';

/**
 * Every file that the product reads at run time, and where it lies in the checkout. The build embeds exactly
 * these, so what is not named here does not exist in the binary.
 */
export const assetFiles = {
  'swagger-ui-bundle.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
  'davit.service': 'systemd/davit.service',
} as const;

export type AssetName = keyof typeof assetFiles;

/** The bytes of an asset: from inside the binary, or from the checkout. Not cached: a caller that serves it often keeps it. */
export function readAsset(name: AssetName): Buffer {
  if (isSea()) return Buffer.from(getAsset(name));
  return readFileSync(join(import.meta.dirname, '../..', assetFiles[name]));
}
