/** What stands in place of a secret. */
export const redacted = '[redacted]';

/** Values that are shorter say too little, and would be found in half of all words. */
const shortestSecret = 6;
/** What is longer of a line is cut off, in UTF-16 units. */
const longestLine = 16_384;
/** How much of a line is looked through: so much more that what is shown ends with no part of a secret. */
const longestLook = 65_536;
const longestSecret = 16_384;
/** How many lines a private key has at most. */
const longestKey = 300;
/** How many values are looked for. */
const mostSecrets = 4_096;

/** What settings often say, and no secret is. */
const plainWords = new Set([
  ...['production', 'development', 'staging', 'testing', 'localhost', 'default', 'enabled', 'disabled'],
  ...['verbose', 'warning', '127.0.0.1', '0.0.0.0', 'undefined'],
]);

interface Form {
  readonly pattern: RegExp;
  /** `$1` and the like stand for what is kept. */
  readonly replacement: string;
}

/** How fields and options are named that hold a secret, also as the end of a longer name. */
const secretName =
  '(?:password|passwd|passphrase|pwd|secret|secret[_-]?key|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|credentials?|client[_-]?secret)';
const separator = '\\s{0,4}(?:=>|[:=])\\s{0,4}';

/**
 * Well-known forms of secrets. Each begins with a fixed word or after what cannot belong to it, and each repetition is
 * either bounded or ends where the next part begins: none of them looks at a text more than a few times.
 */
