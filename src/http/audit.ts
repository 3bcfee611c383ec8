import type { Request, RequestHandler, Response } from 'express';
import type { AuditRecord } from '../contract/audit.ts';
import { serviceIdPattern } from '../contract/scalars.ts';
import { addressOf } from './networks.ts';
import type { Principal } from './permission.ts';

/** What happened to one service by a call that concerns several, such as a batch. */
export interface AuditPart {
  /** The operation id. */
  readonly action: string;
  readonly service: string;
  readonly http_status: number;
  readonly code: string | null;
}

/** What is written down of requests. */
export interface RequestAudit {
  /** Notes every call that changes something, and every refusal. To be run before all that may refuse. */
  readonly watch: RequestHandler;
  /** Writes down how many refusals were left out. */
  close(): void;
}

/** How many refusals of one address, and of all, are written down each minute; of the others, their number. */
const refusalsOfOne = 20;
const refusalsOfAll = 500;
/** How many addresses are told apart in a minute. */
const watchedAddresses = 1000;
const window = 60_000;
/** The caller hung up before it had an answer. */
const closedByCaller = 499;

interface Refusals {
  written: number;
  omitted: number;
  last: AuditRecord;
}

/**
 * Passes what is worth it to the audit log: who called, from where, what for, with what outcome. Never what the request or
 * the answer said. Refusals are bounded, since anybody can cause them; what was done by somebody known is not.
 */
export function createRequestAudit(append: (record: AuditRecord) => void): RequestAudit {
  const refusals = new RefusalLog(append);
  const watch: RequestHandler = (request, response, next) => {
    response.locals['audit_part'] = (part: AuditPart) => append({ ...describe(response), ...part });
    response.once('close', () => {
      const status = response.writableEnded ? response.statusCode : closedByCaller;
      const isRefused = status === 401 || status === 403 || status === 429;
      if (!isRefused && !isChange(request)) return;
      const record = { ...describe(response), http_status: status };
      if (isRefused || record.actor === null) refusals.add(record);
      else append(record);
    });
    next();
  };
  return { watch, close: () => refusals.close() };
}

/** Notes what became of one service in a call that concerns several. */
export function auditPart(response: Response, part: AuditPart): void {
  const note: ((part: AuditPart) => void) | undefined = response.locals['audit_part'];
  note?.(part);
}

/** Counts refusals, and passes on those within bounds. */
class RefusalLog {
  readonly #append: (record: AuditRecord) => void;
  readonly #byAddress = new Map<string, Refusals>();
  #written = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(append: (record: AuditRecord) => void) {
    this.#append = append;
  }

  add(record: AuditRecord): void {
    this.#timer ??= setTimeout(() => this.close(), window).unref();
    const isKnown = this.#byAddress.has(record.address) || this.#byAddress.size < watchedAddresses;
    const key = isKnown ? record.address : 'others';
    const refusals = this.#byAddress.get(key) ?? { written: 0, omitted: 0, last: record };
    this.#byAddress.set(key, refusals);
    if (refusals.written < refusalsOfOne && this.#written < refusalsOfAll) {
      refusals.written++;
      this.#written++;
      this.#append(record);
    } else {
      refusals.omitted++;
      refusals.last = { ...record, address: key };
    }
  }

  /** Ends the minute. */
  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { omitted, last } of this.#byAddress.values()) {
      const action = `and ${omitted} more refused like this`;
      if (omitted > 0) this.#append({ ...last, actor: null, actor_name: null, service: null, action });
    }
    this.#byAddress.clear();
    this.#written = 0;
  }
}

function describe(response: Response): Omit<AuditRecord, 'http_status'> {
  const { locals } = response;
  const principal: Principal | undefined = locals['principal'];
  const service = String(locals['service'] ?? '');
  return {
    time: new Date().toISOString(),
    request_id: String(locals['request_id'] ?? ''),
    actor: principal?.actor ?? null,
    actor_name: principal?.name ?? null,
    address: addressOf(response),
    action: String(locals['operation'] ?? 'unknown'),
    service: serviceIdPattern.test(service) ? service : null,
    code: locals['error_code'] ?? null,
    trace_id: locals['trace_id'] ?? null,
  };
}

function isChange({ method }: Request): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}
