import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetName, assetFiles, readAsset } from '../../src/lib/assets.ts';

test('every asset that the build embeds can be read from the checkout', () => {
  for (const name of Object.keys(assetFiles) as AssetName[]) {
    assert.ok(readAsset(name).length > 0, name);
  }
});
