import express, { type RequestHandler, type Response } from 'express';
import type { AppliedStep } from '../contract/declaration.ts';
import type { operations as contract } from '../contract/operations.ts';
import type { StepOutcome } from '../declarations/apply.ts';
import { type Declarations, outcomeSummary } from '../declarations/declarations.ts';
import { Draft } from '../declarations/draft.ts';
import { DavitError } from '../lib/errors.ts';
import { auditPart } from './audit.ts';
import { errorReply, requestIdOf } from './errors.ts';
import { allows, authorityOf, type Principal, refusal } from './permission.ts';
import type { Handler } from './route.ts';

type Contract = typeof contract;

/** What messages call a declaration whose file is not named. */
const defaultFile = 'davit.yaml';

/** What the routes on declarations call. */
export function declarationHandlers(declarations: Declarations) {
  return {
    plan: ({ body, query, principal }) => {
      const { source, file = defaultFile, prune = false } = { ...query, ...body };
      return declarations.plan(new Draft(source, file), { prune, ...rightsOf(principal) });
    },

    apply: async ({ body, query, principal, response }) => {
      const given = { ...query, ...body };
      const { plan, outcomes } = await declarations.apply(
        new Draft(given.source, given.file ?? defaultFile),
        {
          prune: given.prune ?? false,
          plan: given.force ? null : (given.plan ?? null),
          actor: principal.actor,
          ...rightsOf(principal),
        },
      );
      const results = outcomes.map((outcome) => showOutcome(outcome, response));
      const summary = outcomeSummary(outcomes);
      const answer = { plan: plan.id, name: plan.name, results, summary };
      const failed = results.filter(({ outcome }) => outcome === 'failed');
      if (failed.length === 0) return answer;
      const [first] = failed;
      const message = `${summary}; ${first?.service}: ${first?.message}`;
      throw new DavitError('apply_failed', message, { fields: answer });
    },
  } satisfies {
    plan: Handler<Contract['planDeclaration']>;
    apply: Handler<Contract['applyDeclaration']>;
  };
}

/** Takes a declaration that is the body itself, with what else there is to say in the query. */
export function yamlBody(limit: number): RequestHandler[] {
  const parse = express.text({
    type: ['application/yaml', 'application/x-yaml', 'text/yaml'],
    limit,
    inflate: false,
  });
  const wrap: RequestHandler = (request, _response, next) => {
    if (typeof request.body === 'string') request.body = { source: request.body };
    next();
  };
  return [parse, wrap];
}

function rightsOf(principal: Principal) {
  return {
    authorize: (id: string) => {
      if (!allows(principal, 'deploy', id)) throw refusal(principal, 'deploy', id);
    },
    mayName: (id: string) => allows(principal, 'read', id),
    authorityOf: (id: string) => authorityOf(principal, id),
  };
}

/** As it is answered, and as it is written down: each step as if it had been a call of its own. */
function showOutcome({ cause, ...outcome }: StepOutcome, response: Response): AppliedStep {
  const { service, action } = outcome;
  const operation = `${action}Service`;
  if (outcome.outcome === 'failed') {
    const { status, code, body } = errorReply(cause, requestIdOf(response));
    auditPart(response, { action: operation, service, http_status: status, code });
    const error = body as AppliedStep['error'] & { error: string };
    return { ...outcome, message: error.error, error };
  }
  if (outcome.outcome === 'done')
    auditPart(response, { action: operation, service, http_status: 200, code: null });
  return outcome;
}
