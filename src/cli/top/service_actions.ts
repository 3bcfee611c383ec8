import type { Operation, Step, TopState } from './state.ts';

/** Asks whether something should be done to a service. */
export function ask(operation: Operation): (state: TopState, service: string) => Step {
  return (state, service) => [{ ...state, prompt: { kind: 'question', operation, service } }];
}

/** Does something to a service, unless something is being done to it. */
export function operate(operation: Operation): (state: TopState, service: string) => Step {
  return (state, service) => {
    const current = state.under_way.get(service);
    if (current !== undefined) {
      const text = `The ${current} of ${service} is still under way.`;
      return [{ ...state, note: { text, isError: true } }];
    }
    const under_way = new Map([...state.under_way, [service, operation]]);
    return [
      { ...state, under_way },
      { kind: 'operate', operation, service },
    ];
  };
}