const forms: readonly Form[] = [
  // Authorization: Basic …, Authorization: Bearer …, also as JSON or as an argument of curl.
  {
    pattern:
      /\b((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?)(?!\[redacted\])(?:(?:basic|bearer|digest|token|negotiate|apikey)\s{1,4})?[^\s"',;]{1,4096}/gi,
    replacement: `$1${redacted}`,
  },
  { pattern: /\b(bearer|basic)(\s{1,4})[A-Za-z0-9._~+/=-]{8,4096}/gi, replacement: `$1$2${redacted}` },
  { pattern: /\b((?:set-)?cookie\s{0,4}:\s{0,4})[^\r\n"']{1,4096}/gi, replacement: `$1${redacted}` },
  // Of an address, what stands before the host.
  { pattern: /(:\/\/)[^\s/?#"'<>@]{1,512}@(?:[^\s/?#"'<>@]{1,512}@)*/g, replacement: `$1${redacted}@` },
  // password=…, "api_key": "…", --token …, DB_PASSWORD: …; quoted values may hold spaces.
  {
    pattern: new RegExp(`(${secretName}["']?${separator}")(?:[^"\\\\]|\\\\.){1,4096}`, 'gi'),
    replacement: `$1${redacted}`,
  },
  {
    pattern: new RegExp(`(${secretName}["']?${separator}')(?:[^'\\\\]|\\\\.){1,4096}`, 'gi'),
    replacement: `$1${redacted}`,
  },
  // As JSON within JSON.
  {
    pattern: new RegExp(
      `(${secretName}\\\\"${separator}\\\\")(?:[^"\\\\]|\\\\\\\\(?:\\\\")?|\\\\[^"\\\\]){1,4096}`,
      'gi',
    ),
    replacement: `$1${redacted}`,
  },
  {
    pattern: new RegExp(`(${secretName}["']?${separator})(?!\\[redacted\\])[^\\s"'&\\\\]{1,4096}`, 'gi'),
    replacement: `$1${redacted}`,
  },
  {
    pattern: new RegExp(`(--?${secretName}\\s{1,4})(?!\\[redacted\\])[^\\s-][^\\s]{0,4096}`, 'gi'),
    replacement: `$1${redacted}`,
  },
  // Keys of AWS, Google, GitHub, GitLab, Slack, Stripe, npm, OpenAI and the like, by how they begin.
  {
    pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
    replacement: redacted,
  },
  { pattern: /(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}/g, replacement: redacted },
  {
    pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})/g,
    replacement: redacted,
  },
  {
    pattern: /(?<![A-Za-z0-9])gl(?:pat|ptt|dt|rt|cbt|ft|soat)-[A-Za-z0-9_.-]{16,255}/g,
    replacement: redacted,
  },
  {
    pattern: /(?<![A-Za-z0-9])(?:xox[abeoprs]|xapp|xwfp)-[A-Za-z0-9-]{8,255}/g,
    replacement: redacted,
  },
  {
    pattern: /(?<![A-Za-z0-9])(?:[sr]k_(?:live|test)_|npm_|dop_v1_|shpat_|hvs\.|sk-)[A-Za-z0-9_-]{16,255}/g,
    replacement: redacted,
  },
  // The addresses of webhooks of Slack, Discord, Feishu, DingTalk and WeCom are secrets in themselves.
  {
    pattern:
      /(hooks\.slack\.com\/(?:services|workflows)\/|discord(?:app)?\.com\/api\/webhooks\/|\/open-apis\/bot\/v2\/hook\/|\/robot\/send\?access_token=|\/webhook\/send\?key=)[A-Za-z0-9_/-]{4,512}/g,
    replacement: `$1${redacted}`,
  },
  // A JSON Web Token (RFC 7519): two parts that begin as `{"` does in base64, or one and whatever follows.
  {
    pattern:
      /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,8192}\.[A-Za-z0-9_-]{4,8192}(?:\.[A-Za-z0-9_-]{0,8192}){0,3}/g,
    replacement: redacted,
  },
  // A private key on one line, as it stands in JSON.
  {
    pattern:
      /-----BEGIN ([A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?:(?!-----)[^\r\n]){1,16384}(?:-----END [A-Z ]{0,60}-----)?/g,
    replacement: `-----BEGIN $1${redacted}`,
  },
];

const keyBegins = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const keyEnds = /-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
/** A line inside of a key, with what a program may have written before it. */
const keyLine = /(?:^|\s)[A-Za-z0-9+/=]{16,128}\s{0,4}$/;

/**
 * Takes secrets out of lines: each of the values, also as they stand in an address or in JSON, and what has one of the
 * well-known forms. Lines are cut after 16,384 characters. Takes time linear in the lines for a given number of values.
 * @param secrets values of which none may be shown; those shorter than six characters are not looked for
 */
export function redact(lines: readonly string[], secrets: readonly string[] = []): string[] {
  const values = spellings(secrets);
  const looked = lines.map((line) => line.slice(0, longestLook));
  return withoutKeys(looked).map((line, index) => {
    const text = redactLine(line, values);
    // At the end of what was looked at may be the beginning of a secret.
    const isWhole = (lines[index]?.length ?? 0) <= longestLook;
    return shortened(isWhole ? text : text.slice(0, -longestSecret));
  });
}

/** The same of a text of several lines. */
export function redactText(text: string, secrets: readonly string[] = []): string {
  return redact(text.split('\n'), secrets).join('\n');
}

/** What of an address may be a secret: its path, which of some receivers is a token, and what its query says. */
export function secretsOfAddress(address: string): string[] {
  const url = URL.parse(address);
  if (url === null) return [address];
  const { href, pathname, search, searchParams } = url;
  const said = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  return [address, href, pathname + search, pathname, ...said, ...searchParams.values()];
}

function redactLine(line: string, values: readonly string[]): string {
  let text = line;
  for (const value of values) if (text.includes(value)) text = text.replaceAll(value, () => redacted);
  for (const { pattern, replacement } of forms) text = text.replace(pattern, replacement);
  return text;
}

/** How values may be written, the longest first: one may be part of another. */
function spellings(secrets: readonly string[]): string[] {
  const all = new Set<string>();
  for (const secret of secrets.slice(0, mostSecrets)) {
    const lines = secret.split(/\r?\n/).filter((line) => isWorthIt(line.trim()));
    for (const line of lines)
      for (const text of [line, line.trim(), JSON.stringify(line).slice(1, -1), percentEncoded(line)])
        all.add(text);
    if (secret.includes('\n') && isWorthIt(secret)) all.add(JSON.stringify(secret).slice(1, -1));
  }
  return [...all].sort((a, b) => b.length - a.length);
}

function isWorthIt(value: string): boolean {
  return value.length >= shortestSecret && !plainWords.has(value.toLowerCase());
}

/** Half of a character cannot be encoded. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function shortened(line: string): string {
  return line.length <= longestLine ? line : `${line.slice(0, longestLine)}…`;
}

/** Takes out private keys that go over several lines, also those of which only the beginning or the end is there. */
function withoutKeys(lines: readonly string[]): string[] {
  const shown = [...lines];
  const isOfKey = (index: number) => keyLine.test(lines[index] ?? '');
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    const [begins, ends] = [keyBegins.test(line), keyEnds.test(line)];
    if (begins === ends) continue;
    if (ends) {
      for (let at = index - 1; at >= 0 && isOfKey(at); at -= 1) shown[at] = redacted;
      continue;
    }
    const end = endOfKey(lines, index);
    for (let at = index + 1; end === null ? isOfKey(at) : at <= end; at += 1) shown[at] = redacted;
    if (end !== null) index = end;
  }
  return shown;
}

/** Where a key ends that begins there; null: it does not, or so far away that it is another one. */
function endOfKey(lines: readonly string[], begin: number): number | null {
  for (let at = begin + 1; at < lines.length && at <= begin + longestKey; at += 1) {
    const line = lines[at] ?? '';
    if (keyEnds.test(line)) return at;
    if (keyBegins.test(line)) return null;
  }
  return null;
}
