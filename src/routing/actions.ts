import type { RuleAction, RuleMatch } from '../contract/rules.ts';
import type { RequestFacts } from './facts.ts';
import { asAddress, matchPath, segmentCount, withoutDots, withPrefix } from './path.ts';
import { redirectTo } from './redirect.ts';
import type { SplitPart } from './split.ts';

/** An answer that the router gives by itself. */
export interface RuleAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a rule does with the requests that fit it. */
export type CompiledAction =
  | {
      readonly kind: 'services';
      readonly parts: readonly SplitPart[];
      /** What is asked for in place of the path of the request; null: that one. */
      path(facts: RequestFacts): string | null;
    }
  | { readonly kind: 'answer'; answer(facts: RequestFacts): RuleAnswer };

export function compileAction(action: RuleAction, match: RuleMatch): CompiledAction {
  switch (action.type) {
    case 'route':
      return services([{ service: action.service, weight: 1 }], action.rewrite_prefix, match);
    case 'split':
      return services(action.services, action.rewrite_prefix, match);
    case 'redirect': {
      const location = redirectTo(action.to);
      return { kind: 'answer', answer: (facts) => redirection(action.status, location(facts)) };
    }
    case 'deny':
      return always(plainAnswer(action.status, 'A rule of this server denies this request.'));
    case 'answer':
      return always({
        status: action.status,
        headers: { 'content-type': action.content_type },
        body: action.body,
      });
  }
}

/** An answer of one sentence. */
export function plainAnswer(status: number, sentence: string): RuleAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${sentence}\n` };
}

/** The answer to a path of which servers disagree what it means. */
export const refusedPath: RuleAnswer = plainAnswer(400, 'The path of this request is ambiguous.');

function always(answer: RuleAnswer): CompiledAction {
  return { kind: 'answer', answer: () => answer };
}

function redirection(status: number, location: string | null): RuleAnswer {
  if (location === null)
    return plainAnswer(400, 'This request names no host that it could be redirected to.');
  return { status, headers: { location }, body: '' };
}

function services(
  parts: readonly SplitPart[],
  rewrite_prefix: string | null,
  match: RuleMatch,
): CompiledAction {
  const rewrite = rewrite_prefix === null ? null : rewriting(asAddress(rewrite_prefix), match);
  return {
    kind: 'services',
    parts,
    path({ request }) {
      const path = withoutDots(request.path);
      if (rewrite !== null) return rewrite(path);
      return path === request.path ? null : path;
    },
  };
}

/** An exact path is replaced as a whole; where the rule names no path, all of it is put below the prefix. */
function rewriting(prefix: string, { path, path_prefix }: RuleMatch): (path: string) => string {
  if (path !== null) return () => prefix;
  const count = segmentCount(matchPath(path_prefix ?? '/') ?? '/');
  return (raw) => withPrefix(raw, count, prefix);
}
