import type { Recorded } from './recording_backend.ts';

/** A request without what may differ. */
export function shownRequest({ lines, body }: Recorded): string {
  const [first, ...rest] = lines;
  const shown = rest
    .filter((line) => !/^connection:/i.test(line))
    .map((line) => line.replace(/^host:/i, 'Host:').replace(/^(X-Forwarded-Port: )\d+$/, '$1'));
  return [first, ...shown.sort(), '', body].join('\n');
}

/** The answers in what a client got, without what may differ; one that is not whole ends with `…`. */
export function answersIn(text: string): string[] {
  const answers: string[] = [];
  for (let rest = text; rest !== ''; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return [...answers, '…'];
    const [status, ...lines] = rest.slice(0, end).split('\r\n');
    const { body, length } = bodyIn(rest.slice(end + 4), rest.slice(0, end));
    const shown = lines.filter(
      (line) => !/^(date|connection|keep-alive|content-length|transfer-encoding):/i.test(line),
    );
    const trimmed = shown.map((line) => line.replace(/^([^:]+):[ \t]*(.*?)[ \t]*$/, '$1: $2'));
    answers.push([status?.split(' ')[1], ...trimmed.sort(), '', body].join('\n'));
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

function bodyIn(text: string, head: string): { body: string; length: number } {
  if (/^HTTP\/1.1 (1..|204|304) /.test(head)) return { body: '', length: 0 };
  if (/^transfer-encoding: chunked$/im.test(head)) return chunksIn(text);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  // The answer to HEAD names the length of a body that does not come.
  if (text === '' || text.startsWith('HTTP/1.1 ')) return { body: '', length: 0 };
  return { body: text.length < length ? `${text}…` : text.slice(0, length), length };
}

function chunksIn(text: string): { body: string; length: number } {
  let body = '';
  for (let at = 0; ; ) {
    if (text.startsWith('HTTP/1.1 ', at)) return { body, length: at };
    const end = text.indexOf('\r\n', at);
    if (end === -1) return { body: `${body}…`, length: text.length };
    const size = Number.parseInt(text.slice(at, end), 16);
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
    if (size > 0) continue;
    const trailers = text.slice(at - 2, text.indexOf('\r\n\r\n', at - 4) + 2);
    return { body: `${body}${trailers}`, length: at + trailers.length };
  }
}
