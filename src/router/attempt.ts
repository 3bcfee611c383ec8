import { type Dispatcher, errors } from 'undici';
import type { Answer, Exchange } from './exchange.ts';
import { decoded, endToEnd, type Fields } from './fields.ts';
import { forwardedFields } from './forwarding.ts';
import { ConnectTimeout, type InstancePools } from './instance_pools.ts';
import type { BodyProblem } from './request_body.ts';
import type { Failure, Lease, TargetService } from './target.ts';

/** What has become of a request at one instance. */
export type Outcome =
  /** The client has its answer, whole or broken off where the instance broke off. */
  | { readonly kind: 'answered' }
  /** The client has gone away. */
  | { readonly kind: 'gone' }
  /** The rest of the request did not come, or is too much; nothing was answered. */
  | { readonly kind: 'body'; readonly problem: BodyProblem }
  /** Nothing of an answer has come. */
  | { readonly kind: 'failed'; readonly how: Failure; readonly was_sent: boolean };

interface AttemptOptions {
  readonly exchange: Exchange;
  readonly service: TargetService;
  readonly lease: Lease;
  /** With its query. */
  readonly target: string;
  readonly pools: InstancePools;
}

/** Sends a request to an instance, and what that answers to the client as it comes. Never rejects. */
export function attempt({ exchange, service, lease, target, pools }: AttemptOptions): Promise<Outcome> {
  const { head, origin, connection, body } = exchange;
  return new Promise((resolve) => {
    const relay = new Relay(exchange, lease, resolve);
    const options: Dispatcher.DispatchOptions = {
      method: head.method,
      path: target,
      headers: forwardedFields(head.fields, origin, head.authority, connection.is_trusted),
      body: body?.open() ?? null,
      headersTimeout: service.timeouts.response,
      bodyTimeout: service.timeouts.response,
    };
    pools.dispatch(lease.instance, service.timeouts.connect, options, relay);
  });
}

/** Takes the answer of an instance to the client: no faster than that reads, and at once. */
class Relay implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #lease: Lease;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #begun_at = performance.now();
  readonly #onGone = () => this.#controller?.abort(new Error('the client has gone away'));
  #controller: Dispatcher.DispatchController | null = null;

  constructor(exchange: Exchange, lease: Lease, resolve: (outcome: Outcome) => void) {
    this.#exchange = exchange;
    this.#lease = lease;
    this.#resolve = resolve;
    exchange.answer.gone.addEventListener('abort', this.#onGone);
  }

  /** From here on the instance may have seen something of the request. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#answer.gone.aborted) this.#onGone();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    reason = '',
  ): void {
    const fields = decoded(controller.rawHeaders as Buffer[]);
    if (status < 200) {
      if (status === 103)
        this.#answer.inform(
          status,
          endToEnd(fields, () => false),
        );
      return;
    }
    const duration = performance.now() - this.#begun_at;
    this.#lease.answered(status, duration);
    this.#exchange.record?.answered(status, duration);
    const kept = endToEnd(fields, () => false);
    if (this.#lease.cookie !== null) kept.push('Set-Cookie', this.#lease.cookie);
    this.#answer.begin(status, reason, kept);
    this.#answer.onDrain(() => controller.resume());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#answer.write(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#answer.end(trailersOf(decoded((controller.rawTrailers ?? []) as Buffer[])));
    this.#done({ kind: 'answered' });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#done(this.#outcomeOf(error));
  }

  #outcomeOf(error: Error): Outcome {
    const problem = this.#exchange.body?.problem ?? null;
    if (this.#answer.gone.aborted || problem === 'broken') {
      this.#exchange.record?.failed('client_gone');
      return { kind: 'gone' };
    }
    const was_sent = this.#controller !== null;
    const how = failureOf(error, was_sent);
    if (problem === null) this.#lease.failed(how);
    this.#exchange.record?.failed(problem === null ? how : `body_${problem}`);
    if (this.#answer.has_begun) {
      this.#answer.breakOff();
      return { kind: 'answered' };
    }
    return problem === null ? { kind: 'failed', how, was_sent } : { kind: 'body', problem };
  }

  #done(outcome: Outcome): void {
    this.#answer.gone.removeEventListener('abort', this.#onGone);
    this.#resolve(outcome);
  }

  get #answer(): Answer {
    return this.#exchange.answer;
  }
}

function failureOf(error: Error, was_sent: boolean): Failure {
  if (
    error instanceof ConnectTimeout ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  )
    return 'timed_out';
  return was_sent ? 'broken' : 'unreachable';
}

/** Fields that must not come after the body: they would change how what was before is read (RFC 9110, 6.5.1). */
const notInTrailers = new Set([
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'host',
  'location',
  'set-cookie',
  'trailer',
]);

/** What goes on to the client of the fields after a body. */
export function trailersOf(fields: Fields): string[] {
  return endToEnd(fields, (name) => notInTrailers.has(name));
}
