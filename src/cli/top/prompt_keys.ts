import { filtered } from './log_actions.ts';
import { operate } from './service_actions.ts';
import type { Prompt, Step, TopState } from './state.ts';

/** As long as an expression may be that an agent is asked for. */
const longestText = 1_000;

/** What a key does while something is asked, typed or explained. */
export function takePromptKey(state: TopState, prompt: Prompt, key: string): Step {
  switch (prompt.kind) {
    case 'help':
      return [{ ...state, prompt: null }];
    case 'question':
      // Whatever is not yes is no.
      return key === 'y' || key === 'Y'
        ? operate(prompt.operation)({ ...state, prompt: null }, prompt.service)
        : [{ ...state, prompt: null }];
    case 'filter':
      return typeFilter(state, key);
    case 'grep':
      return typeGrep(state, prompt.text, key);
  }
}

/** A filter works as it is typed. */
function typeFilter(state: TopState, key: string): Step {
  if (key === 'escape') return [{ ...state, filter: '', prompt: null }];
  if (isEnd(key)) return [{ ...state, prompt: null }];
  return [{ ...state, filter: typed(state.filter, key) }];
}

function typeGrep(state: TopState, text: string, key: string): Step {
  if (key === 'escape') return [{ ...state, prompt: null }];
  if (!isEnd(key)) return [{ ...state, prompt: { kind: 'grep', text: typed(text, key) } }];
  const { view } = state;
  if (view.kind !== 'logs') return [{ ...state, prompt: null }];
  const grep = text === '' ? null : text;
  return filtered({ ...state, prompt: null }, view, { ...view.filter, grep });
}

function isEnd(key: string): boolean {
  return key === 'return' || key === 'enter';
}

function typed(text: string, key: string): string {
  if (key === 'backspace') return [...text].slice(0, -1).join('');
  if (key === 'ctrl+u') return '';
  if (key === 'ctrl+w') return text.replace(/\S*\s*$/, '');
  return [...key].length === 1 ? (text + key).slice(0, longestText) : text;
}
