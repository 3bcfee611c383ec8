import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { AgentInformation } from '../../contract/agent.ts';
import { api } from '../api/client.ts';
import { useLive } from './live.ts';

/** The agent that this console is of. */
export const useAgent = defineStore('agent', () => {
  const information = shallowRef<AgentInformation | null>(null);

  async function load(): Promise<void> {
    information.value = await api.get<AgentInformation>('/agent');
  }

  function begin(): void {
    useLive().on('connected', () => void load().catch(() => undefined));
  }

  return { information, load, begin };
});
