import type { Command } from 'commander';
import { addAlertRules } from './alert_rules.ts';
import { addShowAlert } from './alerts.ts';
import type { Act } from './command.ts';
import { addSilences } from './silences.ts';

/** alert: one alert, the rules that make them, and what keeps them from being told. */
export function addAlert(program: Command, act: Act): void {
  const alert = program
    .command('alert')
    .description('Show an alert, change what is watched, and silence what is known.');
  addShowAlert(alert, act);
  addAlertRules(alert, act);
  addSilences(alert, act);
}
