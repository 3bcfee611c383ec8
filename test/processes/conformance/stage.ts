import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { findControlGroupPlace } from '../../../src/processes/control_group.ts';
import type { Program } from '../../../src/processes/launch.ts';
import {
  type AdoptedTree,
  type InstanceProof,
  type PreparedTree,
  Runtime,
} from '../../../src/processes/runtime.ts';
import { programOf } from '../../helpers/processes.ts';
import { until } from '../../helpers/system.ts';

/** What a case asks for besides a command. */
export type Wish = Partial<Omit<Program, 'command' | 'runner'>>;

/** A program that runs. */
export interface Running {
  readonly tree: PreparedTree;
  readonly pid: number;
}

/** What an agent that was killed has left. */
interface Left {
  readonly proof: InstanceProof;
  /** Null when it has not let the program go. */
  readonly pid: number | null;
}

const agentProgram = resolve(import.meta.dirname, '../../fixtures/runner_agent.ts');
const noLimits = {
  memory_bytes: null,
  cpu_cores: null,
  pids: null,
  open_files: null,
  enforcement: 'required',
} as const;

/** A folder of what one agent after the other starts by one runner. Nothing of it is left after the test. */
export class Stage {
  readonly runner: Program['runner'];
  readonly runtime: Runtime;
  readonly #folder = mkdtempSync(join(tmpdir(), 'davit-runner-'));
  readonly #instances = join(this.#folder, 'instances');

  constructor(t: TestContext, runner: Program['runner']) {
    this.runner = runner;
    this.runtime = this.nextAgent();
    t.after(async () => {
      this.runtime.close();
      const cleaner = this.nextAgent();
      for (const orphan of await cleaner.orphans(new Set()))
        await cleaner.stopOrphan(orphan, { signal: 'SIGKILL', timeout_ms: 0 });
      rmSync(this.#folder, { recursive: true });
    });
  }

  nextAgent(): Runtime {
    return new Runtime({
      directory: this.#instances,
      controlGroups: findControlGroupPlace('auto'),
      onProblem: assert.fail,
    });
  }

  program(command: Program['command'], wish: Wish = {}): Program {
    const { DAVIT_INSTANCE_ID: _, ...env } = programOf(command).env;
    const stop = { signal: 'SIGTERM', timeout_ms: 10_000 } as const;
    return { ...programOf(command), env, limits: noLimits, stop, ...wish, runner: this.runner };
  }

  async prepare(command: Program['command'], wish: Wish = {}): Promise<PreparedTree> {
    const [stdout, stderr] = [openSync(this.#file('out'), 'a'), openSync(this.#file('err'), 'a')];
    const close = () => {
      closeSync(stdout);
      closeSync(stderr);
    };
    try {
      const tree = await this.runtime.prepare(this.program(command, wish), { stdout, stderr });
      return { ...tree, letGo: () => tree.letGo().finally(close) };
    } catch (error) {
      close();
      throw error;
    }
  }

  async start(command: Program['command'], wish: Wish = {}): Promise<Running> {
    const tree = await this.prepare(command, wish);
    return { tree, pid: await tree.letGo() };
  }

  /** The same, once it says that it is ready. */
  async startReady(command: Program['command'], wish: Wish = {}): Promise<Running> {
    const running = await this.start(command, wish);
    await this.wrote('ready');
    return running;
  }

  /** Has another agent start a program, and kills that agent. */
  async startAndKillAgent(command: Program['command'], { letGo = true } = {}): Promise<Left> {
    const order = {
      directory: this.#instances,
      output: this.#file('out'),
      program: this.program(command),
      letGo,
    };
    const agent = spawn(process.execPath, [agentProgram, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(agent.stdout, 'data');
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    return JSON.parse(String(line));
  }

  adopt({ proof }: Left): AdoptedTree {
    return this.runtime.adopt(proof) ?? assert.fail('not taken up');
  }

  output(): string {
    return readFileSync(this.#file('out'), 'utf8');
  }

  errors(): string {
    return readFileSync(this.#file('err'), 'utf8');
  }

  wrote(line: string): Promise<void> {
    return until(`it writes "${line}"`, () => this.output().split('\n').includes(line));
  }

  /** The pids that the program has announced as its descendants, once there are so many. */
  async children(count: number): Promise<number[]> {
    const announced = () => [...this.output().matchAll(/^child (\d+)$/gm)].map(([, pid]) => Number(pid));
    await until(`it has announced ${count} children`, () => announced().length >= count);
    return announced();
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}
