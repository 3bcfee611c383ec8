import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { prepareContenders } from './contenders.ts';
import { describeDisk } from './disk.ts';
import { measureAdoption } from './parts/adoption.ts';
import { measureCapture } from './parts/capture.ts';
import { measureBatchDeploys } from './parts/deploy_batch.ts';
import { measureDefaultDeploys } from './parts/deploy_default.ts';
import { measureSingleDeploys } from './parts/deploy_single.ts';
import { measureFollow } from './parts/follow.ts';
import { measureIdle } from './parts/idle.ts';
import { measureIdleServices } from './parts/idle_services.ts';
import { measureKills } from './parts/kills.ts';
import { measureProbes } from './parts/probes.ts';
import { measureQuery } from './parts/query.ts';
import { measureRecovery } from './parts/recovery.ts';
import { measureRestarts } from './parts/restart.ts';
import { measureRestartLoop } from './parts/restart_loop.ts';
import { measureStatus } from './parts/status.ts';
import { measureSteady } from './parts/steady.ts';
import { measureStop } from './parts/stop.ts';
import { type Report, render, renderSummary } from './report.ts';
import type { Measurement } from './run.ts';
import { Sandbox } from './sandbox.ts';

/** A bench is a list of measurements that are made in one run, one after another. */
const benches: Readonly<Record<string, Readonly<Record<string, Measurement>>>> = {
  deploy: {
    single: measureSingleDeploys,
    default: measureDefaultDeploys,
    restart: measureRestarts,
    batch: measureBatchDeploys,
    status: measureStatus,
    idle: measureIdle,
  },
  runtime: {
    kills: measureKills,
    adoption: measureAdoption,
    capture: measureCapture,
    steady: measureSteady,
    stop: measureStop,
    restart: measureRestarts,
    recovery: measureRecovery,
    restart_loop: measureRestartLoop,
    idle: measureIdleServices,
    probes: measureProbes,
    follow: measureFollow,
    query: measureQuery,
  },
};

const usage = `npm run bench -- <bench> [options]

Benches and their parts:
${Object.entries(benches)
  .map(([name, parts]) => `  ${name}: ${Object.keys(parts).join(', ')}`)
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

/** The chosen parts of the named bench; throws a sentence when there is no such bench or part. */
function chosenParts(bench: string): [string, Measurement][] {
  const parts = Object.entries(benches[bench] ?? {});
  if (parts.length === 0) throw new Error(`There is no bench "${bench}".\n\n${usage}`);
  const wanted = options.only?.split(',') ?? parts.map(([name]) => name);
  const unknown = wanted.filter((name) => !parts.some(([part]) => part === name));
  if (unknown.length > 0)
    throw new Error(`The bench ${bench} has no part "${unknown.join('", "')}".\n\n${usage}`);
  return parts.filter(([name]) => wanted.includes(name));
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

async function measure(bench: string, sandbox: Sandbox): Promise<void> {
  const parts = chosenParts(bench);
  const contenders = await prepareContenders(sandbox, options['from-source']);
  const versions = Object.entries(contenders.versions).map(([name, version]) => `${name} ${version}`);
  const disk = describeDisk(sandbox.makeFolder('disk'));
  const load = describeLoad();
  process.stdout.write(`${machine()}\n${versions.join('; ')}\n${disk}\n${load}\n\n`);
  const reports: Record<string, Report> = {};
  for (const [name, part] of parts) {
    const report = await part({ sandbox, contenders, quick: options.quick }).catch((error: unknown) =>
      failed(name, error),
    );
    reports[name] = report;
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
      versions: contenders.versions,
      reports,
    };
    writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

const [bench] = positionals;
if (bench === undefined) {
  process.stdout.write(usage);
} else {
  const sandbox = new Sandbox();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void sandbox.close().finally(() => process.exit(130)));
  }
  try {
    await measure(bench, sandbox);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await sandbox.close();
  }
}
