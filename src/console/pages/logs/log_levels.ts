import type { LogLevel } from '../../../contract/scalars.ts';

/** From least to most. */
export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
