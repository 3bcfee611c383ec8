import type { Messages } from '../en/index.ts';
import activity from './activity.ts';
import alerts from './alerts.ts';
import common from './common.ts';
import connections from './connections.ts';
import editor from './editor.ts';
import layout from './layout.ts';
import logs from './logs.ts';
import overview from './overview.ts';
import routing from './routing.ts';
import service from './service.ts';
import services from './services.ts';
import settings from './settings.ts';
import states from './states.ts';

export default {
  activity,
  alerts,
  common,
  connections,
  editor,
  layout,
  logs,
  overview,
  routing,
  service,
  services,
  settings,
  states,
} satisfies Messages;
