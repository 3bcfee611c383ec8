import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const isMissing = (program: string) =>
  spawnSync(program, ['--version']).status === 0 ? false : `${program} is not installed`;
const lacksPrometheus = isMissing('prometheus');

let agent: RunningAgent;
let listener: number;
let config: Record<string, unknown>;
let configFile: string;
let router: number;
let key: string;
let prometheus: Prometheus | null = null;

before(async () => {
  [listener, router] = [await freePort(), await freePort()];
  config = {
    listen: '127.0.0.1:0',
    metrics: { interval: '1s', listener: { address: `127.0.0.1:${listener}` } },
    router: { listeners: [{ address: `127.0.0.1:${router}` }], processes: 1 },
  };
  // The path of the socket of the router must stay short.
  const data = await mkdtemp(join(tmpdir(), 'davit-metrics-'));
  configFile = `${data}.yaml`;
  await writeFile(configFile, stringify(config));
  agent = await startAgent({ configFile, data });
  const made = await agent.call('POST', '/api/v1/keys', { name: 'prometheus', scopes: ['metrics'] });
  key = made.body.key;
  if (!lacksPrometheus) prometheus = await Prometheus.start(new URL(agent.url).host, key);
  const { status, body } = await agent.call('POST', '/service/web/deploy', {
    command: fixture('traffic_service.mjs'),
    env: { VERSION: 'one' },
    port: 'auto',
    instances: 2,
    min_uptime: '0s',
    readiness: { type: 'http', path: '/ready', interval: '100ms' },
    routes: [{ hosts: ['web.test'] }],
  });
  assert.equal(status, 200, JSON.stringify(body));
  const writes = `printf 'one\\ntwo\\nthr'; echo problem >&2; exec sleep 1000`;
  await agent.call('POST', '/service/talk/deploy', { command: writes, min_uptime: '0s' });
  await agent.call('POST', '/service/fails/deploy', {
    command: 'exit 7',
    restart: { policy: 'never' },
    min_uptime: '1s',
  });
});
after(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  await rm(configFile);
});

async function scrape(): Promise<string> {
  const { status, body } = await agent.call('GET', '/metrics', undefined, { authorization: `Bearer ${key}` });
  assert.equal(status, 200);
  return body;
}

/** Resolves with the value of a series once it fits. */
async function value(series: string, fits: (value: number) => boolean): Promise<number> {
  let found = Number.NaN;
  await until(`${series} fits`, async () => {
    const line = (await scrape()).split('\n').find((each) => each.startsWith(`${series} `));
    found = line === undefined ? Number.NaN : Number(line.slice(series.length));
    return fits(found);
  });
  return found;
}

