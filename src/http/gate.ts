import type { Request, RequestHandler, Response } from 'express';
import type { Config } from '../config/schema.ts';
import type { ApiKeys } from './api_keys.ts';
import { createAuthentication } from './authentication.ts';
import { createHostCheck } from './host_check.ts';
import type { JwtVerifier } from './jwt.ts';
import { createNetworks } from './networks.ts';
import type { Principal } from './permission.ts';
import { createRateLimits } from './rate_limits.ts';
import type { SessionCookie } from './session_cookie.ts';
import type { Sessions } from './sessions.ts';

type AccessSettings = Pick<Config, 'allowed_hosts' | 'allowed_networks' | 'trusted_proxies' | 'rate_limits'>;

interface GateOptions {
  readonly settings: AccessSettings;
  /** The names of this host. */
  readonly ownNames: readonly string[];
  readonly keys: ApiKeys;
  readonly tokens: JwtVerifier;
  readonly sessions: Sessions;
  readonly cookie: SessionCookie;
}

type Checks = ReturnType<typeof createChecks>;

/** What every request passes before its route; the settings behind it can be replaced while requests come. */
export class Gate {
  readonly #options: GateOptions;
  #checks: Checks;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#checks = createChecks(options, options.settings);
  }

  /** Makes ready to take over other settings, and gives what makes the change; rates are counted anew then. */
  prepare(settings: AccessSettings): () => void {
    const checks = createChecks(this.#options, settings);
    return () => {
      this.#checks = checks;
    };
  }

  /** Whether this address may call at all. */
  allowsAddress(address: string): boolean {
    return this.#checks.networks.allows(address);
  }

  /** Who may call: by network and by the name that is called. */
  readonly admit: readonly RequestHandler[] = [
    (request, response, next) => this.#checks.networks.check(request, response, next),
    (request, response, next) => this.#checks.host(request, response, next),
  ];

  /** How often what needs no credential may be called. */
  readonly limitUnproven: RequestHandler = (request, response, next) =>
    this.#checks.limits.unproven(request, response, next);

  /** Who a key or token belongs to that came in a body; see `Authentication.prove`. */
  prove(credential: string, request: Request, response: Response): Promise<Principal> {
    return this.#checks.authentication.prove(credential, request, response);
  }

  /** Who calls, and how often that one may. */
  readonly authenticate: readonly RequestHandler[] = [
    (request, response, next) => this.#checks.authentication.bearer(request, response, next),
    (request, response, next) => this.#checks.limits.authenticated(request, response, next),
  ];

  /** As `authenticate`, for pages that a browser opens and asks a password for. */
  readonly authenticateBrowser: readonly RequestHandler[] = [
    (request, response, next) => this.#checks.authentication.browser(request, response, next),
    (request, response, next) => this.#checks.limits.authenticated(request, response, next),
  ];
}

function createChecks({ ownNames, ...proofs }: GateOptions, settings: AccessSettings) {
  const limits = createRateLimits(settings.rate_limits);
  return {
    limits,
    networks: createNetworks(settings),
    host: createHostCheck({ own_names: ownNames, allowed_hosts: settings.allowed_hosts }),
    authentication: createAuthentication({ ...proofs, limits }),
  };
}
