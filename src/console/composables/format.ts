import { useI18n } from 'vue-i18n';

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
type Unit = 'day' | 'hour' | 'minute' | 'second';
const times: readonly [Unit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

const shortUnits: Readonly<Record<'en' | 'zh-CN', Record<Unit, string>>> = {
  en: { day: 'd', hour: 'h', minute: 'min', second: 's' },
  'zh-CN': { day: '天', hour: '小时', minute: '分', second: '秒' },
};

/** Numbers and times as people of the language write them. */
export function useFormat() {
  const { locale } = useI18n();
  const tag = () => (locale.value === 'en' ? undefined : 'zh-CN');
  const language = () => (locale.value === 'en' ? 'en' : 'zh-CN');

  // To make a format takes longer than to use it a hundred times.
  const numbers = new Map<string, Intl.NumberFormat>();
  const dates = new Map<string, Intl.DateTimeFormat>();

  function number(value: number, digits = 0): string {
    const key = `${language()} ${digits}`;
    const format = numbers.get(key) ?? new Intl.NumberFormat(language(), { maximumFractionDigits: digits });
    numbers.set(key, format);
    return format.format(value);
  }

  /** Bytes, with the units of 1024. */
  function size(bytes: number | null | undefined): string {
    if (bytes === null || bytes === undefined) return '–';
    const power = bytes < 1 ? 0 : Math.min(binaryUnits.length - 1, Math.floor(Math.log2(bytes) / 10));
    const value = bytes / 1024 ** power;
    return `${number(value, power === 0 || value >= 100 ? 0 : 1)} ${binaryUnits[power]}`;
  }

  /** Of one processor: 0.5 cores are 50 %. */
  function cores(value: number | null | undefined): string {
    return value === null || value === undefined ? '–' : `${number(value * 100, value < 0.1 ? 1 : 0)} %`;
  }

  function ratio(value: number | null | undefined, digits = 1): string {
    return value === null || value === undefined ? '–' : `${number(value * 100, digits)} %`;
  }

  /** `3 d 4 h`, of seconds: its two greatest units. */
  function duration(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const found = times.findIndex(([, length]) => whole >= length);
    const shown = times.slice(found === -1 ? -1 : found).slice(0, 2);
    let rest = whole;
    const parts = shown.map(([unit, length]) => {
      const amount = Math.floor(rest / length);
      rest %= length;
      return amount === 0 && unit !== shown[0]?.[0] ? '' : `${amount} ${shortUnits[language()][unit]}`;
    });
    return parts.filter((part) => part !== '').join(' ');
  }

  /** `2 minutes ago`. */
  function relative(time: string | number, now: number): string {
    const seconds = (new Date(time).getTime() - now) / 1000;
    const format = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' });
    const [unit, length] = times.find(([, one]) => Math.abs(seconds) >= one) ?? (['second', 1] as const);
    // A clock that differs a little from the agent's shows nothing in the future.
    const amount = Math.trunc(seconds / length);
    return format.format(unit === 'second' && Math.abs(amount) < 5 ? 0 : amount, unit);
  }

  /** Date and time to the second, with the zone. */
  function exact(time: string | number): string {
    const format =
      dates.get(language()) ?? new Intl.DateTimeFormat(tag(), { dateStyle: 'medium', timeStyle: 'long' });
    dates.set(language(), format);
    return format.format(new Date(time));
  }

  /** Date and time to the second, as short as they can be told. */
  function stamp(time: string | number): string {
    return new Intl.DateTimeFormat(tag(), { dateStyle: 'short', timeStyle: 'medium' }).format(new Date(time));
  }

  return { number, size, cores, ratio, duration, relative, exact, stamp };
}
