import type { ProbeOf } from '../contract/probe.ts';
import { errorMessage } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { joinWords } from '../lib/words.ts';
import { excerpt, type ProbeCheck } from './attempt.ts';
import type { CommandEnd, ProbedInstance } from './target.ts';

/** How much of a command and of the end of its output stands in a message, in characters. */
const shownCommand = 100;
const shownOutput = 1_000;

/** Whether a command ends with exit code 0. Whoever runs it keeps to the timeout. */
export function execProbe(probe: ProbeOf<'exec'>, target: Pick<ProbedInstance, 'runCommand'>): ProbeCheck {
  const { command } = probe;
  const subject = excerpt(typeof command === 'string' ? command : joinWords(command), shownCommand);
  const timeout_ms = milliseconds(probe.timeout);
  return async (signal) => {
    const began = performance.now();
    const ended = (success: boolean, message: string) => ({
      success,
      message: `\`${subject}\` ${message}`,
      duration_ms: performance.now() - began,
    });
    try {
      const end = await target.runCommand(command, timeout_ms, signal);
      return ended(end.code === 0 && !end.timed_out, describe(end, timeout_ms) + lastOf(end.output));
    } catch (error) {
      return ended(false, `could not be run: ${errorMessage(error)}`);
    }
  };
}

function describe({ code, signal, timed_out }: CommandEnd, timeout: number): string {
  if (timed_out) return `took longer than ${timeout} ms and was killed`;
  return code === null ? `was ended by ${signal ?? 'something unknown'}` : `ended with exit code ${code}`;
}

function lastOf(output: string): string {
  const text = output.trim();
  return text === '' ? '' : `: ${text.length > shownOutput ? `…${text.slice(-shownOutput)}` : text}`;
}
