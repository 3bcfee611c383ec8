import type { RuleTest, TestRule } from '../contract/rule_requests.ts';
import type { Publisher } from './publisher.ts';

/** Which rule and which instance a request would get by the table of now, and why. */
export function testRule(_publisher: Publisher, _request: TestRule): RuleTest {
  throw new Error('not yet');
}
