import { gunzipSync } from 'node:zlib';
import type { Request, RequestHandler, Response } from 'express';
import { type ConsoleFile, consoleFiles, readConsoleAsset } from '../lib/assets.ts';
import { DavitError } from '../lib/errors.ts';

/** Where the console is. */
const base = '/console/';
const entry = 'index.html';

/** As it is sent: in the form that a browser asked for. */
interface Encoded {
  readonly encoding: 'br' | 'gzip' | 'identity';
  readonly content: Buffer;
}

/**
 * The files of the console, for everybody: they hold nothing but the program. Its pages are addresses below `/console/`
 * that are no files; each of them gets the one document that there is.
 */
export function consolePages(isOpen: () => boolean): RequestHandler {
  const files = new Map(consoleFiles().map((file) => [file.path, file]));
  const kept = new Map<string, Encoded>();
  return (request, response, next) => {
    if (!isOpen() || (request.method !== 'GET' && request.method !== 'HEAD')) return next();
    if (request.path === '/' || request.path === base.slice(0, -1)) return response.redirect(base);
    // Browsers ask for it by themselves, and would count as callers without a key.
    if (request.path === '/favicon.ico') return response.redirect(`${base}davit.svg`);
    if (!request.path.startsWith(base)) return next();
    const path = request.path.slice(base.length);
    const file = files.get(path) ?? (isPage(path) ? files.get(entry) : undefined);
    if (file !== undefined) return send(request, response, file, kept);
    if (files.size > 0) return next();
    throw new DavitError('not_supported', 'the console is not built: run "npm run build:console"');
  };
}

function isPage(path: string): boolean {
  return !path.startsWith('assets/') && !/\.\w+$/.test(path);
}

function send(request: Request, response: Response, file: ConsoleFile, kept: Map<string, Encoded>): void {
  const { encoding, content } = encode(request, file, kept);
  const etag = `"${file.hash}-${encoding}"`;
  // The name of an asset holds the hash of its content.
  const isLasting = file.path.startsWith('assets/');
  response.set({
    'Content-Type': file.type,
    'Cache-Control': isLasting ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: etag,
    Vary: 'Accept-Encoding',
  });
  if (encoding !== 'identity') response.set('Content-Encoding', encoding);
  if (request.fresh) response.status(304).end();
  else response.send(content);
}

function encode(request: Request, { path }: ConsoleFile, kept: Map<string, Encoded>): Encoded {
  const accepted = request.acceptsEncodings();
  const encoding = (['br', 'gzip'] as const).find((name) => accepted.includes(name)) ?? 'identity';
  const name = `${path}.${encoding === 'br' ? 'br' : 'gz'}`;
  const known = kept.get(`${name} ${encoding}`);
  if (known !== undefined) return known;
  const compressed = readConsoleAsset(name);
  const made: Encoded = { encoding, content: encoding === 'identity' ? gunzipSync(compressed) : compressed };
  kept.set(`${name} ${encoding}`, made);
  return made;
}
