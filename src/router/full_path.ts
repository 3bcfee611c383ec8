import { setTimeout as delay } from 'node:timers/promises';
import type { AnswerPage, PageText } from './answer_page.ts';
import { answerPage } from './answer_page.ts';
import { attempt, type Outcome } from './attempt.ts';
import type { Exchange } from './exchange.ts';
import type { HeldRequests } from './held_requests.ts';
import type { InstancePools } from './instance_pools.ts';
import type { BodyProblem } from './request_body.ts';
import { triesAgain } from './retries.ts';
import type { Destination, Director, Failure, Lease, NoInstance, TargetService } from './target.ts';

interface FullPathOptions {
  readonly director: Director;
  readonly pools: InstancePools;
  readonly held: HeldRequests;
  /** Told of each request that no rule fits, or for which there was no instance. */
  readonly onUnroutable: () => void;
}

type ServiceDestination = Extract<Destination, { kind: 'service' }>;

/** RFC 9110, 9.2.2: to do it twice is as good as once. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** How long a client shall wait before it asks again, in seconds. */
export const retryAfter = 2;
/** Between two looks for an instance, where one was told of and then did not take the request; in milliseconds. */
const lookAgain = 25;

export const nothingHere: PageText = { status: 404, message: 'nothing is served here' };
export const noInstance: Readonly<Record<NoInstance, string>> = {
  none_ready: 'the service takes no requests right now',
  all_full: 'the service has as many requests as it can take',
};
export const failures: Readonly<Record<Failure, PageText>> = {
  unreachable: { status: 502, message: 'the service could not be reached' },
  broken: { status: 502, message: 'the service broke off before it answered' },
  timed_out: { status: 504, message: 'the service did not answer in time' },
};
const bodyProblems: Readonly<Record<BodyProblem, PageText>> = {
  too_large: { status: 413, message: 'the body of the request is too large' },
  timed_out: { status: 408, message: 'the body of the request did not come in time' },
  broken: { status: 400, message: 'the body of the request is not whole' },
};

/** Serves any request: chooses where it goes, sends it there or, where that is safe, elsewhere, and answers. */
export class FullPath {
  readonly #options: FullPathOptions;

  constructor(options: FullPathOptions) {
    this.#options = options;
  }

  /** Resolves when the client has its answer, or has gone away. */
  async serve(exchange: Exchange): Promise<void> {
    const { head, view, served, origin } = exchange;
    served.begins(head, origin.client);
    try {
      if (exchange.body?.is_too_large) refuseBody(exchange, 'too_large');
      else if (head.path === '*') give(exchange, { status: 204, fields: [], body: '' });
      else await this.#follow(exchange, this.#options.director.direct(view));
    } finally {
      served.ends();
    }
  }

