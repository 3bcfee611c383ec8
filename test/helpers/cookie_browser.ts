import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import type { RunningAgent } from './agent.ts';

const session = '/api/v1/session';

/** One browser, as far as cookies go: it keeps the cookies that it gets, and sends those of the host to every port. */
export class CookieBrowser {
  readonly cookies = new Map<string, string>();
  /** As they were set last, with their attributes. */
  set: readonly string[] = [];
  csrf = '';

  async call(
    agent: Pick<RunningAgent, 'url'>,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) {
    const send = agent.url.startsWith('https') ? tlsRequest : plainRequest;
    const request = send(agent.url + path, {
      method,
      agent: false,
      rejectUnauthorized: false,
      headers: { ...(this.cookies.size > 0 && { cookie: this.#cookie() }), ...headers },
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(request, 'response');
    this.#take(response.headers);
    const answer = await text(response);
    const isJson = String(response.headers['content-type']).includes('json') && answer !== '';
    const read = isJson ? JSON.parse(answer) : answer;
    return { status: response.statusCode, headers: response.headers, body: read };
  }

  /** Signs in, and keeps the token against forgery for `change`. */
  async signIn(agent: Pick<RunningAgent, 'url'>, credential: string, headers: Record<string, string> = {}) {
    const answer = await this.call(agent, 'POST', session, { credential }, headers);
    this.csrf = answer.body.csrf_token ?? '';
    return answer;
  }

  /** As a page of the console calls what changes something. */
  change(agent: Pick<RunningAgent, 'url'>, method: string, path: string, body?: unknown) {
    return this.call(agent, method, path, body, { 'x-csrf-token': this.csrf });
  }

  /** Opens a stream; the promise resolves with all that it showed when the agent ends it. */
  async stream(agent: RunningAgent, path: string): Promise<Promise<string>[]> {
    const response = await fetch(agent.url + path, {
      headers: { cookie: this.#cookie(), accept: 'text/event-stream' },
    });
    assert.equal(response.status, 200);
    return [response.text()];
  }

  #cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #take(headers: IncomingHttpHeaders): void {
    this.set = headers['set-cookie'] ?? [];
    for (const line of this.set) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Expires=Thu, 01 Jan 1970/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}