async function throughRouter(path: string): Promise<number> {
  const sent = request({ port: router, path, headers: { host: 'web.test' }, agent: false }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

test('what runs, writes, fails and is deployed is in the metrics', async () => {
  const web = 'service="web",service_instance="2"';
  assert.equal(await value('davit_service_instances_ready{service="web"}', (ready) => ready === 2), 2);
  await value(`davit_instance_resident_memory_bytes{${web}}`, (bytes) => bytes > 1e6);
  await value(`davit_instance_threads{${web}}`, (threads) => threads > 1);
  await value(`davit_instance_cpu_seconds_total{${web}}`, (seconds) => seconds > 0);
  await value(`davit_instance_open_fds{${web}}`, (files) => files > 3);
  await value(
    `davit_instance_probes_total{${web},kind="readiness",outcome="succeeded"}`,
    (count) => count > 1,
  );
  await value(`davit_instance_healthy{${web},kind="readiness"}`, (healthy) => healthy === 1);
  await value('davit_service_deployments_total{service="web",outcome="succeeded"}', (count) => count === 1);
  await value('davit_service_deployments_total{service="fails",outcome="failed"}', (count) => count === 1);
  const tried = { service: 'fails', outcome: 'failed' };
  await value(`davit_service_deployment_duration_seconds_count{${labels(tried)}}`, (count) => count === 1);
  await value('davit_service_log_bytes_total{service="talk",stream="stdout"}', (bytes) => bytes === 11);
  await value('davit_service_log_lines_total{service="talk",stream="stdout"}', (lines) => lines === 2);
  await value('davit_service_log_lines_total{service="talk",stream="stderr"}', (lines) => lines === 1);
  const deploys = { operation: 'deployService', outcome: 'succeeded' };
  await value(`davit_agent_operations_total{${labels(deploys)}}`, (count) => count === 2);
  await value(
    `davit_agent_operations_total{operation="deployService",outcome="failed"}`,
    (count) => count === 1,
  );
  await value('davit_agent_event_loop_lag_max_seconds', (lag) => lag >= 0);
  await value('davit_host_cpu_seconds_total{mode="user"}', (seconds) => seconds > 0);
  await value('davit_host_disk_bytes', (bytes) => bytes > 0);
});

test('what goes through the router is in the metrics', async () => {
  await until('the router answers', () =>
    throughRouter('/plain').then(
      (status) => status === 200,
      () => false,
    ),
  );
  await value('davit_router_requests_total{service="web",code="2xx"}', (count) => count > 0);
  await value('davit_router_response_time_seconds_count{service="web"}', (count) => count > 0);
  await value('davit_router_connections_total{router="1"}', (count) => count > 0);
  await value('davit_router_sent_bytes_total{service="web"}', (bytes) => bytes > 0);
});

test('a process that ends and is started again is counted, and its exit code is told', async () => {
  const command = 'sleep 0.2; exit 3';
  const restart = { backoff: { initial: '0s', max: '0s', jitter: 0 } };
  await agent.call('POST', '/service/ends/deploy', { command, restart, min_uptime: '0s' });
  const about = 'service="ends",service_instance="1"';
  await value(`davit_instance_restarts_total{${about}}`, (count) => count >= 1);
  await value('davit_service_restarts_total{service="ends"}', (count) => count >= 1);
  assert.equal(await value(`davit_instance_last_exit_code{${about}}`, (code) => code === 3), 3);
  await agent.call('DELETE', '/api/v1/services/ends');
  await until('it disappears', async () => !(await scrape()).includes('service="ends"'));
});

test('the listener of its own answers without a key, and takes no other Host', async () => {
  const response = await fetch(`http://127.0.0.1:${listener}/metrics`);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /^davit_service_state\{service="web",state="running"\} 1$/m);
  assert.equal((await fetch(`http://127.0.0.1:${listener}/services`)).status, 404);
});

test('the listener moves when the configuration is read again, and tells of an address that is taken', async () => {
  const next = await freePort();
  const setListener = async (address: string) => {
    await writeFile(configFile, stringify({ ...config, metrics: { interval: '1s', listener: { address } } }));
    agent.child.kill('SIGHUP');
  };
  const answers = (port: number) =>
    fetch(`http://127.0.0.1:${port}/metrics`).then(
      ({ ok }) => ok,
      () => false,
    );
  await setListener(`127.0.0.1:${next}`);
  await until('it has moved', async () => (await answers(next)) && !(await answers(listener)));
  await setListener(`127.0.0.1:${router}`);
  const isTold = (warnings: readonly string[]) => warnings.some((warning) => /is taken/.test(warning));
  await agent.until('GET', '/api/v1/agent', ({ warnings }) => isTold(warnings));
  await setListener(`127.0.0.1:${listener}`);
  await until('it is back', () => answers(listener));
  await agent.until('GET', '/api/v1/agent', ({ warnings }) => !isTold(warnings));
});

test('docs/metrics.md has every metric with its type, and no other', async () => {
  const shown = [...(await scrape()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(davit_\w+)` \| (\w+) \|/gm)];
  const named = (all: readonly RegExpExecArray[]) => all.map(([, name, type]) => `${name} ${type}`).sort();
  assert.deepEqual(named(rows), named(shown));
});

test('the labels of each metric are those that docs/metrics.md names', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  const named = new Map(
    [...page.matchAll(/^\| `(davit_\w+)` \| \w+ \| (.*?) ?\|/gm)].map(([, name, labels = '']) => [
      name,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label ?? ''),
    ]),
  );
  for (const [, series = '', text = ''] of (await scrape()).matchAll(/^(davit_\w+)(?:\{(.*)\})? /gm)) {
    const labels = [...text.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== 'le');
    const name = named.has(series) ? series : series.replace(/_(bucket|sum|count)$/, '');
    assert.deepEqual(labels.sort(), named.get(name)?.toSorted(), series);
  }
});

test('promtool finds nothing to say', { skip: isMissing('promtool') }, async () => {
  const input = await scrape();
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});

test('a Prometheus scrapes with a key in a file, and answers what it is asked', {
  skip: lacksPrometheus,
}, async () => {
  if (prometheus === null) throw new Error('it was not started');
  const running = await prometheus.ask('davit_service_instances_running{service="web"}');
  assert.deepEqual(
    running.map(({ value: [, value] }) => value),
    ['2'],
  );
  assert.equal(running[0]?.metric['instance'], new URL(agent.url).host);
  const bySum = await prometheus.ask('sum by (service) (davit_instance_resident_memory_bytes) > 0');
  assert.ok(bySum.some(({ metric }) => metric['service'] === 'web'));
  const quantile =
    'histogram_quantile(0.95, sum by (service, le) (davit_router_response_time_seconds_bucket)) > 0';
  assert.equal((await prometheus.ask(quantile)).length, 1);
  const [up] = await prometheus.ask('up');
  assert.equal(up?.value[1], '1');
  for (const query of documentedQueries()) await prometheus.check(query);
});

interface Found {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

interface Answer {
  readonly data: { readonly result: readonly Found[] };
}

/** A real Prometheus that scrapes one agent every second. */
class Prometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  static async start(target: string, credential: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'davit-prometheus-'));
    const file = (name: string) => join(folder, name);
    await mkdir(file('data'));
    await writeFile(file('key'), `${credential}\n`);
    const job = {
      job_name: 'davit',
      scrape_interval: '1s',
      scrape_timeout: '1s',
      authorization: { credentials_file: file('key') },
      static_configs: [{ targets: [target] }],
    };
    await writeFile(file('prometheus.yml'), stringify({ scrape_configs: [job] }));
    const address = `127.0.0.1:${await freePort()}`;
    const flags = [`--config.file=${file('prometheus.yml')}`, `--storage.tsdb.path=${file('data')}`];
    const child = spawn('prometheus', [...flags, `--web.listen-address=${address}`], { stdio: 'ignore' });
    return new Prometheus(child, folder, `http://${address}`);
  }

  /** Resolves with what a query gives once it gives anything. */
  async ask(query: string): Promise<readonly Found[]> {
    const address = `${this.#url}/api/v1/query?query=${encodeURIComponent(query)}`;
    for (;;) {
      const answer = await fetch(address).catch(() => null);
      const found: readonly Found[] = answer?.ok ? ((await answer.json()) as Answer).data.result : [];
      if (found.length > 0) return found;
      assert.equal(this.#child.exitCode, null, 'Prometheus ended');
      await sleep(50);
    }
  }

  /** Fails where it does not understand the query, or knows none of its metrics. */
  async check(query: string): Promise<void> {
    const response = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(query)}`);
    assert.equal(response.status, 200, `${query}: ${await response.text()}`);
    for (const [name] of query.matchAll(/davit_\w+/g)) await this.ask(`count(${name})`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The queries of docs/metrics.md, each of which follows a comment. */
function documentedQueries(): string[] {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  const [, block = ''] = /```promql\n([^`]+)```/.exec(page) ?? [];
  const queries = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.ok(queries.length > 0);
  return queries;
}

function labels(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, text]) => `${name}="${text}"`)
    .join(',');
}
