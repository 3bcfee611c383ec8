import type { NewRule, Rule, RuleAction, ValueCondition } from '../../../contract/rules.ts';

export const pathKinds = ['any', 'path_prefix', 'path', 'path_regex'] as const;
export const conditionKinds = ['is', 'regex', 'present', 'absent'] as const;
export const redirectStatuses = [301, 302, 303, 307, 308] as const;
type ActionType = RuleAction['type'];

/** A header, a parameter of the query or a cookie, and what it must be. */
export interface ConditionRow {
  readonly key: number;
  name: string;
  kind: (typeof conditionKinds)[number];
  value: string;
}

/** A rule as it is filled in. Lists are texts, whose parts are separated by commas, spaces or line ends. */
export interface RuleForm {
  id: string;
  enabled: boolean;
  priority: number | undefined;
  hosts: string;
  path_kind: (typeof pathKinds)[number];
  path: string;
  methods: string[];
  headers: ConditionRow[];
  query: ConditionRow[];
  cookies: ConditionRow[];
  networks: string;
  tags: string;
  type: ActionType;
  service: string;
  parts: { readonly key: number; service: string; weight: number | undefined }[];
  rewrite_prefix: string;
  to: string;
  redirect_status: (typeof redirectStatuses)[number];
  deny_status: number | undefined;
  answer_status: number | undefined;
  content_type: string;
  body: string;
}

let keys = 0;
export const nextKey = () => ++keys;

/** A rule to be changed; null: a new one. */
export function formOf(rule: Rule | null): RuleForm {
  const form = emptyForm();
  if (rule === null) return form;
  const { match } = rule;
  const kind = (['path', 'path_prefix', 'path_regex'] as const).find((name) => match[name] !== null);
  return {
    ...form,
    id: rule.id,
    enabled: rule.enabled,
    priority: rule.priority,
    hosts: match.hosts.join(', '),
    path_kind: kind ?? 'any',
    path: kind === undefined ? '' : (match[kind] ?? ''),
    methods: [...match.methods],
    headers: rowsOf(match.headers),
    query: rowsOf(match.query),
    cookies: rowsOf(match.cookies),
    networks: match.networks.join(', '),
    tags: match.tags.join(', '),
    ...actionFields(rule.action),
  };
}

function emptyForm(): RuleForm {
  return {
    id: '',
    enabled: true,
    priority: 0,
    hosts: '',
    path_kind: 'any',
    path: '',
    methods: [],
    headers: [],
    query: [],
    cookies: [],
    networks: '',
    tags: '',
    type: 'route',
    service: '',
    parts: [
      { key: nextKey(), service: '', weight: 90 },
      { key: nextKey(), service: '', weight: 10 },
    ],
    rewrite_prefix: '',
    to: '',
    redirect_status: 302,
    deny_status: 403,
    answer_status: 200,
    content_type: 'text/plain; charset=utf-8',
    body: '',
  };
}

function actionFields(action: RuleAction): Partial<RuleForm> {
  const { type } = action;
  switch (type) {
    case 'route':
      return { type, service: action.service, rewrite_prefix: action.rewrite_prefix ?? '' };
    case 'split': {
      const parts = action.services.map((part) => ({ key: nextKey(), ...part }));
      return { type, parts, rewrite_prefix: action.rewrite_prefix ?? '' };
    }
    case 'redirect':
      return { type, to: action.to, redirect_status: action.status };
    case 'deny':
      return { type, deny_status: action.status };
    case 'answer': {
      const { status, content_type, body } = action;
      return { type, answer_status: status, content_type, body };
    }
  }
}

function rowsOf(conditions: Readonly<Record<string, ValueCondition>>): ConditionRow[] {
  return Object.entries(conditions).map(([name, condition]) => {
    const key = nextKey();
    if (typeof condition === 'string') return { key, name, kind: 'is', value: condition };
    if ('regex' in condition) return { key, name, kind: 'regex', value: condition.regex };
    return { key, name, kind: condition.present ? 'present' : 'absent', value: '' };
  });
}

/** What is to be sent. */
export function ruleOf(form: RuleForm): NewRule {
  const path = (kind: string) => (form.path_kind === kind ? form.path.trim() : null);
  return {
    id: form.id.trim(),
    enabled: form.enabled,
    priority: form.priority ?? 0,
    match: {
      hosts: listOf(form.hosts).map((host) => host.toLowerCase()),
      path: path('path'),
      path_prefix: path('path_prefix'),
      path_regex: path('path_regex'),
      methods: form.methods.map((method) => method.toUpperCase()),
      headers: conditionsOf(form.headers, true),
      query: conditionsOf(form.query, false),
      cookies: conditionsOf(form.cookies, false),
      networks: listOf(form.networks),
      tags: listOf(form.tags),
    },
    action: actionOf(form),
  };
}

function actionOf(form: RuleForm): RuleAction {
  const { type } = form;
  const rewrite_prefix = form.rewrite_prefix.trim() === '' ? null : form.rewrite_prefix.trim();
  switch (type) {
    case 'route':
      return { type, service: form.service, rewrite_prefix };
    case 'split': {
      const services = form.parts
        .filter(({ service }) => service !== '')
        .map(({ service, weight }) => ({ service, weight: weight ?? 0 }));
      return { type, services, rewrite_prefix };
    }
    case 'redirect':
      return { type, to: form.to.trim(), status: form.redirect_status };
    case 'deny':
      return { type, status: form.deny_status ?? 403 };
    case 'answer':
      return { type, status: form.answer_status ?? 200, content_type: form.content_type, body: form.body };
  }
}

/** Names of headers are the same in any case. */
function conditionsOf(rows: readonly ConditionRow[], isHeader: boolean): Record<string, ValueCondition> {
  const given = rows.filter(({ name }) => name.trim() !== '');
  return Object.fromEntries(
    given.map(({ name, kind, value }) => [
      isHeader ? name.trim().toLowerCase() : name.trim(),
      meant(kind, value),
    ]),
  );
}

function meant(kind: ConditionRow['kind'], value: string): ValueCondition {
  if (kind === 'is') return value;
  return kind === 'regex' ? { regex: value } : { present: kind === 'present' };
}

function listOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** What is missing before anything can be sent; the rest is judged by the agent. */
export function missingIn(form: RuleForm): 'id' | 'path' | 'service' | 'to' | null {
  if (form.id.trim() === '') return 'id';
  if (form.path_kind !== 'any' && form.path.trim() === '') return 'path';
  if (form.type === 'route' && form.service === '') return 'service';
  if (form.type === 'split' && form.parts.every(({ service }) => service === '')) return 'service';
  return form.type === 'redirect' && form.to.trim() === '' ? 'to' : null;
}

/** How many of the conditions are set that are rarely needed. */
export function rareConditions({ headers, query, cookies, networks, tags, methods }: RuleForm): number {
  const lists = [methods, headers, query, cookies, listOf(networks), listOf(tags)];
  return lists.filter((list) => list.length > 0).length;
}
