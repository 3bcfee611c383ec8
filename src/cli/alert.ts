import type { Command } from 'commander';
import { addAlertRules } from './alert_rules.ts';
import { addShowAlert } from './alerts.ts';
import type { Act } from './command.ts';
import { addNotifiers } from './notifiers.ts';
import { addSilences } from './silences.ts';

/** alert: one alert, the rules that make them, what keeps them from being told, and who is told. */
export function addAlert(program: Command, act: Act): void {
  const alert = program
    .command('alert')
    .description('Show an alert, change what is watched and who is told, and silence what is known.');
  addShowAlert(alert, act);
  addAlertRules(alert, act);
  addSilences(alert, act);
  addNotifiers(alert, act);
}
