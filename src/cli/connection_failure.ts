import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';

/** Codes after which the same request may be sent once more: the agent, or something between, hung up. */
const hungUp = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ECONNRESET: 'it hung up',
  EPIPE: 'it hung up',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody that this host trusts',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody that this host trusts',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody that this host trusts',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody that this host trusts',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it does not speak TLS as expected',
  HPE_INVALID_CONSTANT: 'what answers there does not speak HTTP',
};

/** Whether the connection ended before an answer came. */
export function isHangUp(error: unknown): boolean {
  return hungUp.includes(systemErrorCode(error));
}

/** Whether nothing listened: as between the end of an agent and the start of the next. */
export function isRefusal(error: unknown): boolean {
  return systemErrorCode(error) === 'ECONNREFUSED';
}

/** Whether the agent was there but its certificate, or ours, was not accepted. */
export function isCertificateProblem(code: string): boolean {
  return /CERT|SIGNATURE|ALERT/.test(code);
}

/** The error for a request that got no answer; its `reason` is the system's code. */
export function unreachable(url: URL, error: unknown): DavitError {
  const reason = systemErrorCode(error);
  const sentence = reasons[reason] ?? errorMessage(error);
  return new DavitError('agent_unreachable', `cannot reach the agent at ${url.origin}: ${sentence}`, {
    cause: error,
    fields: { reason },
  });
}
