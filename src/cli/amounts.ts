import type { SeriesUnit } from '../contract/series.ts';
import { sizeText } from './format.ts';

/** `12.5%`; of processors, 100 % is one of them. '-': not known. */
export function percent(share: number | null): string {
  if (share === null) return '-';
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)}%`;
}

export function size(bytes: number | null): string {
  return bytes === null ? '-' : sizeText(bytes);
}

export function rate(perSecond: number | null): string {
  if (perSecond === null) return '-';
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** A value of a series with its unit. */
export function amount(value: number | null, unit: SeriesUnit): string {
  if (value === null) return '-';
  switch (unit) {
    case 'ratio':
      return percent(value);
    case 'bytes':
      return sizeText(value);
    case 'bytes/s':
      return `${sizeText(value)}/s`;
    case 'seconds':
      return seconds(value);
    case 'count/s':
      return `${rate(value)}/s`;
    case 'cores':
    case 'load':
      return value.toFixed(2);
    case 'count':
      return Number.isInteger(value) ? String(value) : value.toFixed(1);
  }
}

function seconds(value: number): string {
  if (value >= 1) return `${value.toFixed(1)}s`;
  const milliseconds = value * 1_000;
  return `${milliseconds.toFixed(milliseconds >= 10 ? 0 : 1)}ms`;
}
