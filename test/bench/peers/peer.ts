/** How long a service must stay up before its start counts: not at all, or one second. */
export type Proof = 'none' | '1s';

/** What may differ from service to service and from bench to bench; the defaults start `sleep 1000`. */
export interface ServiceOptions {
  /** Default: none. */
  readonly proof?: Proof;
  /** The program and arguments of a service, without a shell. Default: `sleep 1000` as each daemon starts a line. */
  readonly command?: (service: string) => readonly string[];
  /** Keeps all that a service writes, without rotation. Default: false, what the daemon does by itself. */
  readonly keepAll?: boolean;
  /** Seconds from the signal that asks a service to end until SIGKILL, both to the group where the daemon can. */
  readonly stopTimeout?: number;
  /**
   * How what ended is started again: `at once`, as soon and as often as the daemon can be told to; `unlimited`, after its
   * usual waits, but as often as it ends. Default: as the daemon does by itself.
   */
  readonly restarts?: 'at once' | 'unlimited';
  /** More of the daemon's environment. Default: none. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface PeerSetup extends ServiceOptions {
  /** An empty folder for the daemon's own files. */
  readonly folder: string;
  /** The services that will be started; a daemon that reads them from a file has them all from the start. */
  readonly services: readonly string[];
}

/** What the load generator has to send to read the status of one service. */
export interface StatusRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

/**
 * A daemon that starts services and keeps them. A call that returns milliseconds
 * returns the time from sending the request to having its whole answer, as the peer's client sees it.
 */
export interface Peer {
  readonly name: string;
  /** The version that runs, and in what form. */
  readonly version: string;
  readonly daemonPid: number;
  /** The folder of the daemon's own files. */
  readonly folder: string;
  /** The working directory of every service. */
  readonly servicesFolder: string;
  /** Milliseconds from the start of the daemon's process until it first answered. */
  readonly startTime: number;
  /** Starts a service that has never run. */
  deploy(service: string): Promise<number>;
  /** Stops a running service and starts it again. */
  restart(service: string): Promise<number>;
  /** Starts all services, which have never run, by one call. */
  deployAll(): Promise<number>;
  /** Stops a running service. */
  stopService(service: string): Promise<number>;
  /** How many bytes of a service's standard output lie on the disk; only with `keepAll`. */
  outputBytes(service: string): number;
  /** Stops the services and the daemon, and ends what is left of both. */
  stop(): Promise<void>;
}

/** A peer whose status is read over HTTP. */
export interface HttpPeer extends Peer {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  statusRequest(service: string): StatusRequest;
}
