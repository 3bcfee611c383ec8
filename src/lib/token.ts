import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { DavitError, errorMessage } from './errors.ts';

/** How a token may be signed: with a shared secret, or with RSA, P-256 or Ed25519 keys. */
export const jwtAlgorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

export interface TokenOptions {
  readonly algorithm: JwtAlgorithm;
  /** The private key as PEM, or the shared secret as text. */
  readonly key: string;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  /** What the claim `scope` shall say. */
  readonly scope: string;
  /** What the claim `services` shall say; null: every service. */
  readonly services: readonly string[] | null;
  readonly expires_in_seconds: number;
}

/** Makes a signed token. Throws `invalid_request` when the key cannot serve for the algorithm. */
export async function signToken(options: TokenOptions): Promise<string> {
  const { algorithm, issuer, audience, subject, scope, services } = options;
  const key = algorithm === 'HS256' ? createSecretKey(options.key, 'utf8') : readPrivateKey(options.key);
  const problem = keyProblem(algorithm, key);
  if (problem !== null) throw new DavitError('invalid_request', `the key ${problem}`);
  const issued = Math.floor(Date.now() / 1000);
  const claims = { scope, services, iat: issued, exp: issued + options.expires_in_seconds };
  if (algorithm !== 'EdDSA') {
    return jsonwebtoken.sign(claims, key, { algorithm, issuer, audience, subject });
  }
  // jsonwebtoken knows no EdDSA.
  const token = new SignJWT({ ...claims, iss: issuer, aud: audience, sub: subject });
  return await token.setProtectedHeader({ alg: algorithm, typ: 'JWT' }).sign(key);
}

/** Why the key cannot serve for the algorithm, as the rest of a sentence that begins with the key; null: it can. */
export function keyProblem(algorithm: JwtAlgorithm, key: KeyObject): string | null {
  if (algorithm === 'HS256') {
    const size = key.symmetricKeySize ?? 0;
    return size >= 32 ? null : `has ${size} bytes; HS256 needs a secret of at least 32`;
  }
  const details = key.asymmetricKeyDetails;
  if (algorithm === 'RS256') {
    if (key.asymmetricKeyType !== 'rsa') return 'is no RSA key, which RS256 needs';
    const bits = details?.modulusLength ?? 0;
    return bits >= 2048 ? null : `has ${bits} bits; RS256 needs an RSA key of at least 2048`;
  }
  if (algorithm === 'ES256') {
    return details?.namedCurve === 'prime256v1' ? null : 'is no key on the curve P-256, which ES256 needs';
  }
  return key.asymmetricKeyType === 'ed25519' ? null : 'is no Ed25519 key, which EdDSA needs';
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new DavitError('invalid_request', `the key is no private key in PEM form: ${errorMessage(cause)}`, {
      cause,
    });
  }
}
