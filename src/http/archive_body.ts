import type { Readable } from 'node:stream';
import busboy from 'busboy';
import type { Request, RequestHandler } from 'express';
import type { Artifacts, ReceivedArtifact } from '../artifacts/artifacts.ts';
import { leastBytes, stoodStill } from '../artifacts/upload.ts';
import { archiveTypes, uploadQuery } from '../contract/artifacts.ts';
import { servicePath } from '../contract/services.ts';
import { DavitError } from '../lib/errors.ts';
import { validate } from '../lib/validation.ts';
import { allowLongBody } from './connections.ts';

interface ArchiveBodyOptions {
  readonly artifacts: Artifacts;
  /** How long what stands beside an archive may be, in bytes. */
  readonly bodyLimit: number;
  /** Whether the body is an archive and nothing else. */
  readonly isOnly: boolean;
}

/** What the body of a request brought. */
interface ArchiveForm {
  readonly received: ReceivedArtifact | null;
  /** The fields of a spec that stood beside it. */
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Milliseconds in which something must come of a form, also of what stands around its file. */
const formPatience = 30_000;
/** How long what is left of a refused body is passed over, so that the answer can be read, in milliseconds. */
const lingering = 10_000;

/**
 * Takes a body that is an archive, or a form with one, straight to the disk, and leaves in its place the patch of the spec
 * that it makes. Other bodies are for others. To be run when it is known who sends it.
 */
export function archiveBody({ artifacts, bodyLimit, isOnly }: ArchiveBodyOptions): RequestHandler {
  return async (request, response, next) => {
    const isForm = request.is('multipart/form-data') !== false && request.is('multipart/form-data') !== null;
    if (!isForm && !isOnly && !request.is([...archiveTypes])) return next();
    const { id } = validate(servicePath, request.params, 'the path');
    try {
      refuseEncoding(request);
      const { sha256 = null } = validate(uploadQuery, { sha256: request.query['sha256'] }, 'the query');
      if (isOnly) artifacts.requireService(id);
      allowLongBody(request);
      const take = (source: Readable, expected: number | null) =>
        artifacts.receive(id, source, { sha256, expected });
      const form = isForm
        ? await receiveForm(request, take, bodyLimit)
        : { received: await take(request, lengthOf(request)), spec: {} };
      if (response.closed) form.received?.release();
      else if (form.received) response.once('close', form.received.release);
      request.body = patchOf(form, isOnly);
      response.locals['artifact'] = form.received;
    } catch (error) {
      passOver(request);
      throw error;
    }
    next();
  };
}

/** What `archiveBody` took in. Throws `invalid_request` where the body had none. */
export function receivedArtifact(locals: Readonly<Record<string, unknown>>): ReceivedArtifact {
  const received = locals['artifact'] as ReceivedArtifact | null | undefined;
  if (received) return received;
  throw new DavitError('invalid_request', 'the body must be an archive, or a form with the file "artifact"');
}

function patchOf({ received, spec }: ArchiveForm, isOnly: boolean): Record<string, unknown> {
  if (isOnly && Object.keys(spec).length > 0)
    throw new DavitError('invalid_request', 'spec does not go with an upload that is not deployed');
  if (received !== null && 'artifact' in spec)
    throw new DavitError('invalid_request', 'artifact in spec: does not go with an upload');
  return { ...spec, ...(received && { artifact: { sha256: received.sha256 } }) };
}

/** Reads a form (RFC 7578): the file `artifact`, and beside it, before or after, `spec` as JSON. */
async function receiveForm(
  request: Request,
  take: (source: Readable, expected: null) => Promise<ReceivedArtifact>,
  bodyLimit: number,
): Promise<ArchiveForm> {
  const form = openForm(request, bodyLimit);
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  const refuse = (message: string) => refused.reject(new DavitError('invalid_request', message));
  let spec: ArchiveForm['spec'] = {};
  let received: Promise<ReceivedArtifact | null> = Promise.resolve(null);
  form.on('file', (name, file) => {
    // What becomes of it is told by whoever reads it.
    file.on('error', () => {});
    if (name !== 'artifact') return refuse(`the form has a file ${name}: artifact is expected`);
    received = take(file, null);
    received.catch(refused.reject);
  });
  form.on('field', (name, value, { valueTruncated }) => {
    if (name !== 'spec') return refuse(`the form has a field ${name}: spec is expected`);
    try {
      spec = readSpec(value, valueTruncated);
    } catch (error) {
      refused.reject(error);
    }
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
    form.on(limit, () => refuse('the form must hold nothing but one artifact and one spec'));
  const ended = new Promise<void>((resolve, reject) => {
    form.once('close', resolve);
    form.on('error', (error) =>
      reject(new DavitError('invalid_request', 'the form is damaged, or cut off', { cause: error })),
    );
  });
  ended.catch(() => {});
  request.once('close', () => {
    if (!request.complete) form.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  });
  const endWatch = watchBody(request, refused.reject);
  request.pipe(form);
  try {
    await Promise.race([ended, refused.promise]);
    return { received: await Promise.race([received, refused.promise]), spec };
  } catch (error) {
    request.unpipe(form);
    form.destroy();
    // What came in before the rest was refused is of no use.
    received.then((taken) => taken?.release()).catch(() => {});
    throw error;
  } finally {
    endWatch();
  }
}

/** Refuses a body that drips, whatever part of it that is. */
function watchBody(request: Request, refuse: (error: DavitError) => void): () => void {
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (!request.complete && socket.bytesRead - before < leastBytes) refuse(stoodStill(formPatience));
    before = socket.bytesRead;
  }, formPatience);
  return () => clearInterval(timer);
}

function openForm(request: Request, bodyLimit: number) {
  try {
    return busboy({
      headers: request.headers,
      limits: { fields: 1, files: 1, parts: 3, fieldSize: bodyLimit, fieldNameSize: 100, headerPairs: 20 },
    });
  } catch (cause) {
    throw new DavitError('invalid_request', 'the form is damaged: its type names no boundary', { cause });
  }
}

function readSpec(text: string, isCut: boolean): ArchiveForm['spec'] {
  if (isCut) throw new DavitError('body_too_large', 'spec is larger than this agent accepts (body_limit)');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DavitError('invalid_json', 'spec is not valid JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as ArchiveForm['spec'];
  throw new DavitError('invalid_request', 'spec must be an object with fields of a spec');
}

function refuseEncoding(request: Request): void {
  const encoding = request.get('content-encoding') ?? 'identity';
  if (encoding === 'identity') return;
  throw new DavitError('unsupported_media_type', 'an archive is sent as it is, without a Content-Encoding');
}

function lengthOf(request: Request): number | null {
  const length = request.get('content-length');
  return length === undefined ? null : Number(length);
}

/** Lets whoever still sends come to the answer, but not send for ever. */
function passOver(request: Request): void {
  if (request.complete) return;
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => request.destroy(), lingering);
  request.once('close', () => clearTimeout(timer));
}
