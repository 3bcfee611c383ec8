import type { AgentActions } from '../../src/cli/agent_command.ts';
import type { RouterActions } from '../../src/cli/router_command.ts';

/** In place of the agent: says what it would have been called with. */
export function stubs(out: NodeJS.WritableStream): AgentActions & RouterActions {
  return {
    runAgent: async (flags) => void out.write(JSON.stringify(flags)),
    runRouter: async (flags) => void out.write(JSON.stringify(flags)),
    checkConfig: (flags) => ({
      listen: '127.0.0.1:0',
      port_range: '20000-20009',
      tls: null,
      router: null,
      ...flags,
    }),
    checkAgent: ({ data = '/data' }) => ({
      version: '1.0.0',
      commit: 'abc',
      data,
      stop_services: false,
      state_version: 1,
      next_state_version: 2,
      services: 3,
      releases: 7,
    }),
  };
}
