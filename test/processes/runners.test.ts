import { testRunner } from './conformance/runner_cases.ts';

if (process.platform === 'linux') testRunner('direct');
