import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { type Bench, benches } from './benches.ts';
import { describeDisk } from './disk.ts';
import { type Report, render, renderSummary } from './report.ts';
import { Sandbox } from './sandbox.ts';

const usage = `npm run bench -- <bench> [options]

Benches and their parts:
${Object.entries(benches)
  .map(([name, { parts }]) => `  ${name}: ${parts.join(', ')}`)
  .join('\n')}

Options:
  --only <part,…>  only these parts
  --from-source    run davit from its source even when dist/davit has been built
  --quick          few repetitions: shows that it works, its figures say little
  --json <file>    also write every single measurement to a file
`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    'from-source': { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

/** The named bench and its chosen parts; throws a sentence when there is no such bench or part. */
function choose(name: string): { readonly chosen: Bench; readonly parts: readonly string[] } {
  const chosen = benches[name];
  if (chosen === undefined) throw new Error(`There is no bench "${name}".\n\n${usage}`);
  const wanted = options.only?.split(',') ?? chosen.parts;
  const unknown = wanted.filter((part) => !chosen.parts.includes(part));
  if (unknown.length > 0)
    throw new Error(`The bench ${name} has no part "${unknown.join('", "')}".\n\n${usage}`);
  return { chosen, parts: chosen.parts.filter((part) => wanted.includes(part)) };
}

function machine(): string {
  return `${cpus().length} cores (${cpus()[0]?.model.trim()}), Linux ${release()}, Node ${process.versions.node}`;
}

/** Work of others takes more from whoever has to wait for a second process to be scheduled. */
function describeLoad(): string {
  const [lastMinute = 0] = loadavg();
  const facts = `load before the run: ${lastMinute.toFixed(2)}`;
  return lastMinute < 0.5
    ? facts
    : `${facts}\nOther work keeps this machine busy: not even the ratios are to be trusted.`;
}

/** The other parts go on without it. */
function failed(part: string, error: unknown): Report {
  process.exitCode = 1;
  const measured = error instanceof Error ? error.message : String(error);
  return {
    title: `${part}: failed`,
    columns: ['why'],
    rows: [[measured]],
    minimums: [{ what: 'the whole part', measured, wanted: 'to be measured', held: null }],
    notes: [],
    samples: { error: error instanceof Error ? error.stack : measured },
  };
}

async function measure(name: string, sandbox: Sandbox): Promise<void> {
  const { chosen, parts } = choose(name);
  const opened = await chosen.open(sandbox, options['from-source']);
  const versions = Object.entries(opened.versions).map(([name, version]) => `${name} ${version}`);
  const disk = describeDisk(sandbox.makeFolder('disk'));
  const load = describeLoad();
  process.stdout.write(`${machine()}\n${versions.join('; ')}\n${disk}\n${load}\n\n`);
  const reports: Record<string, Report> = {};
  for (const part of parts) {
    const report = await opened
      .measure(part, { sandbox, quick: options.quick })
      .catch((error: unknown) => failed(part, error));
    reports[part] = report;
    process.stdout.write(`${render(report)}\n`);
  }
  if (Object.values(reports).some(({ minimums = [] }) => minimums.length > 0)) {
    process.stdout.write(`${renderSummary(reports)}\n`);
  }
  if (options.json !== undefined) {
    const result = {
      date: new Date().toISOString(),
      machine: machine(),
      disk,
      load,
      versions: opened.versions,
      reports,
    };
    writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

const [wanted] = positionals;
if (wanted === undefined) {
  process.stdout.write(usage);
} else {
  const sandbox = new Sandbox();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void sandbox.close().finally(() => process.exit(130)));
  }
  try {
    await measure(wanted, sandbox);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await sandbox.close();
  }
}
