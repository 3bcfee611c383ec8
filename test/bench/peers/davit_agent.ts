import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlGroup } from '../control_group.ts';
import { freePort, HttpClient } from '../http_client.ts';
import { killAllOf } from '../processes.ts';
import { type Daemon, end, launch } from './daemon.ts';
import type { DavitProgram } from './davit_program.ts';

/** The limits are kept, but out of reach: one key sends all that the bench can. */
const unlimited = 'rate_limits: { authenticated: { requests: 1000000000, per: 1s } }\n';

interface AgentSetup {
  /** An empty folder. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** What its configuration says besides, as YAML. */
  readonly configuration?: string;
}

/** An answer of the agent, read as JSON. */
export interface AgentAnswer {
  readonly status: number;
  readonly body: unknown;
  /** From sending the request to the end of the answer. */
  readonly milliseconds: number;
}

/**
 * The process of a davit agent with a data directory and a port of its own, which can be killed and started again. It has
 * a control group, as a unit of systemd has, where the host lets the bench make one.
 */
export class DavitAgent {
  readonly url: string;
  readonly folder: string;
  readonly data: string;
  readonly #program: DavitProgram;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #client: HttpClient;
  /** Of its own: a long answer holds up the other one. */
  readonly #probe: HttpClient;
  readonly #group: ControlGroup | null;
  #headers: Record<string, string> = {};
  #daemon: Daemon | null = null;

  private constructor(program: DavitProgram, { folder, environment = {} }: AgentSetup, url: string) {
    this.#program = program;
    this.#environment = environment;
    this.#client = new HttpClient(url);
    this.#probe = new HttpClient(url);
    this.#group = ControlGroup.make(folder);
    this.url = url;
    this.folder = folder;
    this.data = join(folder, 'data');
  }

  static async start(program: DavitProgram, setup: AgentSetup): Promise<DavitAgent> {
    const agent = new DavitAgent(program, setup, `http://127.0.0.1:${await freePort()}`);
    mkdirSync(join(setup.folder, 'services'));
    writeFileSync(join(setup.folder, 'davit.yaml'), unlimited + (setup.configuration ?? ''));
    await agent.launch().catch(async (error: unknown) => {
      await agent.stop();
      throw error;
    });
    const key = readFileSync(join(agent.data, 'admin.key'), 'utf8').trim();
    agent.#headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return agent;
  }

  /** The process of the agent; 0 when none was ever started. */
  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Milliseconds from the start of the process until it first answered. */
  get startTime(): number {
    return this.#daemon?.startTime ?? Number.NaN;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#headers;
  }

  /** Starts the agent on its data directory, and resolves when it answers. Throws when it ends before. */
  async launch(onSpawn: (pid: number) => void = () => undefined): Promise<void> {
    const { command, args } = this.#program;
    const config = join(this.folder, 'davit.yaml');
    const listen = new URL(this.url).host;
    this.#daemon = await launch({
      command,
      args: [...args, 'agent', '--config', config, '--listen', listen, '--data', this.data],
      folder: this.folder,
      environment: this.#environment,
      onSpawn: (pid) => {
        this.#group?.add(pid);
        onSpawn(pid);
      },
      answered: async () => void (await this.#probe.send({ method: 'GET', path: '/health' })),
    });
  }

  /**
   * Starts the agent and sends it SIGKILL so many milliseconds later, whatever it is doing then. Resolves when it is gone,
   * with whether it had answered by then.
   */
  async launchAndKill(after: number): Promise<boolean> {
    let started = 0;
    const answered = this.launch((pid) => {
      started = pid;
    }).then(
      () => true,
      () => false,
    );
    await sleep(after);
    process.kill(started, 'SIGKILL');
    const hadAnswered = await answered;
    await this.kill();
    return hadAnswered;
  }

  /** SIGKILL to the agent alone; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#daemon !== null) await end(this.#daemon, 'SIGKILL');
  }

  /** Sends a request with the key of the agent. Throws when nobody answers it. */
  async ask(method: 'GET' | 'POST', path: string, content?: unknown): Promise<AgentAnswer> {
    const body = content === undefined ? {} : { body: JSON.stringify(content) };
    const answer = await this.#client.send({ method, path, headers: this.#headers, ...body });
    return {
      status: answer.status,
      body: JSON.parse(answer.body) as unknown,
      milliseconds: answer.milliseconds,
    };
  }

  /** As `ask`; throws when the answer, or one of those of a batch, is not the expected one. */
  async askFor<T>(
    method: 'GET' | 'POST',
    path: string,
    content?: unknown,
  ): Promise<AgentAnswer & { body: T }> {
    const { status, body, milliseconds } = await this.ask(method, path, content);
    const failed = (body as { failed?: number }).failed ?? 0;
    if (status !== 200 || failed > 0) {
      const text = JSON.stringify(body).slice(0, 500);
      throw new Error(`davit answered ${method} ${path} with ${status}: ${text}`);
    }
    return { status, body: body as T, milliseconds };
  }

  /** Ends the agent, and kills what is left of it and of its services. */
  async stop(): Promise<void> {
    this.#client.close();
    this.#probe.close();
    if (this.#daemon !== null) await end(this.#daemon);
    await killAllOf(this.folder);
    await this.#group?.remove();
  }
}
