import Mustache from 'mustache';
import type { Notification } from '../../contract/alerts.ts';
import { errorMessage } from '../../lib/errors.ts';
import { signatureHeaders } from './davit.ts';
import { DeliveryFailure } from './delivery_failure.ts';
import { noComplaint, type WebhookFormat } from './webhook_format.ts';

/** The most that a template may make, in characters, and the most parts of it that are rendered for that. */
const longestBody = 1_000_000;
const mostParts = 200_000;

interface TemplateOptions {
  /** Mustache. */
  readonly body: string;
  readonly content_type: string;
}

/** A body of one's own over the fields of the notification. */
export function templateFormat({ body: template, content_type }: TemplateOptions): WebhookFormat {
  return {
    message: (notification, { url, secret, now }) => {
      const body = renderTemplate(template, notification);
      return {
        url,
        body,
        headers: { 'content-type': content_type, ...signatureHeaders(body, secret, now) },
      };
    },
    complaint: noComplaint,
  };
}

/** What is wrong with a template; null: nothing. */
export function templateProblem(template: string): string | null {
  try {
    new BoundedWriter().parse(template);
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Throws a failure that is not worth another try where the template is wrong or makes too much. */
export function renderTemplate(template: string, notification: Notification): string {
  try {
    const view = new OwnFields({ ...notification, json: JSON.stringify(notification) });
    return new BoundedWriter().render(template, view, {}, { escape: insideOfJson });
  } catch (cause) {
    throw new DeliveryFailure(`the template cannot be rendered: ${errorMessage(cause)}`, {
      retry: false,
      cause,
    });
  }
}

function insideOfJson(value: unknown): string {
  return JSON.stringify(String(value)).slice(1, -1);
}

type View = Readonly<Record<string, unknown>> | string | number | null;

/** Looks up what an object itself holds and nothing that it inherits: a template calls no function. */
class OwnFields extends Mustache.Context {
  override push(view: unknown): OwnFields {
    return new OwnFields(view, this);
  }

  override lookup(name: string): unknown {
    if (name === '.') return this.view;
    for (let context: Mustache.Context | undefined = this; context; context = context.parent) {
      const found = valueAt(context.view as View, name.split('.'));
      if (found !== undefined) return typeof found === 'function' ? undefined : found;
    }
    return undefined;
  }
}

function valueAt(view: View, names: readonly string[]): unknown {
  let value: unknown = view;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** Sections within sections multiply: without a bound a template of a few lines keeps the agent busy for hours. */
class BoundedWriter extends Mustache.Writer {
  #parts = 0;
  #length = 0;

  constructor() {
    super();
    // It lives for one body.
    Object.assign(this, { templateCache: undefined });
  }

  override renderTokens(...args: Parameters<Mustache.Writer['renderTokens']>): string {
    this.#parts += args[0].length + 1;
    if (this.#parts > mostParts) throw new RangeError('it repeats too much');
    return super.renderTokens(...args);
  }

  override rawValue(token: string[]): string {
    return this.#counted(super.rawValue(token));
  }

  override escapedValue(...args: Parameters<Mustache.Writer['escapedValue']>): string {
    return this.#counted(super.escapedValue(...args));
  }

  override unescapedValue(...args: Parameters<Mustache.Writer['unescapedValue']>): string {
    return this.#counted(super.unescapedValue(...args));
  }

  override renderPartial(): string {
    return '';
  }

  #counted(text: string | undefined): string {
    this.#length += text?.length ?? 0;
    if (this.#length > longestBody) throw new RangeError(`it makes more than ${longestBody} characters`);
    return text ?? '';
  }
}
