import { setTimeout as sleep } from 'node:timers/promises';
import { Churn } from '../churn.ts';
import { serviceIds, usingPeers } from '../contenders.ts';
import { LogFollower } from '../log_follower.ts';
import { NumberCheck, type NumberResult, sumUp } from '../number_check.ts';
import type { Davit } from '../peers/davit.ts';
import { commandLines, runningAs } from '../processes.ts';
import { program } from '../programs.ts';
import type { Minimum, Report } from '../report.ts';
import type { Run } from '../run.ts';
import { until } from '../until.ts';

/**
 * Every other agent is killed at a random moment of its first so many milliseconds, most of which are its start; the
 * others at one of the same time after their first answer.
 */
const longestLife = 1000;
/** How long the agent may take to put in order what the last kill left, in milliseconds. */
const settling = 3000;
const rate = 200;

interface Scale {
  readonly kills: number;
  readonly writers: number;
  readonly churned: number;
  readonly followed: number;
}

interface Status {
  readonly status: string;
  readonly pid?: number;
}

interface Page {
  readonly lines: readonly { readonly line: string }[];
  readonly before: string;
}

interface Outcome {
  readonly ended: number;
  /** What runs and is not shown so, or the other way round, each in words. */
  readonly wronglyShown: readonly string[];
  /** Services that have more than one process, each in words. */
  readonly duplicates: readonly string[];
  readonly raw: NumberResult & { readonly written: number };
  readonly followed: NumberResult & { readonly written: number };
  readonly paged: NumberResult & { readonly written: number };
  readonly reconnections: number;
  readonly skips: number;
  readonly killedBeforeAnswer: number;
  readonly churn: Churn['counts'];
  readonly refusals: Readonly<Record<string, number>>;
}

/** Whether anything is lost when the agent is killed again and again under load. */
export async function measureKills({ sandbox, contenders, quick }: Run): Promise<Report> {
  const scale: Scale = quick
    ? { kills: 8, writers: 30, churned: 4, followed: 4 }
    : { kills: 100, writers: 200, churned: 10, followed: 20 };
  const writers = serviceIds(scale.writers);
  const churned = Array.from({ length: scale.churned }, (_, at) => `churned${at + 1}`);
  const command = (service: string) =>
    service.startsWith('churned')
      ? ['sleep', String(100_000 + churned.indexOf(service))]
      : program('numbered.pl', service, rate);
  const peer = await contenders.davit([...writers, ...churned], { command });
  const outcome = await usingPeers(sandbox, [peer], () => {
    const trial = new Trial(peer, { writers, churned, command });
    return sandbox.using(
      () => trial.stop(),
      () => trial.run(scale),
    );
  });
  return report(scale, outcome);
}

interface Services {
  readonly writers: readonly string[];
  readonly churned: readonly string[];
  readonly command: (service: string) => readonly string[];
}

class Trial {
  readonly #peer: Davit;
  readonly #services: Services;
  readonly #churn: Churn;
  readonly #followers: { readonly follower: LogFollower; readonly check: NumberCheck }[] = [];

  constructor(peer: Davit, services: Services) {
    this.#peer = peer;
    this.#services = services;
    this.#churn = new Churn(peer.agent, services.churned, (service) => peer.spec(service));
  }

  async run({ kills, followed }: Scale): Promise<Outcome> {
    const { agent } = this.#peer;
    const { writers } = this.#services;
    await this.#peer.deployAll();
    await until('every writer runs', () => this.#pidsOf(writers).every((pids) => pids.length === 1));
    const before = this.#pidsOf(writers);
    for (const service of writers.slice(0, followed)) this.#follow(service);
    // Without a cursor a follower could not come back to where it was.
    await until('every follower follows', () => this.#followers.every(({ check }) => check.hasBegun));
    this.#churn.start();
    await agent.kill();
    let killedBeforeAnswer = 0;
    for (let count = 1; count < kills; count += 1) {
      const moment = Math.random() * longestLife;
      const answered = await (count % 2 === 0 ? agent.launchAndKill(moment) : this.#useAndKill(moment));
      if (!answered) killedBeforeAnswer += 1;
    }
    await agent.launch();
    await this.#churn.stop();
    const { ended, wronglyShown, duplicates } = await this.#compare(before);
    await this.#endWriters();
    return {
      ended,
      wronglyShown,
      duplicates,
      raw: sumUp(writers.map((service) => this.#readFiles(service))),
      followed: await this.#readFollowers(),
      paged: await this.#readAllPages(),
      reconnections: this.#followers.reduce((sum, { follower }) => sum + follower.connections - 1, 0),
      skips: this.#followers.reduce((sum, { follower }) => sum + follower.skips, 0),
      killedBeforeAnswer,
      churn: this.#churn.counts,
      refusals: this.#churn.refusals,
    };
  }

  async stop(): Promise<void> {
    await this.#churn.stop();
    await Promise.all(this.#followers.map(({ follower }) => follower.stop()));
  }

  async #useAndKill(moment: number): Promise<boolean> {
    const { agent } = this.#peer;
    await agent.launch();
    await sleep(moment);
    await agent.kill();
    return true;
  }

  #follow(service: string): void {
    const { url, headers } = this.#peer.agent;
    const check = new NumberCheck(service);
    const onLine = (line: string) => check.read(line);
    this.#followers.push({
      follower: new LogFollower({ url, headers, service, lines: 10_000, onLine }),
      check,
    });
  }

  #pidsOf(services: readonly string[]): (readonly number[])[] {
    const lines = commandLines();
    return services.map((service) => runningAs(this.#services.command(service), lines));
  }

  /** What runs against what ran before, and against what the agent says. */
  async #compare(
    before: readonly (readonly number[])[],
  ): Promise<Pick<Outcome, 'ended' | 'wronglyShown' | 'duplicates'>> {
    const { writers, churned } = this.#services;
    const services = [...writers, ...churned];
    let shown = await this.#statuses();
    const isSettled = () =>
      services.every((service) => /^(running|stopped)$/.test(shown[service]?.status ?? ''));
    for (let looks = 0; looks < 100 && !isSettled(); looks += 1) shown = await this.#statuses();
    // What is on its way out has that long to be gone.
    await sleep(settling);
    const after = this.#pidsOf(services);
    shown = await this.#statuses();
    const describe = (service: string, pids: readonly number[]) => {
      const { status, pid } = shown[service] ?? { status: 'unknown' };
      return `${service} is shown ${status} as ${pid ?? 'nothing'}, and runs as ${pids.join(', ') || 'nothing'}`;
    };
    const isRight = (service: string, pids: readonly number[]) =>
      pids.length > 0 === (shown[service]?.status === 'running');
    const found = services.map((service, at) => ({ service, pids: after[at] ?? [] }));
    const inWords = (list: typeof found) => list.map(({ service, pids }) => describe(service, pids));
    return {
      ended: before.filter((pids, at) => !after[at]?.includes(pids[0] ?? 0)).length,
      wronglyShown: inWords(found.filter(({ service, pids }) => !isRight(service, pids))),
      duplicates: inWords(found.filter(({ pids }) => pids.length > 1)),
    };
  }

  async #statuses(): Promise<Record<string, Status>> {
    return (await this.#peer.agent.askFor<Record<string, Status>>('GET', '/services')).body;
  }

  async #endWriters(): Promise<void> {
    const { writers } = this.#services;
    const operations = writers.map((service) => ({ operation: 'stop', service }));
    await this.#peer.agent.askFor('POST', '/api/v1/batch', { operations });
  }

  #readFiles(service: string): NumberResult {
    const check = new NumberCheck(service);
    for (const text of this.#peer.output(service)) {
      for (const line of text.split('\n')) if (line !== '') check.read(line);
    }
    return check.result();
  }

