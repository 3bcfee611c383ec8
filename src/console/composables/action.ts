import { ElMessage, ElMessageBox, ElNotification } from 'element-plus';
import { h, ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { type ApiFailure, failureOf } from '../api/failure.ts';

interface Question {
  readonly title: string;
  /** What it costs. */
  readonly text: string;
  /** On the button. */
  readonly action: string;
  /** Whether something is lost or interrupted by it. Default: true. */
  readonly isDangerous?: boolean;
  /** What has to be typed first, for what cannot be had again. */
  readonly typed?: string;
}

/** What the agent does not say, or not to people. */
const ownWords: Readonly<Record<string, string>> = {
  agent_unreachable: 'common.unreachable',
  csrf_token_invalid: 'common.other_session',
};

/** Asks, acts, and says what came of it. */
export function useAction() {
  const { t } = useI18n();
  const isBusy = ref(false);

  /** Whether it is wanted. */
  async function ask({ title, text, action, isDangerous = true, typed }: Question): Promise<boolean> {
    const buttons = {
      confirmButtonText: action,
      cancelButtonText: t('common.cancel'),
      confirmButtonType: isDangerous ? ('danger' as const) : ('primary' as const),
      closeOnClickModal: false,
    };
    try {
      if (typed === undefined) await ElMessageBox.confirm(text, title, { ...buttons, autofocus: false });
      else {
        await ElMessageBox.prompt(text, title, {
          ...buttons,
          inputPlaceholder: typed,
          inputValidator: (value) => value === typed,
          inputErrorMessage: typed,
        });
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Runs it and says the sentence that `said` makes of its answer; null where it failed, which is said as well. */
  async function run<T>(act: () => Promise<T>, said?: (answer: T) => string): Promise<T | null> {
    isBusy.value = true;
    try {
      const answer = await act();
      if (said) succeed(said(answer));
      return answer;
    } catch (error) {
      fail(failureOf(error));
      return null;
    } finally {
      isBusy.value = false;
    }
  }

  function succeed(message: string): void {
    ElMessage({ message, type: 'success', duration: 5_000, showClose: true, grouping: true });
  }

  /** It stays until it is closed. */
  function fail(failure: ApiFailure): void {
    const { details, last_lines, request_id } = failure;
    const own = ownWords[failure.code];
    ElNotification({
      title: own === undefined ? sentence(failure.message) : t(own),
      type: 'error',
      duration: 0,
      customClass: 'failure',
      message: h('div', [
        ...details.map(({ path, message }) => h('p', path === '' ? message : `${path}: ${message}`)),
        last_lines.length > 0 ? h('pre', { tabindex: 0 }, last_lines.slice(-10).join('\n')) : null,
        request_id === null ? null : h('p', { class: 'soft' }, t('common.request_id', { id: request_id })),
      ]),
    });
  }

  return { isBusy, ask, run, succeed, fail };
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
