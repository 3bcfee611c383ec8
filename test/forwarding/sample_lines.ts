import type { Outgoing, Render } from '../../src/forwarding/outgoing.ts';
import { Source } from '../../src/forwarding/source.ts';
import type { FeedLine } from '../../src/logs/log_feed.ts';

/** A line that ends at so many bytes of the first run of its service. */
export function line(text: string, end: number, more: Partial<FeedLine> = {}): FeedLine {
  return {
    time: '2026-01-31T12:00:00.123Z',
    stream: 'stdout',
    line: text,
    level: null,
    release: 3,
    instance: 1,
    id: `1.${more.stream ?? 'stdout'}.${end}`,
    cursor: more.stream === 'stderr' ? `1.0.${end}` : `1.${end}.0`,
    ...more,
  };
}

/** The same lines as they go out. */
export function outgoing(render: Render, lines: readonly FeedLine[], service = 'web'): Outgoing[] {
  const source = new Source(service, [{ run: 1, stdout: 0, stderr: 0 }]);
  return lines.map((each) => ({ source, cursor: each.cursor, ...render(service, each) }));
}
