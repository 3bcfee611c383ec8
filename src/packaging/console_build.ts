import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build, createServer } from 'vite';
import { type ConsoleFile, consoleFilesName } from '../lib/assets.ts';
import { consoleFolder, consoleSettings } from './console_settings.ts';
import { root } from './target.ts';

/** What the console is made of, besides the packages of the lockfile. */
const sources = ['package-lock.json', 'src/console', 'src/contract', 'src/lib', 'src/packaging'];

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Writes the console's files, each of them compressed in both ways that browsers ask for, and the list of them. */
export async function buildConsole(): Promise<void> {
  const fingerprint = fingerprintOf(sources);
  if (builtFrom() === fingerprint) return;
  // Beside what there is, which stays where this fails.
  const outDir = `${consoleFolder}.${process.pid}`;
  try {
    await bundle(outDir);
    const files = filesIn(outDir).map((path) => compress(outDir, path));
    writeFileSync(join(outDir, consoleFilesName), JSON.stringify({ fingerprint, files }));
    rmSync(consoleFolder, { recursive: true, force: true });
    renameSync(outDir, consoleFolder);
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/**
 * What nearly every page needs comes in a few files, so that a browser far away waits for few; the rest with the pages.
 */
const groups = [
  { name: 'vue', test: /node_modules[\\/](@vue|vue|vue-router|pinia|vue-i18n|@intlify)[\\/]/ },
  {
    name: 'elements',
    test: /node_modules[\\/](element-plus|@element-plus|@floating-ui|@popperjs|@vueuse|lodash-es|async-validator)[\\/]/,
  },
  { name: 'frame', test: /console[\\/](api|composables|layout|stores)[\\/]|export-helper|preload-helper/ },
];

/** A dependency that is missing fails it: it would be missed in the browser only. */
async function bundle(outDir: string): Promise<void> {
  const onLog = (level: string, log: { code?: string; message: string }) => {
    if (level === 'warn' && log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
  };
  await build({
    ...consoleSettings,
    build: {
      ...consoleSettings.build,
      outDir,
      rolldownOptions: { onLog, output: { codeSplitting: { groups } } },
    },
  });
}

/** Serves the console as its source changes, until the process ends. */
export async function serveConsole(): Promise<void> {
  const server = await createServer({ ...consoleSettings, logLevel: 'info' });
  await server.listen();
  server.printUrls();
}

function compress(folder: string, path: string): ConsoleFile {
  const file = join(folder, path);
  const content = readFileSync(file);
  const type = types[extname(path)];
  if (type === undefined) throw new Error(`${path} is of no type that the console has`);
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
  const params = { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
  writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  rmSync(file);
  return { path, type, hash: hash(content), size: content.length };
}

function builtFrom(): string | null {
  const list = join(consoleFolder, consoleFilesName);
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')).fingerprint : null;
}

function fingerprintOf(paths: readonly string[]): string {
  const digest = createHash('sha256');
  for (const path of paths) {
    const file = join(root, path);
    const names = statSync(file).isFile() ? [file] : filesIn(file).map((name) => join(file, name));
    for (const name of names) digest.update(`${name}\0`).update(readFileSync(name));
  }
  return digest.digest('hex');
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

function hash(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}
