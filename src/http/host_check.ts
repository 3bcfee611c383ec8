import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import { DavitError } from '../lib/errors.ts';
import { matchesGlob } from '../lib/glob.ts';

interface HostCheckOptions {
  /** The names of this host itself. */
  readonly own_names: readonly string[];
  /** Further names, in which `*` stands for any characters. */
  readonly allowed_hosts: readonly string[];
}

const hostPattern = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/;

/**
 * Keeps a browser from being turned against the agent: through a name that its owner lets point here (DNS rebinding; such
 * a request has that name as its Host), and by a page from elsewhere that sends requests (they have its Origin).
 * Addresses pass: who serves a page from an address cannot make that address lead here. So does GET /health, which tells nothing.
 */
export function createHostCheck({ own_names, allowed_hosts }: HostCheckOptions): RequestHandler {
  const names = new Set(['localhost', ...own_names.map((name) => name.toLowerCase())]);
  const isAllowed = (name: string) =>
    names.has(name) || name.endsWith('.localhost') || allowed_hosts.some((glob) => matchesGlob(glob, name));
  return (request, _response, next) => {
    if (request.path === '/health' && isReading(request)) return next();
    const host = (request.headers.host ?? '').toLowerCase();
    const problem = hostProblem(host, isAllowed) ?? originProblem(request, host);
    next(problem === null ? undefined : new DavitError('host_not_allowed', problem));
  };
}

function hostProblem(host: string, isAllowed: (name: string) => boolean): string | null {
  const [, bracketed, plain = ''] = hostPattern.exec(host) ?? [];
  if (isIP(bracketed ?? plain) !== 0) return null;
  const name = plain.replace(/\.$/, '');
  if (isAllowed(name)) return null;
  return name === ''
    ? 'the Host header is missing or malformed'
    : `this agent does not answer to the name "${name}"; add it to allowed_hosts if it should`;
}

function originProblem(request: Request, host: string): string | null {
  const { origin } = request.headers;
  if (origin !== undefined && !isReading(request) && !isSameOrigin(origin, host)) {
    return `a page from ${origin.slice(0, 200)} may not send this; only pages of the agent itself may`;
  }
  if (request.headers['sec-fetch-site'] !== 'cross-site' || isFollowedLink(request)) return null;
  return 'a page from elsewhere may not send this; only pages of the agent itself may';
}

function isSameOrigin(origin: string, host: string): boolean {
  const from = URL.parse(origin);
  return from !== null && from.host !== '' && from.host === URL.parse(`${from.protocol}//${host}`)?.host;
}

/** A link elsewhere to the docs, say: the page that has it learns nothing of the answer. */
function isFollowedLink(request: Request): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = request.headers;
  return isReading(request) && mode === 'navigate' && destination === 'document';
}

function isReading(request: Request): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}
