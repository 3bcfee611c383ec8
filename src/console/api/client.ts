import { ApiFailure } from './failure.ts';

type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface Options {
  /** Nulls and empty texts are left out. */
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Default: 30 s. Deploys take longer. null: for ever. */
  readonly timeout_ms?: number | null;
}

/** What the rest of the console wants to know of calls. */
interface Watcher {
  /** The session is over. */
  onUnauthenticated(): void;
  /** The agent did not answer, or answered again. */
  onReached(isReached: boolean): void;
  /** This browser has another session by now, as when somebody signs in beside this page. Says whether it is of the same person. */
  onOtherSession(): Promise<boolean>;
}

const base = '/api/v1';
/** How long after the last touch of a person calls are still that person's, in milliseconds. */
const attention = 60_000;
let lastTouch = Date.now();
for (const kind of ['pointerdown', 'keydown', 'wheel', 'touchstart']) {
  addEventListener(
    kind,
    () => {
      lastTouch = Date.now();
    },
    { passive: true, capture: true },
  );
}
let csrfToken = '';
let watcher: Watcher = {
  onUnauthenticated: () => {},
  onReached: () => {},
  onOtherSession: async () => false,
};

/** Sets what proves that a change comes from this page. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

export function watchCalls(next: Watcher): void {
  watcher = next;
}

/** The calls of `/api/v1`. Each throws `ApiFailure`. */
export const api = {
  get: <T>(path: string, options?: Options) => call<T>('GET', path, options),
  post: <T>(path: string, options?: Options) => call<T>('POST', path, options),
  put: <T>(path: string, options?: Options) => call<T>('PUT', path, options),
  patch: <T>(path: string, options?: Options) => call<T>('PATCH', path, options),
  delete: <T>(path: string, options?: Options) => call<T>('DELETE', path, options),
};

/** The whole address of something, for links and streams. */
export function addressOf(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  const isWhole = /^\/(api|schema)\//.test(path) || !path.startsWith('/');
  const address = isWhole ? path : base + path;
  return text === '' ? address : `${address}?${text}`;
}

async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  try {
    return await send<T>(method, path, options);
  } catch (error) {
    const isOther = error instanceof ApiFailure && error.code === 'csrf_token_invalid';
    if (!isOther || !(await watcher.onOtherSession())) throw error;
    return send<T>(method, path, options);
  }
}

async function send<T>(method: string, path: string, options: Options): Promise<T> {
  const { query, body, signal, timeout_ms = 30_000 } = options;
  const signals = [signal, timeout_ms === null ? undefined : AbortSignal.timeout(timeout_ms)];
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(addressOf(path, query), {
      method,
      signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
      headers: {
        ...(method !== 'GET' && { 'X-CSRF-Token': csrfToken }),
        // What a page asks by itself does not keep the session of somebody who has gone.
        ...(Date.now() - lastTouch > attention && { 'X-Background': 'true' }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    answer = await read(response);
  } catch (error) {
    if (signal?.aborted) throw error;
    watcher.onReached(false);
    throw new ApiFailure(null, { error: 'the agent does not answer', code: 'agent_unreachable' });
  }
  watcher.onReached(true);
  if (response.ok && isJson(response)) return answer as T;
  if (response.status === 401 && path !== '/session') watcher.onUnauthenticated();
  throw new ApiFailure(response.status, asError(answer, response));
}

async function read(response: Response): Promise<unknown> {
  return isJson(response) ? response.json() : response.text();
}

/** What else comes is of a proxy or a portal in between: the agent answers every call of `/api/v1` so. */
function isJson({ headers }: Response): boolean {
  return headers.get('Content-Type')?.includes('json') === true;
}

function asError(answer: unknown, { status, statusText }: Response) {
  if (typeof answer === 'object' && answer !== null && 'error' in answer && 'code' in answer) {
    return answer as { error: string; code: string };
  }
  const what = status < 400 ? 'a page that is no answer of an agent' : `${status} ${statusText}`;
  return { error: `what came was ${what}`, code: 'internal' };
}
