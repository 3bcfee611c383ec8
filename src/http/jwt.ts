import { createHmac, createPublicKey, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import type { JwtIssuer } from '../config/access.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { type JwtAlgorithm, keyProblem } from '../lib/token.ts';
import { milliseconds } from '../lib/units.ts';
import { grantsOf } from './claims.ts';
import { Jwks } from './jwks.ts';
import { exposure, readKeyFile } from './key_file.ts';
import type { Principal } from './permission.ts';

interface JwtVerifierOptions {
  readonly issuers: readonly JwtIssuer[];
  readonly onProblem: (message: string) => void;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
}

/** One issuer, ready to check its tokens. */
interface Rule {
  readonly settings: JwtIssuer;
  readonly toleranceSeconds: number;
  readonly maxAgeSeconds: number | null;
  /** Differs wherever the settings or the key of a file do. */
  readonly mark: string;
  findKey(header: JWTHeaderParameters): Promise<KeyObject> | KeyObject;
}

interface Verified {
  readonly principal: Principal;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const tokenPattern = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** In characters. */
const longestToken = 8192;
/** It becomes part of the actor, and is shown. */
const subjectPattern = /^\P{Cc}{1,255}$/u;
/** How long, in milliseconds, a token that was verified is taken as such: it costs a tenth of verifying it again. */
const rememberFor = 60_000;
const rememberedTokens = 1000;

/** Checks tokens (JWT, RFC 7519) of the issuers that the configuration names. */
export class JwtVerifier {
  readonly #onProblem: (message: string) => void;
  readonly #now: () => number;
  /** By the hash of the token. */
  readonly #verified = new Map<string, Verified>();
  #rules: ReadonlyMap<string, Rule> = new Map();
  /** By their addresses. */
  #jwks: ReadonlyMap<string, Jwks> = new Map();

  /** Throws `invalid_request` that names the key file that is of no use. */
  constructor({ issuers, onProblem, now = Date.now }: JwtVerifierOptions) {
    this.#onProblem = onProblem;
    this.#now = now;
    this.reload(issuers);
  }

  /** Takes over other issuers and reads every key file again. Throws as the constructor does, and then nothing has changed. */
  reload(issuers: readonly JwtIssuer[]): void {
    this.prepare(issuers)();
  }

  /** Does all of a reload that can fail, and gives what makes the change. */
  prepare(issuers: readonly JwtIssuer[]): () => void {
    const jwks = this.#jwksOf(issuers);
    const rules = new Map(issuers.map((settings) => [settings.issuer, this.#toRule(settings, jwks)]));
    return () => {
      this.#rules = rules;
      this.#jwks = jwks;
      this.#verified.clear();
      for (const keys of jwks.values()) keys.outdate();
    };
  }

  /** Who sends this token, if that was verified a moment ago; null: `verify` has to find out. */
  recall(token: string): Principal | null {
    if (this.#verified.size === 0) return null;
    const known = this.#verified.get(hash('sha256', token));
    return known !== undefined && known.until > this.#now() ? known.principal : null;
  }

  /** Who sends this token. Throws `unauthenticated`, or `forbidden` when it is genuine but grants nothing. */
  async verify(token: string): Promise<Principal> {
    const rules = this.#rules;
    const { header, rule } = this.#read(token);
    const key = await this.#findKey(rule, header);
    const claims = await this.#check(rule, key, token);
    // What has been taken over meanwhile may say otherwise.
    if (this.#rules !== rules) return this.verify(token);
    const principal = this.#toPrincipal(rule, claims);
    this.#remember(token, principal);
    return principal;
  }

  /**
   * Stands for all that decides what the tokens of an actor's issuer may do: where it is another than before, they have to
   * be verified anew. null: the issuer is not configured.
   */
  markOf(actor: string): string | null {
    const issuer = actor.slice('jwt:'.length, actor.indexOf('#'));
    return actor.startsWith('jwt:') ? (this.#rules.get(issuer)?.mark ?? null) : null;
  }

  /** What the token says of itself serves only to find the rule that it must then satisfy. */
  #read(token: string): { header: JWTHeaderParameters; rule: Rule } {
    if (token.length > longestToken) throw refused(`is longer than ${longestToken} characters`);
    if (!tokenPattern.test(token)) throw refused('is neither an API key nor a JWT');
    let header: JWTHeaderParameters;
    let issuer: unknown;
    try {
      header = decodeProtectedHeader(token) as JWTHeaderParameters;
      issuer = decodeJwt(token).iss;
    } catch {
      throw refused('is neither an API key nor a JWT');
    }
    const rule = typeof issuer === 'string' ? this.#rules.get(issuer) : undefined;
    if (rule === undefined) throw refused('is from none of the configured jwt_issuers');
    const { algorithm } = rule.settings;
    if (header.alg !== algorithm) throw refused(`is not signed with ${algorithm}, as its issuer's must be`);
    if (header.crit !== undefined) throw refused('asks for extensions that this agent does not know (crit)');
    return { header, rule };
  }

  async #findKey(rule: Rule, header: JWTHeaderParameters): Promise<KeyObject> {
    const { issuer, algorithm } = rule.settings;
    let key: KeyObject;
    try {
      key = await rule.findKey(header);
    } catch (cause) {
      this.#onProblem(`a token from ${issuer} was refused: no key for it: ${errorMessage(cause)}`);
      throw refused('is signed with a key that its issuer does not show', cause);
    }
    const problem = keyProblem(algorithm, key);
    if (problem === null) return key;
    this.#onProblem(`a token from ${issuer} was refused: its key ${problem}`);
    throw refused('is signed with a key that is not acceptable');
  }

  async #check(rule: Rule, key: KeyObject, token: string): Promise<JWTPayload> {
    const { settings, toleranceSeconds, maxAgeSeconds } = rule;
    const seconds = this.#now() / 1000;
    let claims: JWTPayload;
    try {
      claims = await verifySignature({ settings, key, token, toleranceSeconds, seconds });
    } catch (cause) {
      throw refused(`was refused: ${errorMessage(cause)}`, cause);
    }
    const { exp, iat, sub } = claims;
    if (!Number.isFinite(exp)) throw refused('never expires (it has no exp)');
    if (typeof sub !== 'string' || !subjectPattern.test(sub)) {
      throw refused('must say in sub, in 1 to 255 printable characters, who sends it');
    }
    if (maxAgeSeconds === null) return claims;
    if (typeof iat !== 'number' || !(iat <= seconds + toleranceSeconds)) {
      throw refused('does not say when it was issued (iat), or a time to come');
    }
    if (iat + maxAgeSeconds + toleranceSeconds <= seconds) throw refused('was issued too long ago (max_age)');
    return claims;
  }

  #toPrincipal({ settings, toleranceSeconds, maxAgeSeconds }: Rule, claims: JWTPayload): Principal {
    const { sub = '', exp = 0, iat = 0 } = claims;
    const grants = grantsOf(settings, claims);
    if (grants.length === 0) {
      throw new DavitError(
        'forbidden',
        `the token of "${sub}" from ${settings.issuer} is good, but nothing in jwt_issuers grants it anything`,
      );
    }
    const end = maxAgeSeconds === null ? exp : Math.min(exp, iat + maxAgeSeconds);
    const expires_at = Math.floor((end + toleranceSeconds) * 1000);
    return { actor: `jwt:${settings.issuer}#${sub}`, name: sub, grants, expires_at };
  }

  #remember(token: string, principal: Principal): void {
    if (this.#verified.size >= rememberedTokens) {
      for (const oldest of this.#verified.keys().take(1)) this.#verified.delete(oldest);
    }
    const until = Math.min(this.#now() + rememberFor, principal.expires_at ?? 0);
    this.#verified.set(hash('sha256', token), { principal, until });
  }

  /** The keys that were fetched are kept: the address may not answer just now. */
  #jwksOf(issuers: readonly JwtIssuer[]): Map<string, Jwks> {
    const urls = new Set(issuers.flatMap(({ jwks_url }) => jwks_url ?? []));
    const options = { onProblem: this.#onProblem, now: this.#now };
    return new Map(urls.values().map((url) => [url, this.#jwks.get(url) ?? new Jwks({ ...options, url })]));
  }

  #toRule(settings: JwtIssuer, jwks: ReadonlyMap<string, Jwks>): Rule {
    const source = this.#keySource(settings, jwks);
    return {
      settings,
      toleranceSeconds: milliseconds(settings.clock_tolerance) / 1000,
      maxAgeSeconds: settings.max_age === null ? null : milliseconds(settings.max_age) / 1000,
      mark: markOf(settings, source instanceof Jwks ? null : source),
      findKey: source instanceof Jwks ? (header) => source.find(header) : () => source,
    };
  }

  #keySource(settings: JwtIssuer, jwks: ReadonlyMap<string, Jwks>): Jwks | KeyObject {
    const { algorithm, secret_file, public_key_file, jwks_url } = settings;
    const keys = jwks.get(jwks_url ?? '');
    if (keys !== undefined) return keys;
    const file = secret_file ?? public_key_file ?? '';
    const key = secret_file === undefined ? readPublicKey(algorithm, file) : readSecret(algorithm, file);
    const warning = secret_file === undefined ? null : exposure('secret_file', file);
    if (warning !== null) this.#onProblem(warning);
    return key;
  }
}

interface SignedToken {
  readonly settings: JwtIssuer;
  readonly key: KeyObject;
  readonly token: string;
  readonly toleranceSeconds: number;
  /** Since 1970. */
  readonly seconds: number;
}

/** The claims of a token whose signature, iss, aud, exp and nbf are right. Throws otherwise. */
async function verifySignature(signed: SignedToken): Promise<JWTPayload> {
  const { settings, key, token, toleranceSeconds, seconds } = signed;
  const { algorithm, issuer, audience } = settings;
  const audiences = [audience].flat() as [string, ...string[]];
  if (algorithm !== 'EdDSA') {
    return jsonwebtoken.verify(token, key, {
      algorithms: [algorithm],
      issuer,
      audience: audiences,
      clockTolerance: toleranceSeconds,
      clockTimestamp: seconds,
    }) as JWTPayload;
  }
  // jsonwebtoken knows no EdDSA.
  const { payload } = await jwtVerify(token, key, {
    algorithms: [algorithm],
    issuer,
    audience: audiences,
    clockTolerance: toleranceSeconds,
    currentDate: new Date(seconds * 1000),
  });
  return payload;
}

function markOf(settings: JwtIssuer, key: KeyObject | null): string {
  const secret =
    key?.type === 'secret' ? key.export() : (key?.export({ type: 'spki', format: 'der' }) ?? Buffer.alloc(0));
  return createHmac('sha256', secret).update(JSON.stringify(settings)).digest('base64url');
}

function readSecret(algorithm: JwtAlgorithm, file: string): KeyObject {
  const text = readKeyFile('secret_file', file).replace(/\r?\n$/, '');
  if (text.startsWith('-----BEGIN')) {
    throw new DavitError(
      'invalid_request',
      `secret_file: ${file} holds a key pair's part, not a shared secret`,
    );
  }
  return fitting(algorithm, createSecretKey(text, 'utf8'), `secret_file: ${file}`);
}

function readPublicKey(algorithm: JwtAlgorithm, file: string): KeyObject {
  const text = readKeyFile('public_key_file', file);
  if (text.includes('PRIVATE KEY')) {
    throw new DavitError(
      'invalid_request',
      `public_key_file: ${file} holds a private key; the agent needs only the public one, and should not have the other`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw new DavitError(
      'invalid_request',
      `public_key_file: ${file} holds no public key or certificate as PEM`,
      { cause },
    );
  }
  return fitting(algorithm, key, `public_key_file: ${file}`);
}

function fitting(algorithm: JwtAlgorithm, key: KeyObject, subject: string): KeyObject {
  const problem = keyProblem(algorithm, key);
  if (problem !== null) throw new DavitError('invalid_request', `${subject} ${problem}`);
  return key;
}

function refused(reason: string, cause?: unknown): DavitError {
  return new DavitError('unauthenticated', `the token ${reason}`, { cause });
}
