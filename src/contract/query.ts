import { z } from 'zod';
import { duration } from './scalars.ts';

export const flag = z.enum(['true', 'false', '1', '0', '']).describe('true or false');

/** Whether a query flag such as `?follow`, `?follow=true` or `?follow=1` is set. */
export function isSet(value: z.infer<typeof flag> | undefined): boolean {
  return value === 'true' || value === '1' || value === '';
}

/** A number in a query or a path. */
export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .refine((text) => Number(text) >= least && Number(text) <= most, `must be from ${least} to ${most}`);

/** An RFC 3339 time, or a duration such as `15m`: that long ago. */
export const moment = z
  .union([z.iso.datetime({ offset: true }), duration])
  .describe('An RFC 3339 time, or a duration such as 15m for that long ago.');
