import { computed } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import type { TestRule } from '../../../contract/rule_requests.ts';

/** A request as it is filled in; one header a line. */
export interface TestedRequest {
  method: string;
  url: string;
  headers: string;
  client: string;
}

const names = ['method', 'url', 'headers', 'client'] as const;
const usual: TestedRequest = { method: 'GET', url: '', headers: '', client: '' };
/** What must not be kept in an address, which ends up in histories and logs. */
const secret = /^(authorization|proxy-authorization|cookie|x-api-key|.*(token|secret|password).*)$/i;

/** The request that is tested, as the address of the page has it. */
export function useTestedRequest() {
  const route = useRoute();
  const router = useRouter();
  const request = computed<TestedRequest>(() => {
    const [method = '', url = '', headers = '', client = ''] = names.map((name) => {
      const value = route.query[name];
      return typeof value === 'string' ? value : usual[name];
    });
    return { method, url, headers, client };
  });

  function keep(next: TestedRequest): void {
    const headers = linesOf(next.headers).filter(([name]) => !secret.test(name));
    const kept = { ...next, headers: headers.map((pair) => pair.join(': ')).join('\n') };
    const query = Object.entries({ ...router.currentRoute.value.query, ...kept }).filter(
      ([name, value]) => value !== '' && value !== (usual as unknown as Record<string, string>)[name],
    );
    void router.replace({ query: Object.fromEntries(query) });
  }

  return { request, keep };
}

/** What is to be sent. A path alone is completed by the header `host`. */
export function testOf({ method, url, headers, client }: TestedRequest): Partial<TestRule> {
  const address = url.trim();
  const isWhole = /^(https?:\/\/|\/)/i.test(address);
  return {
    method: method.trim().toUpperCase(),
    url: isWhole ? address : `http://${address}`,
    headers: Object.fromEntries(linesOf(headers)),
    ...(client.trim() !== '' && { client: client.trim() }),
  };
}

/** The lines of headers that are none; empty: every one is. */
export function wrongLines(headers: string): string[] {
  return headers.split('\n').filter((line) => line.trim() !== '' && !/^[^\s:]+\s*:/.test(line.trim()));
}

function linesOf(headers: string): [name: string, value: string][] {
  return headers.split('\n').flatMap((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim();
    return colon === -1 || name === '' ? [] : [[name, line.slice(colon + 1).trim()]];
  });
}
