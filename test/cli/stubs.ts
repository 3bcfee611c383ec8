import type { AgentActions } from '../../src/cli/agent_command.ts';

/** In place of the agent: says what it would have been called with. */
export function stubs(out: NodeJS.WritableStream): AgentActions {
  return {
    runAgent: async (flags) => void out.write(JSON.stringify(flags)),
    checkConfig: (flags) => flags,
  };
}
