import { useI18n } from 'vue-i18n';
import type { Rule, ValueCondition } from '../../../contract/rules.ts';

/** The services to which a rule leads. */
export function servicesOf({ action }: Pick<Rule, 'action'>): string[] {
  if (action.type === 'route') return [action.service];
  return action.type === 'split' ? action.services.map(({ service }) => service) : [];
}

/** The host and path that a rule is for, one for each host; `*` where it is for every request. */
export function addressesOf({ match }: Pick<Rule, 'match'>): string[] {
  const { hosts } = match;
  const place = placeOf(match);
  if (hosts.length === 0) return [place === '' ? '*' : place];
  return hosts.map((host) => host + place);
}

function placeOf({ path, path_prefix, path_regex }: Rule['match']): string {
  if (path !== null) return path;
  if (path_prefix !== null) return `${path_prefix.replace(/\/$/, '')}/*`;
  return path_regex === null ? '' : ` ~ ${path_regex}`;
}

/** The share of each service of a split, in percent. */
export function sharesOf({ action }: Pick<Rule, 'action'>): { service: string; percent: number }[] {
  if (action.type !== 'split') return [];
  const all = action.services.reduce((sum, { weight }) => sum + weight, 0);
  return action.services.map(({ service, weight }) => ({
    service,
    percent: all === 0 ? 0 : (weight / all) * 100,
  }));
}

/** What rules say, in the language of the console. */
export function useRuleWords() {
  const { t } = useI18n();

  function valueText(name: string, condition: ValueCondition): string {
    if (typeof condition === 'string') return `${name} = ${condition}`;
    if ('regex' in condition) return `${name} ~ ${condition.regex}`;
    return t(condition.present ? 'routing.is_there' : 'routing.is_absent', { name });
  }

  /** What else a request must be, besides its host and its path. */
  function conditionsOf({ match }: Pick<Rule, 'match'>): string[] {
    const named = (what: 'header' | 'query' | 'cookie', all: Readonly<Record<string, ValueCondition>>) =>
      Object.entries(all).map(([name, condition]) =>
        t(`routing.condition_${what}`, { value: valueText(name, condition) }),
      );
    return [
      ...(match.methods.length > 0 ? [match.methods.join(', ')] : []),
      ...named('header', match.headers),
      ...named('query', match.query),
      ...named('cookie', match.cookies),
      ...(match.networks.length > 0
        ? [t('routing.condition_networks', { value: list(match.networks) })]
        : []),
      ...(match.tags.length > 0 ? [t('routing.condition_tags', { value: list(match.tags) })] : []),
    ];
  }

  /** What a rule does that leads to no service. */
  function ownAnswer({ action }: Pick<Rule, 'action'>): string {
    switch (action.type) {
      case 'redirect':
        return t('routing.does_redirect', { status: action.status, to: action.to });
      case 'deny':
        return t('routing.does_deny', { status: action.status });
      case 'answer':
        return t('routing.does_answer', { status: action.status });
      default:
        return '';
    }
  }

  function list(values: readonly string[]): string {
    const rest = values.length - 4;
    return values.slice(0, 4).join(', ') + (rest > 0 ? t('routing.and_more', { count: rest }) : '');
  }

  return { conditionsOf, ownAnswer };
}
