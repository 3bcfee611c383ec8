import { z } from 'zod';

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
