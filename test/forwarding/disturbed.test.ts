import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { until } from '../helpers/system.ts';
import { Forwarded, numbered, range } from './forwarded.ts';
import { LineReceiver, take } from './line_receiver.ts';
import { SyslogListener } from './syslog_listener.ts';

const steps = ['write', 'write', 'write', 'end_run', 'kill', 'stop', 'down', 'up', 'break', 'wait'] as const;

/** Two services that count while the agent and both receivers are disturbed. */
class Walk implements AsyncDisposable {
  readonly forwarded = new Forwarded();
  readonly receiver: LineReceiver;
  readonly listener: SyslogListener;
  readonly written = { web: 0, worker: 0 };
  #run = 1;
  #isDown = false;

  private constructor(receiver: LineReceiver, listener: SyslogListener) {
    this.receiver = receiver;
    this.listener = listener;
  }

  static async begin(): Promise<Walk> {
    const walk = new Walk(await LineReceiver.start(), await SyslogListener.start());
    walk.forwarded.begin(
      { name: 'lines', type: 'http', url: walk.receiver.url },
      { name: 'syslog', type: 'syslog', address: `127.0.0.1:${walk.listener.port}` },
    );
    await walk.forwarded.untilBegun('lines');
    await walk.forwarded.untilBegun('syslog');
    return walk;
  }

  async step(step: (typeof steps)[number]): Promise<void> {
    if (step === 'write') this.#write(20);
    if (step === 'end_run') {
      await this.forwarded.endRun('web', { run: this.#run });
      this.#run += 1;
    }
    if (step === 'kill') await this.forwarded.killAndStart();
    if (step === 'stop') await this.forwarded.stopAndStart();
    if (step === 'down') await this.#goDown();
    if (step === 'up') await this.#comeUp();
    if (step === 'break') this.receiver.behaviour = (_, response) => response.destroy();
    if (step === 'wait') {
      const count = this.forwarded.counts('lines').failures + this.receiver.requests.length;
      for (let turn = 0; turn < 1_000; turn++) {
        if (this.forwarded.counts('lines').failures + this.receiver.requests.length > count) break;
        await nextTurn();
      }
    }
    this.receiver.behaviour = step === 'break' ? this.receiver.behaviour : take;
  }

  /** Puts everything right, and resolves when the last line of each service has come everywhere. */
  async settle(): Promise<void> {
    this.receiver.behaviour = take;
    await this.#comeUp();
    this.#write(1);
    const texts = Object.entries(this.written).map(([service, count]) => `${service} ${count}`);
    await until('the last lines have come', () =>
      texts.every((text) => [...this.#received().values()].every((all) => all.includes(text))),
    );
  }

  /** Every line came, and of each service for the first time in its order. */
  check(): void {
    for (const [where, all] of this.#received())
      for (const service of ['web', 'worker'] as const) {
        const own = all.filter((text) => text.startsWith(`${service} `));
        const numbers = [...new Set(own)].map((text) => Number(text.split(' ')[1]));
        assert.deepEqual(numbers, range(1, this.written[service]), `${service} at ${where}`);
      }
    const ids = this.receiver.lines.map(({ message, id }) => `${message} ${id}`);
    assert.equal(new Set(ids).size, this.written.web + this.written.worker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forwarded[Symbol.asyncDispose]();
    await this.receiver[Symbol.asyncDispose]();
    await this.listener[Symbol.asyncDispose]();
  }

  #received(): Map<string, string[]> {
    return new Map([
      ['lines', this.receiver.lines.map(({ message }) => message)],
      ['syslog', this.listener.texts],
    ]);
  }

  #write(count: number): void {
    for (const service of ['web', 'worker'] as const) {
      const from = this.written[service] + 1;
      const text = numbered(from, from + count - 1).replace(/^/gm, `${service} `);
      const run = service === 'web' ? this.#run : 1;
      this.forwarded.write(service, text.slice(0, -`${service} `.length), { run });
      this.written[service] += count;
    }
  }

  async #goDown(): Promise<void> {
    if (this.#isDown) return;
    this.#isDown = true;
    await Promise.all([this.receiver.down(), this.listener.down()]);
  }

  async #comeUp(): Promise<void> {
    if (!this.#isDown) return;
    this.#isDown = false;
    await Promise.all([this.receiver.up(), this.listener.up()]);
  }
}

test('whatever happens to the agent and the receivers, every line arrives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...steps), { minLength: 5, maxLength: 20 }), async (course) => {
      await using walk = await Walk.begin();
      for (const step of course) await walk.step(step);
      await walk.settle();
      walk.check();
    }),
    { numRuns: 12, endOnFailure: true },
  );
});
