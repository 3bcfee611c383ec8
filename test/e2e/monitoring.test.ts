import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parse } from 'yaml';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';

const folder = resolve(import.meta.dirname, '../../docs/monitoring');
const promtool = spawnSync('promtool', ['--version']).status === 0 ? false : 'promtool is missing';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8'));
const panels: readonly Panel[] = dashboard.panels;
const targets = panels.flatMap(({ title, targets = [] }) => targets.map((each) => ({ title, ...each })));
const rules: readonly { alert: string; expr: string; annotations: { summary: string } }[] = parse(
  readFileSync(join(folder, 'alerts.yml'), 'utf8'),
).groups.flatMap(({ rules }: { rules: unknown[] }) => rules);

/** Labels that Prometheus adds to what it scrapes. */
const labelsOfScrape = ['job', 'instance'];

describe('the files for Prometheus and Grafana', () => {
  let agent: RunningAgent;
  /** Names of samples as the text has them, each with the names of its labels. */
  let exported: Map<string, Set<string>>;

  before(async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    agent = await startAgent({
      config: {
        listen: '127.0.0.1:0',
        metrics: { interval: '1s', remote_write: [{ name: 'central', url: `http://${nowhere}/write` }] },
        router: { listeners: [{ address: `127.0.0.1:${await freePort()}` }], processes: 1 },
        alerts: { notifiers: [{ name: 'ops', type: 'exec', command: ['true'] }] },
        log_forwarding: [{ name: 'store', type: 'http', url: `http://${nowhere}/lines` }],
      },
    });
    const spec = {
      command: 'while :; do sleep 1; done',
      port: 'auto',
      routes: [{ hosts: ['web.example.org'] }],
      readiness: { type: 'process', interval: '200ms' },
    };
    const deployed = await agent.call('POST', '/service/web/deploy', spec);
    assert.equal(deployed.status, 200, JSON.stringify(deployed.body));
    await agent.call('POST', '/service/broken/deploy', { command: 'exit 3' });
    await agent.call('POST', '/api/v1/notifiers/ops/test', {});
    exported = new Map();
    await agent.until('GET', '/api/v1/stats', ({ services }) =>
      services.some(
        ({ service, cpu_cores }: { service: string; cpu_cores: number | null }) =>
          service === 'web' && cpu_cores !== null,
      ),
    );
    // What the first page cost stands on the next one.
    while (!exported.has('davit_exposition_duration_seconds')) {
      const headers = { authorization: `Bearer ${agent.key}` };
      const answer = await fetch(`${agent.url}/metrics`, { headers });
      assert.equal(answer.status, 200);
      exported = samplesIn(await answer.text());
      await setTimeout(100);
    }
  });
  after(() => agent[Symbol.asyncDispose]());

  test('every series of the dashboard and of the rules is exported, with its labels', () => {
    const wrong = [
      ...targets.map(({ title, expr }) => ({ of: title, expr })),
      ...rules.map(({ alert, expr }) => ({ of: alert, expr })),
    ].flatMap(({ of, expr }) => unknownIn(expr, exported).map((what) => `${of}: ${what}`));
    assert.deepEqual(wrong, []);
  });

  test('what variables and annotations of the dashboard ask for is exported', () => {
    const asked = [
      ...dashboard.templating.list.map(({ query }: { query: { query?: string } }) => query.query ?? ''),
      ...dashboard.annotations.list.map(({ expr }: { expr: string }) => expr),
    ];
    assert.deepEqual(
      asked.flatMap((expr) => unknownIn(expr, exported)),
      [],
    );
  });

  test('legends and summaries name labels that there are', () => {
    const known = new Set([...labelsOfScrape, ...[...exported.values()].flatMap((labels) => [...labels])]);
    const texts = [
      ...targets.map(({ legendFormat }) => legendFormat),
      ...rules.map(({ annotations }) => annotations.summary),
    ];
    const named = texts.flatMap((text) =>
      [...text.matchAll(/\{\{ ?(?:\$labels\.)?(\w+) ?\}\}/g)].map(([, name]) => name),
    );
    assert.ok(named.length > 20);
    assert.deepEqual(
      named.filter((name) => !known.has(name ?? '')),
      [],
    );
  });

  test('what a receiver says is told to those who may read everything, and to nobody else', async () => {
    const isOfReceiver = (text: string) => /central|ECONNREFUSED/.test(text);
    await agent.until('GET', '/api/v1/agent', ({ warnings }) => warnings.some(isOfReceiver));
    const wanted = { name: 'web', scopes: ['deploy'], services: ['web'] };
    const { key } = (await agent.call('POST', '/api/v1/keys', wanted)).body;
    const { status, body } = await agent.call('GET', '/api/v1/agent', undefined, {
      authorization: `Bearer ${key}`,
    });
    assert.equal(status, 200);
    assert.deepEqual(body.warnings.filter(isOfReceiver), []);
  });

  test('Prometheus takes every expression', { skip: promtool }, () => {
    const record = targets.map(({ expr }, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|host|service)\b/g, 'x'),
    }));
    const place = mkdtempSync(join(tmpdir(), 'davit-monitoring-'));
    try {
      const file = join(place, 'panels.yml');
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: record }] }));
      for (const each of [file, join(folder, 'alerts.yml')]) {
        const { status, stderr } = spawnSync('promtool', ['check', 'rules', each], { encoding: 'utf8' });
        assert.equal(status, 0, stderr);
      }
      const check = spawnSync(
        'promtool',
        ['check', 'config', '--syntax-only', join(folder, 'prometheus.yml')],
        { encoding: 'utf8' },
      );
      assert.equal(check.status, 0, check.stderr);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

test('the panels of the dashboard have different ids, say what they show, and do not lie over each other', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const { type, title, description } of panels) if (type !== 'row') assert.ok(description, title);
  const cells = panels.flatMap(({ title, gridPos: { x, y, w, h } }) => {
    assert.ok(x + w <= 24, title);
    return Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`);
  });
  assert.equal(new Set(cells).size, cells.length);
});

function samplesIn(text: string): Map<string, Set<string>> {
  const samples = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(davit_\w+)(?:\{(.*)\})? /gm)) {
    const known = samples.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    samples.set(name, known);
  }
  return samples;
}

/** Names of series that are not exported, and labels that a series is asked for and does not have. */
function unknownIn(expr: string, exported: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...expr.matchAll(/(davit_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name = '', selector = '']) => {
    const labels = exported.get(name);
    if (labels === undefined) return [name];
    const asked = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    return asked
      .filter((label) => !labels.has(label) && !labelsOfScrape.includes(label))
      .map((label) => `${name}{${label}}`);
  });
}
