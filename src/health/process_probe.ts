import type { ProbeOf } from '../contract/probe.ts';
import { bytes, milliseconds } from '../lib/units.ts';
import { attempt, type ProbeCheck } from './attempt.ts';
import type { ProbedInstance, TreeUsage } from './target.ts';

interface Sample {
  readonly taken_at: number;
  readonly cpu_seconds: number;
}

/** Whether the process is there, and uses no more than it may. */
export function processProbe(
  probe: ProbeOf<'process'>,
  target: Pick<ProbedInstance, 'isAlive' | 'usage'>,
): ProbeCheck {
  const timeout_ms = milliseconds(probe.timeout);
  const hasCeiling = probe.max_memory !== null || probe.max_cpu !== null;
  let before: Sample | null = null;
  return (signal) =>
    attempt({ subject: 'The process', timeout_ms, signal }, (end) => {
      const onUsage = (usage: TreeUsage | null) => {
        if (usage === null) return end(true, 'is there; what it uses is not known');
        const now = { taken_at: performance.now(), cpu_seconds: usage.cpu_seconds };
        const complaint = memoryComplaint(probe, usage) ?? cpuComplaint(probe, before, now);
        before = now;
        end(complaint === null, complaint ?? 'is there and within its limits');
      };
      if (!target.isAlive()) end(false, 'is gone');
      else if (!hasCeiling) end(true, 'is there');
      else target.usage().then(onUsage, () => onUsage(null));
      return { close: () => {}, waitsFor: () => 'what it uses' };
    });
}

function memoryComplaint({ max_memory }: ProbeOf<'process'>, { resident_bytes }: TreeUsage): string | null {
  if (max_memory === null || resident_bytes <= bytes(max_memory)) return null;
  return `uses ${Math.ceil(resident_bytes / 1e6)}MB of memory, more than ${max_memory}`;
}

/** Null for the first sample too. The use of children that have ended meanwhile is not seen. */
function cpuComplaint({ max_cpu }: ProbeOf<'process'>, before: Sample | null, now: Sample): string | null {
  if (max_cpu === null || before === null) return null;
  const cores = (now.cpu_seconds - before.cpu_seconds) / ((now.taken_at - before.taken_at) / 1_000);
  return cores > max_cpu ? `uses ${cores.toFixed(2)} cores, more than ${max_cpu}` : null;
}
