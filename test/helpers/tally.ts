import { appendFileSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';

/**
 * A test reporter beside the one that prints. It fails a run in which there was no test, which Node counts as a
 * success, and adds "passed failed skipped" of the run as a line to the file that DAVIT_TEST_TALLY names, if any.
 */
export default async function* tally(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // Each file has a summary too; the one of the whole run names no file.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    if (tests === 0) {
      process.exitCode = 1;
      yield 'No test ran.\n';
    }
    const file = process.env['DAVIT_TEST_TALLY'];
    if (file) appendFileSync(file, `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`);
  }
}
