import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../helpers/system.ts';
import { Forwarded, numbered } from './forwarded.ts';
import { LineReceiver, type ReceivedRequest } from './line_receiver.ts';

interface LokiStream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [string, string])[];
}

/** Takes requests as Loki's push API documents them: entries of a stream with the same time and text are one, times must not fall far. */
class LokiRules {
  readonly entries = new Map<string, Map<string, string>>();
  readonly complaints: string[] = [];

  get size(): number {
    return [...this.entries.values()].reduce((sum, entries) => sum + entries.size, 0);
  }

  take({ headers, url, body }: ReceivedRequest): void {
    this.#check(url === '/loki/api/v1/push', `the path ${url}`);
    this.#check(headers['content-type'] === 'application/json', 'the content type');
    const { streams, ...rest } = JSON.parse(body) as { streams: LokiStream[] };
    this.#check(Object.keys(rest).length === 0, 'the fields of the request');
    for (const { stream, values } of streams) this.#takeStream(stream, values);
  }

  #takeStream(labels: LokiStream['stream'], values: LokiStream['values']): void {
    const key = JSON.stringify(labels);
    for (const [name, value] of Object.entries(labels))
      this.#check(
        /^[a-zA-Z_]\w*$/.test(name) && typeof value === 'string' && value !== '',
        `the label ${name}`,
      );
    const entries = this.entries.get(key) ?? new Map<string, string>();
    this.entries.set(key, entries);
    let last = 0n;
    for (const value of values) {
      const [time, text] = value;
      this.#check(value.length === 2 && /^\d{19}$/.test(time), `the time ${time}`);
      this.#check(BigInt(time) >= last, `the order of ${key}`);
      last = BigInt(time);
      entries.set(`${time} ${text}`, text);
    }
  }

  #check(isRight: boolean, what: string): void {
    if (!isRight) this.complaints.push(what);
  }
}

test('Loki gets every line once, also those that look alike, over an outage and a kill of the agent', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  const rules = new LokiRules();
  let [isDown, taken] = [false, 0];
  receiver.behaviour = (request, response) => {
    if (isDown) response.writeHead(503).end();
    else {
      rules.take(request);
      taken += 1;
      // Every second request is taken, and then the connection breaks before that is known.
      if (taken % 2 === 0) response.destroy();
      else response.writeHead(204).end();
    }
  };
  forwarded.begin({
    ...{ name: 'central', type: 'http', format: 'loki', url: `${receiver.url}loki/api/v1/push` },
    labels: { environment: 'live' },
  });
  await forwarded.untilBegun();
  forwarded.write('web', 'tick\n'.repeat(500));
  forwarded.write('web', 'tick\n'.repeat(500), { run: 2, instance: 2 });
  await until('some have come', () => rules.size > 0);
  isDown = true;
  forwarded.write('web', 'tick\n'.repeat(500), { stream: 'stderr' });
  await forwarded.killAndStart();
  forwarded.write('worker', numbered(1, 500));
  isDown = false;
  await until('all have come', () => rules.size >= 2_000);
  assert.deepEqual(rules.complaints, []);
  const counts = [...rules.entries].map(([key, entries]) => {
    const { service, instance, stream, environment } = JSON.parse(key);
    return [service, instance, stream, environment, entries.size].join(' ');
  });
  assert.deepEqual(counts.sort(), [
    'web 1 stderr live 500',
    'web 1 stdout live 500',
    'web 2 stdout live 500',
    'worker 1 stdout live 500',
  ]);
});
