import { useI18n } from 'vue-i18n';
import type { PlanStep } from '../../../contract/declaration.ts';
import { withoutDefaults } from './declared_fields.ts';
import { isFields, type JsonSchema } from './json_schema.ts';

/** A plan as people say it. */
export function usePlanWords() {
  const { t } = useI18n();

  /** What is done. */
  function head({ action, changes, cost }: PlanStep): string {
    if (action === 'none' || action === 'adopt') return t('editor.plan_none');
    if (action !== 'deploy') return t(`editor.plan_${action}`);
    const isQuiet = [cost.restarts, cost.starts, cost.stops].every((numbers) => numbers.length === 0);
    if (changes.length === 0) return t('editor.plan_deploy_again');
    return isQuiet ? t('editor.plan_quiet') : t('editor.plan_deploy');
  }

  /** What it costs, each thing as a sentence. */
  function costs({ cost: { restarts, starts, stops, connections, ports } }: PlanStep): string[] {
    return [
      ...instances('restarts', restarts),
      ...instances('starts', starts),
      ...instances('stops', stops),
      ...(connections ? [t('editor.cost_connections', { count: connections }, connections)] : []),
      ...ports.map(({ instance, from, to }) =>
        t('editor.cost_port', { instance, from: port(from), to: port(to) }),
      ),
    ];
  }

  function instances(what: 'restarts' | 'starts' | 'stops', numbers: readonly number[]): string[] {
    const { length: count } = numbers;
    return count === 0 ? [] : [t(`editor.cost_${what}`, { count, numbers: rangeText(numbers) }, count)];
  }

  function port(value: number | string | null): string {
    if (value === null) return t('editor.no_port');
    return value === 'auto' ? t('editor.a_free_port') : String(value);
  }

  /** @param schema what leaves out of a value what it would be by itself */
  function value(given: unknown, schema: JsonSchema): string {
    if (given === null || given === undefined) return t('common.none');
    const short = withoutDefaults(schema, given);
    if (!isFields(short)) return textOf(short);
    const lines = Object.entries(short).map(([name, inner]) => `${name}: ${textOf(inner)}`);
    return lines.join('\n') || '{}';
  }

  return { head, costs, value };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Numbers in a row as `1–5`. */
function rangeText(numbers: readonly number[]): string {
  const [first = 0] = numbers;
  const isRow = numbers.length > 2 && numbers.every((number, index) => number === first + index);
  return isRow ? `${first}–${numbers.at(-1)}` : numbers.join(', ');
}