  async #follow(exchange: Exchange, destination: Destination): Promise<void> {
    if (destination.kind === 'service') return this.#send(exchange, destination);
    if (destination.kind === 'answer') {
      exchange.served.goesTo(destination.rule, null);
      exchange.record?.goesTo(destination.rule, null);
      const { status, headers, body } = destination;
      give(exchange, {
        status,
        fields: [...Object.entries(headers).flat(), ...lengthOf(status, body)],
        body,
      });
      return;
    }
    this.#options.onUnroutable();
    refuse(exchange, nothingHere);
  }

  /** Tries instance after instance until one has answered, or no more may be tried. */
  async #send(exchange: Exchange, destination: ServiceDestination): Promise<void> {
    const { service, rule } = destination;
    exchange.record?.goesTo(rule, service.id);
    const tried = new Set<string>();
    let failed: Failure | null = null;
    for (let count = 1; ; count += 1) {
      const lease = await this.#place(exchange, service, tried, failed);
      if (exchange.answer.gone.aborted) return typeof lease === 'string' ? undefined : lease.end(0, 0);
      if (typeof lease === 'string') return this.#refuseWithout(exchange, lease, failed);
      tried.add(lease.instance.id);
      exchange.served.goesTo(rule, lease.instance);
      exchange.record?.tries(lease.instance);
      const outcome = await this.#attempt(exchange, destination, lease, count);
      if (outcome.kind === 'body') return refuseBody(exchange, outcome.problem);
      if (outcome.kind !== 'failed') return;
      failed = outcome.how;
      if (!outcome.again) return refuse(exchange, failures[failed]);
    }
  }

  /** One attempt, with whether another may follow. */
  async #attempt(
    exchange: Exchange,
    { service, path }: ServiceDestination,
    lease: Lease,
    count: number,
  ): Promise<Outcome & { again?: boolean }> {
    const { head, body, answer } = exchange;
    const before = { in: body?.bytes ?? 0, out: answer.bytes };
    const target = head.query === '' ? (path ?? head.path) : `${path ?? head.path}?${head.query}`;
    try {
      const outcome = await attempt({ exchange, service, lease, target, pools: this.#options.pools });
      if (outcome.kind !== 'failed') return outcome;
      const wasRefused = outcome.how === 'unreachable';
      const again = isSafe(exchange, outcome.was_sent) && triesAgain(service, wasRefused, count);
      if (again) lease.retried();
      return { ...outcome, again };
    } finally {
      lease.end((body?.bytes ?? 0) - before.in, answer.bytes - before.out);
    }
  }

  /** A place at an instance; where the service holds requests, it is waited for. */
  async #place(
    { view, answer }: Exchange,
    service: TargetService,
    tried: Set<string>,
    failed: Failure | null,
  ): Promise<Lease | NoInstance> {
    let first = service.acquire(view, tried);
    if (first === 'none_ready' && failed === 'broken') {
      // It may have ended a connection that rested just when that was used again, which says nothing against it.
      tried.clear();
      first = service.acquire(view, tried);
    }
    if (first !== 'none_ready' || service.hold === null) return first;
    const signal = AbortSignal.any([answer.gone, AbortSignal.timeout(service.hold)]);
    while (await this.#options.held.wait(service, signal)) {
      // It may have been tried before it was there again.
      tried.clear();
      const lease = service.acquire(view, tried);
      if (lease !== 'none_ready') return lease;
      await delay(lookAgain);
    }
    return 'none_ready';
  }

  /** No instance is left to try. */
  #refuseWithout(exchange: Exchange, why: NoInstance, failed: Failure | null): void {
    if (failed === null) {
      this.#options.onUnroutable();
      exchange.record?.failed(why);
    }
    const text = { status: 503, message: noInstance[why], retry_after: retryAfter };
    refuse(exchange, failed === null ? text : failures[failed]);
  }
}

/** Whether a request that failed can be sent again without being done twice. */
function isSafe({ head, body, answer }: Exchange, was_sent: boolean): boolean {
  if (answer.has_begun || answer.gone.aborted || body?.has_begun) return false;
  return !was_sent || idempotent.has(head.method);
}

function refuse(exchange: Exchange, text: PageText): void {
  if (exchange.answer.gone.aborted || exchange.answer.has_begun) return;
  give(exchange, answerPage(text, exchange.view.header('accept')));
}

function refuseBody(exchange: Exchange, problem: BodyProblem): void {
  exchange.record?.failed(`body_${problem}`);
  refuse(exchange, bodyProblems[problem]);
}

function give({ answer, head, record }: Exchange, { status, fields, body }: AnswerPage): void {
  record?.given(status);
  answer.begin(status, '', fields);
  if (head.method !== 'HEAD' && body !== '') answer.write(body);
  answer.end([]);
}

/** RFC 9110, 8.6: 204 has no length. */
function lengthOf(status: number, body: string): string[] {
  return status === 204 || status === 304 ? [] : ['Content-Length', String(Buffer.byteLength(body))];
}
