import { z } from 'zod';
import { duration, scope, scopes, serviceGlob } from '../contract/scalars.ts';
import { isNetwork } from '../lib/addresses.ts';
import { jwtAlgorithms } from '../lib/token.ts';
import { milliseconds } from '../lib/units.ts';
import { absoluteFile as file } from './fields.ts';

const network = z
  .string()
  .refine(isNetwork, 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address');

const claimName = z.string().min(1).max(256);
const claimValue = z.union([z.string().min(1).max(2048), z.number(), z.boolean()]);

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const jwksUrl = z
  .string()
  .max(2048)
  .refine((text) => {
    const url = URL.parse(text);
    if (url === null || url.username !== '' || url.password !== '') return false;
    return url.protocol === 'https:' || (url.protocol === 'http:' && loopbackHosts.test(url.hostname));
  }, 'must be an https address without a password (http only for this machine itself)');

const jwtGrant = z.strictObject({
  claims: z
    .record(claimName, claimValue)
    .refine((claims) => Object.keys(claims).length > 0, 'must name at least one claim')
    .describe(
      'What the token must say, all of it: claim by claim the very value, or a text in which * stands for any characters. A claim that is a list must contain it.',
    ),
  scopes: z.array(scope).min(1).max(scopes.length).describe('What such a token may do.'),
  services: z
    .array(serviceGlob)
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe('With which services. null: every service, and the agent itself.'),
});

const jwtIssuer = z
  .strictObject({
    issuer: z
      .string()
      .max(2048)
      .regex(/^[^#\p{Cc}]+$/u, 'must be the address or name of an issuer, without #')
      .describe('Exactly what the claim `iss` says.'),
    audience: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)])
      .describe('What the claim `aud` must say: this, or one of these.'),
    algorithm: z
      .enum(jwtAlgorithms)
      .describe('The only one that is accepted from this issuer, whatever a token says.'),
    secret_file: file.optional().describe('HS256: a file of at least 32 bytes.'),
    public_key_file: file.optional().describe('RS256, ES256, EdDSA: a public key or a certificate as PEM.'),
    jwks_url: jwksUrl.optional().describe("RS256, ES256, EdDSA: where the issuer's public keys are."),
    grants: z
      .array(jwtGrant)
      .max(100)
      .default([])
      .describe('What tokens may do by what they say. A token gets every grant that fits it.'),
    scope_claim: claimName
      .optional()
      .describe('A claim in which the issuer itself names the scope, as text with spaces or as a list.'),
    services_claim: claimName
      .optional()
      .describe(
        'A claim in which the issuer lists the services for `scope_claim`; null in it means every service. A token without it gets nothing by `scope_claim`.',
      ),
    clock_tolerance: duration
      .default('5s')
      .refine((text) => milliseconds(text) <= 300_000, 'must not be longer than 5m')
      .describe('By how much the clocks of issuer and agent may differ.'),
    max_age: duration
      .nullable()
      .default(null)
      .describe('Refuse a token that was issued longer ago, however long it is valid. null: no limit.'),
  })
  .superRefine((rule, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { algorithm, secret_file, public_key_file, jwks_url } = rule;
    if (algorithm === 'HS256') {
      if (secret_file === undefined) complain('secret_file', 'is missing; HS256 needs it');
      if (public_key_file !== undefined) complain('public_key_file', 'must not stand beside HS256');
      if (jwks_url !== undefined) complain('jwks_url', 'must not stand beside HS256');
    } else {
      if (secret_file !== undefined) complain('secret_file', `must not stand beside ${algorithm}`);
      if ((public_key_file === undefined) === (jwks_url === undefined)) {
        complain('public_key_file', `${algorithm} needs either this or jwks_url`);
      }
    }
    if (rule.grants.length === 0 && rule.scope_claim === undefined) {
      complain('grants', 'must not be empty where there is no scope_claim: no token could do anything');
    }
    if (rule.services_claim !== undefined && rule.scope_claim === undefined) {
      complain('services_claim', 'needs scope_claim beside it');
    }
  });
export type JwtIssuer = z.infer<typeof jwtIssuer>;

const rateLimit = (requests: number, per: string) =>
  z
    .strictObject({
      requests: z.int().min(1).max(1e9).default(requests),
      per: duration
        .default(per)
        .refine(
          (text) => milliseconds(text) >= 1000 && milliseconds(text) <= 3_600_000,
          'must be from 1s to 1h',
        ),
    })
    .prefault({});

const rateLimits = z
  .strictObject({
    unproven: rateLimit(3000, '1m').describe(
      'From one address without a credential that is already known to be good: GET /health, attempts, tokens seen for the first time.',
    ),
    failed_authentications: rateLimit(60, '1m').describe(
      'Failed attempts from one address; what comes after is answered 429. A good credential passes all the same.',
    ),
    authenticated: rateLimit(20_000, '1s').describe('By one key, or one subject of a token.'),
  })
  .prefault({});
export type RateLimitSettings = z.infer<typeof rateLimits>;

const tls = z
  .strictObject({
    cert_file: file.describe('The certificate as PEM, followed by those between it and the root.'),
    key_file: file.describe('Its private key as PEM, without a passphrase.'),
    client_ca_file: file
      .nullable()
      .default(null)
      .describe('Mutual TLS: only clients with a certificate from one of these authorities may connect.'),
    min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
  })
  .nullable()
  .default(null)
  .describe('Serve HTTPS. The files are read again when they change and on SIGHUP. null: plain HTTP.');
export type TlsSettings = NonNullable<z.infer<typeof tls>>;

/** The part of the agent's configuration that says who may reach it, and who may do what. */
export const accessFields = {
  jwt_issuers: z
    .array(jwtIssuer)
    .max(32)
    .refine(
      (rules) => new Set(rules.map((rule) => rule.issuer)).size === rules.length,
      'must not name an issuer twice',
    )
    .default([])
    .describe('Whose tokens are accepted beside API keys.'),
  rate_limits: rateLimits,
  tls,
  allowed_networks: z
    .array(network)
    .max(1000)
    .default([])
    .describe('Networks that may call, such as 10.0.0.0/8. Empty: all.'),
  trusted_proxies: z
    .array(network)
    .max(1000)
    .default([])
    .describe('Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.'),
  allowed_hosts: z
    .array(
      z
        .string()
        .max(253)
        .regex(
          /^[a-z0-9*]([a-z0-9.*_-]*)$/,
          'must be a host name in lower case without a port; * stands for any characters',
        ),
    )
    .max(100)
    .default([])
    .describe(
      'Names by which the agent may be called, beside addresses, localhost and the name of this host. "*": any.',
    ),
};
