/**
 * Every error code that an answer can carry, with its HTTP status.
 * A code is stable: clients may switch on it. The sentence beside it is for people and may change.
 */
export const errorStatus = {
  /** The body, query or path is not what the contract asks for; `details` names each place. */
  invalid_request: 400,
  /** The body is not JSON at all. */
  invalid_json: 400,
  /** No credential, or one that is unknown, expired, revoked or badly signed. */
  unauthenticated: 401,
  /** The credential is good but its scopes or services do not cover this call. */
  forbidden: 403,
  /** The caller's address is outside `allowed_networks`. */
  network_not_allowed: 403,
  /** A call by a session that changes something came without the `X-CSRF-Token` of the session. */
  csrf_token_invalid: 403,
  /** The Host or Origin header names a host that this agent does not answer to. */
  host_not_allowed: 403,
  /** A notifier made by the API would lead into this host or a private network that `alerts.allowed_targets` does not name. */
  target_not_allowed: 403,
  /** The service is sealed, or this agent takes commands from admins alone: nothing but its artifact and arguments can be set. */
  command_sealed: 403,
  not_found: 404,
  service_not_found: 404,
  release_not_found: 404,
  key_not_found: 404,
  /** The call came with a key or a token of its own, not by a session. */
  session_not_found: 404,
  /** The service has no configuration file of this name, or that has no such version, or is not there yet. */
  config_not_found: 404,
  /** No orphan has this instance id: it has ended, or a service claims it. */
  orphan_not_found: 404,
  instance_not_found: 404,
  rule_not_found: 404,
  /** The agent keeps no such alert any more, or never had one. */
  alert_not_found: 404,
  alert_rule_not_found: 404,
  /** It may have ended. */
  silence_not_found: 404,
  notifier_not_found: 404,
  /** The connection has been closed, or its router does not answer. */
  connection_not_found: 404,
  /** No such upload is kept of the service. */
  artifact_not_found: 404,
  deployment_not_found: 404,
  method_not_allowed: 405,
  service_exists: 409,
  rule_exists: 409,
  alert_rule_exists: 409,
  notifier_exists: 409,
  /** What is asked for is not the plan that was given: the file or the services have changed since. */
  plan_outdated: 409,
  /** The service's state does not allow the call, such as pausing what is stopped. */
  state_conflict: 409,
  /** A later deployment of the service took the place of this one before it began. */
  deployment_superseded: 409,
  /** Somebody cancelled the deployment; what served before serves again. */
  deployment_cancelled: 409,
  /** The same Idempotency-Key came with another request. */
  idempotency_conflict: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  /** Another process listens on the port that the service asks for, or none of the range is free. */
  port_taken: 422,
  /** The operating system refused to start the process: no such file, directory, user, permission. */
  spawn_failed: 422,
  /** The process started but ended within `min_uptime`. */
  exited_early: 422,
  /** The process stays up, but it is not ready in time. */
  not_ready: 422,
  /** The new release did worse than the old one, which serves again. */
  release_worse: 422,
  /** What the service depends on is not there in time. */
  dependency_unmet: 422,
  /** The command that checks a configuration file did not accept the new content; nothing was written. */
  validation_failed: 422,
  /** A configuration file that cannot be read or replaced: a link, no text, too large, or no right to it. */
  config_unusable: 422,
  /** An upload is not what its SHA-256 says. */
  checksum_mismatch: 422,
  /** An archive that cannot be read, holds what may not be unpacked, or too much. */
  artifact_refused: 422,
  /** A notifier was tried and what it sent did not arrive. */
  notification_failed: 422,
  /** The check of the host could not be run, or did not end in time. */
  doctor_failed: 422,
  /** A declaration was applied in part; `results` has what became of each service. */
  apply_failed: 422,
  /** Something the system lacks: not this platform, or not this user. */
  not_supported: 422,
  too_many_requests: 429,
  internal: 500,
  /** The disk is full or the state cannot be written. */
  storage_unavailable: 503,
  /** There is no router, or none is connected, and the call needs one. */
  router_unavailable: 503,
  /** The agent is stopping and takes no new work. */
  shutting_down: 503,
} as const;

export type ErrorCode = keyof typeof errorStatus;
