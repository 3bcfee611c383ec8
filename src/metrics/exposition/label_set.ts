export type Labels = Readonly<Record<string, string | number>>;

/** Labels of samples and their values, turned into text once, however many samples have them. */
export class LabelSet {
  readonly labels: Labels;
  #text: string | null = null;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  get text(): string {
    this.#text ??= labelText(this.labels);
    return this.#text;
  }
}

/** In the text format of Prometheus: `service="web",state="running"`. */
export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(',');
}

const special = /[\\"\n]/;
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escaped(value: string): string {
  if (!special.test(value)) return value;
  return value.replaceAll(/[\\"\n]/g, (character) => escapes[character] ?? character);
}