  /** Page after page from the end to the beginning, each with the cursor of the one before. */
  async #readPages(service: string): Promise<NumberResult> {
    const pages: string[][] = [];
    let cursor = '';
    for (;;) {
      const path = `/service/${service}/logs?lines=10000${cursor}`;
      const { lines, before } = (await this.#peer.agent.askFor<Page>('GET', path)).body;
      if (lines.length === 0) break;
      pages.push(lines.map(({ line }) => line));
      cursor = `&before=${before}`;
    }
    const check = new NumberCheck(service);
    for (const line of pages.reverse().flat()) check.read(line);
    return check.result();
  }

  async #readAllPages(): Promise<Outcome['paged']> {
    const results: NumberResult[] = [];
    for (const service of this.#services.writers) results.push(await this.#readPages(service));
    return sumUp(results);
  }

  /** The followers get half a minute to read what they have not read yet. */
  async #readFollowers(): Promise<Outcome['followed']> {
    const haveRead = () => this.#followers.every(({ check }) => check.hasEnded);
    await until('all has been read', haveRead, { seconds: 30 }).catch(() => undefined);
    return sumUp(this.#followers.map(({ check }) => check.result()));
  }
}

function report({ kills, writers, churned, followed }: Scale, outcome: Outcome): Report {
  const { raw, followed: read, paged } = outcome;
  const ways = [raw, read, paged];
  const inAll = (of: (result: NumberResult) => number) => ways.reduce((sum, way) => sum + of(way), 0);
  const zero = (what: string, count: number): Minimum => ({
    what,
    measured: String(count),
    wanted: '0',
    held: count === 0,
  });
  return {
    title: `kill -9 of the agent, ${kills} times, while ${writers} services write`,
    columns: ['', 'lines written', 'lost', 'doubled', 'damaged'],
    rows: [
      ['files as they were written', raw.written, raw.lost, raw.doubled, raw.damaged].map(String),
      [`${followed} followers over the API`, read.written, read.lost, read.doubled, read.damaged].map(String),
      ['pages over the API', paged.written, paged.lost, paged.doubled, paged.damaged].map(String),
    ],
    minimums: [
      zero('services that ended', outcome.ended),
      zero(
        'lines lost',
        inAll(({ lost, damaged }) => lost + damaged),
      ),
      zero(
        'lines doubled',
        inAll(({ doubled }) => doubled),
      ),
      zero('services started a second time', outcome.duplicates.length),
      zero('services shown other than they are', outcome.wronglyShown.length),
    ],
    notes: [
      `Each writer was asked for ${rate} lines/s and reached ${(raw.rate / writers).toFixed(0)}; ${raw.rate.toFixed(0)} lines/s in all.`,
      `Killed at a random moment of a second after its start or after its first answer, in turn: ${outcome.killedBeforeAnswer} times before it had answered once.`,
      `Meanwhile ${churned} other services were deployed, restarted and stopped at random: ${outcome.churn.answered} times answered, ${outcome.churn.cutShort} times cut short; refusals: ${JSON.stringify(outcome.refusals)}.`,
      `Followers came back with their cursor ${outcome.reconnections} times, and were told ${outcome.skips} times that something was left out.`,
      ...outcome.duplicates,
      ...outcome.wronglyShown,
    ],
    samples: { outcome },
  };
}
