import { readFileSync } from 'node:fs';

/** Which cores do what: lists as `taskset --cpu-list` takes them. */
export interface Cores {
  /** Of a proxy that has one process. */
  readonly proxy: string;
  readonly load: string;
  readonly backend: string;
  readonly all: string;
}

/** Load and service share a core where there are only two. Throws where there is only one. */
export function divideCores(): Cores {
  const allowed = allowedCores();
  const [proxy, load, backend = load] = allowed;
  if (proxy === undefined || load === undefined || backend === undefined)
    throw new Error('the bench needs two cores: one for the proxy, one for what loads it');
  const text = (core: number) => String(core);
  return { proxy: text(proxy), load: text(load), backend: text(backend), all: allowed.join(',') };
}

function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}
