import { z } from 'zod';

/** What `davit agent --check --json` finds; read by the `davit upgrade` of other versions, so fields are only added. */
export const agentCheck = z.object({
  version: z.string(),
  commit: z.string(),
  data: z.string().describe('The data directory of the configuration.'),
  stop_services: z.boolean().describe('The setting: whether services end with the agent.'),
  state_version: z.int().nullable().describe('The version of the state as it is; null: there is none yet.'),
  next_state_version: z.int().describe('The version to which the start of this agent brings it.'),
  services: z.int(),
  releases: z.int(),
});
export type AgentCheck = z.infer<typeof agentCheck>;
