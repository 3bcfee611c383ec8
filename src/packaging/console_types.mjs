// @ts-check
// Checks the types of the console, its templates included: vue-tsc needs the compiler that is written in JavaScript.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run } from 'vue-tsc';

process.argv.push('--project', join(import.meta.dirname, '../console/tsconfig.json'));
run(createRequire(import.meta.url).resolve('typescript-6/lib/tsc'));
