import * as configs from '../configs.ts';
import { failedDeploy, type Operation, onService } from './operation.ts';

const onConfig = { tag: 'services', path: configs.configPath } as const;
const configErrors = [
  'service_not_found',
  'config_not_found',
  'config_unusable',
  'storage_unavailable',
] as const;
const failedReplacement = [
  ...configErrors,
  'validation_failed',
  'state_conflict',
  'body_too_large',
  ...failedDeploy.filter((code) => code !== 'storage_unavailable'),
] as const;

/** The configuration files of services. */
export const configOperations = {
  listConfigs: {
    ...onService,
    summary: 'The configuration files of a service, without their contents',
    answer: configs.configList,
    errors: ['service_not_found', 'storage_unavailable'],
  },
  showConfig: {
    ...onConfig,
    summary: 'A configuration file with its content',
    answer: configs.configContent,
    errors: configErrors,
  },
  replaceConfig: {
    ...onConfig,
    summary: 'Check and replace a configuration file, and let the service take it over',
    body: configs.replaceConfig,
    answer: configs.configResult,
    errors: failedReplacement,
  },
  listConfigVersions: {
    ...onConfig,
    summary: 'The contents that a configuration file had, newest first, without the contents themselves',
    answer: configs.configVersionList,
    errors: configErrors,
  },
  showConfigVersion: {
    tag: 'services',
    path: configs.configVersionPath,
    summary: 'One content that a configuration file had',
    answer: configs.configVersionContent,
    errors: configErrors,
  },
  diffConfig: {
    ...onConfig,
    summary: 'What differs between two versions of a configuration file, or the newest and the file as it is',
    query: configs.diffQuery,
    answer: configs.configDiff,
    errors: configErrors,
  },
  rollbackConfig: {
    ...onConfig,
    summary: 'Make an earlier version the content of a configuration file again',
    body: configs.rollbackConfig,
    answer: configs.configResult,
    errors: failedReplacement,
    // The answer shows what differs, and a configuration may hold secrets.
    secret: true,
  },
} as const satisfies Record<string, Operation>;
