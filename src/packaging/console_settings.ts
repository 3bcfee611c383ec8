import { join } from 'node:path';
import vue from '@vitejs/plugin-vue';
import ElementPlus from 'unplugin-element-plus/vite';
import type { InlineConfig } from 'vite';
import { root } from './target.ts';

/** Where the console's files lie when they are built. */
export const consoleFolder = join(root, 'dist/console');

/** How Vite builds the console, and serves it to who works on it. */
export const consoleSettings: InlineConfig = {
  configFile: false,
  root: join(root, 'src/console'),
  base: '/console/',
  logLevel: 'warn',
  // Gives each component of the library that is imported its own style sheet.
  plugins: [vue(), ElementPlus({})],
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy lets no font or script be a data: address.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    reportCompressedSize: false,
  },
  server: {
    port: 5173,
    // The Host header stays that of the page, so that the agent sees a page of its own.
    proxy: Object.fromEntries(
      ['/api', '/docs', '/openapi.json', '/schema'].map((path) => [
        path,
        { target: process.env['DAVIT_AGENT'] ?? 'http://127.0.0.1:8888' },
      ]),
    ),
  },
};
