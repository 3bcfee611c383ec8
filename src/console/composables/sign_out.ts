import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import { useSession } from '../stores/session.ts';
import { useAction } from './action.ts';

/** The way out, here or in every browser, which is asked about first. */
export function useSignOut() {
  const { t } = useI18n();
  const router = useRouter();
  const session = useSession();
  const { ask, run } = useAction();

  return async (everywhere: boolean): Promise<void> => {
    const name = session.session?.name ?? '';
    const question = {
      title: t('layout.sign_out_everywhere'),
      text: t('layout.sign_out_everywhere_text', { name }),
      action: t('layout.sign_out_everywhere'),
    };
    if (everywhere && !(await ask(question))) return;
    await router.push({ name: 'overview' });
    await run(() => session.signOut(everywhere));
    if (!session.isSignedIn) await router.replace({ name: 'sign-in' });
  };
}
