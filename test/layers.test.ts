import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';

const source = resolve(import.meta.dirname, '../src');

/** Which folders (or files at the top) each may import, besides itself. Whoever is not named may be imported by nobody. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  contract: [],
  config: ['contract', 'lib'],
  processes: ['contract', 'lib'],
  logs: ['contract', 'lib'],
  health: ['contract', 'lib'],
  services: ['contract', 'lib'],
  supervision: ['processes', 'health', 'services', 'contract', 'lib'],
  routing: ['contract', 'lib'],
  router: ['routing', 'contract', 'lib'],
  traffic: ['deploy', 'routing', 'services', 'contract', 'lib'],
  artifacts: ['services', 'contract', 'lib'],
  metrics: ['traffic', 'supervision', 'processes', 'services', 'config', 'contract', 'lib'],
  alerts: ['supervision', 'services', 'config', 'contract', 'lib'],
  forwarding: ['logs', 'services', 'config', 'contract', 'lib'],
  configs: ['services', 'processes', 'contract', 'lib'],
  deploy: ['supervision', 'services', 'contract', 'lib'],
  declarations: ['deploy', 'supervision', 'services', 'contract', 'lib'],
  http: [
    'alerts',
    'artifacts',
    'configs',
    'declarations',
    'deploy',
    'metrics',
    'supervision',
    'traffic',
    'services',
    'logs',
    'health',
    'config',
    'contract',
    'lib',
  ],
  cli: ['contract', 'lib'],
  console: ['contract', 'lib'],
  packaging: ['lib'],
  'app.ts': ['artifacts', 'http', 'contract', 'lib'],
  'service_plane.ts': [
    'artifacts',
    'configs',
    'declarations',
    'deploy',
    'supervision',
    'traffic',
    'services',
    'logs',
    'processes',
    'config',
    'contract',
    'lib',
  ],
  'observation_plane.ts': [
    'alerts',
    'forwarding',
    'metrics',
    'service_plane.ts',
    'supervision',
    'traffic',
    'services',
    'logs',
    'processes',
    'config',
    'contract',
    'lib',
  ],
  'agent.ts': [
    'app.ts',
    'service_plane.ts',
    'observation_plane.ts',
    'http',
    'metrics',
    'traffic',
    'services',
    'config',
    'contract',
    'lib',
  ],
  'agent_check.ts': ['http', 'services', 'config', 'contract', 'lib'],
  'main.ts': ['agent.ts', 'agent_check.ts', 'router', 'cli', 'config', 'contract', 'lib'],
};

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.(m?ts|vue)$/.test(name),
);

function placeOf(file: string): string {
  return relative(source, file).split(sep)[0] ?? '';
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    resolve(dirname(file), match[1] ?? ''),
  );
}

test('every folder of the source is in the table of layers', () => {
  const places = new Set(files.map((name) => placeOf(join(source, name))));
  assert.deepEqual(
    [...places].filter((place) => !(place in allowed)),
    [],
  );
});

for (const [place, may] of Object.entries(allowed)) {
  test(`${place} imports only ${['itself', ...may].join(', ')}`, () => {
    const wrong = files
      .filter((name) => placeOf(join(source, name)) === place)
      .flatMap((name) => imports(join(source, name)).map((imported) => ({ name, imported })))
      .filter(({ imported }) => imported.startsWith(source + sep))
      .filter(({ imported }) => placeOf(imported) !== place && !may.includes(placeOf(imported)))
      .map(({ name, imported }) => `${name} imports ${relative(source, imported)}`);
    assert.deepEqual(wrong, []);
  });
}

test('no module imports itself in a circle', () => {
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push(
        [...trail.slice(trail.indexOf(file)), file].map((name) => relative(source, name)).join(' → '),
      );
      return;
    }
    state.set(file, 'open');
    for (const imported of imports(file)) {
      // Components of a tree that has no end, such as fields in fields, name each other.
      const isModule = imported.startsWith(source) && !imported.endsWith('.vue');
      if (isModule) visit(imported, [...trail, file]);
    }
    state.set(file, 'done');
  };
  for (const name of files) visit(join(source, name), []);
  assert.deepEqual(circles, []);
});
