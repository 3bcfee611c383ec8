import type { Request, Response } from 'express';
import { sessionCookiePrefix } from '../contract/sessions.ts';
import { isSecure } from './networks.ts';

/**
 * The cookie that holds the secret of a session. It goes when the browser is closed, and no page can read it. Where the
 * browser speaks TLS, its name also says so: then neither a page without TLS nor one of another name can have set it.
 */
export class SessionCookie {
  readonly #name: string;

  /** @param suffix tells it from the cookies of other agents on the same host: cookies know no ports. */
  constructor(suffix: string) {
    this.#name = sessionCookiePrefix + suffix;
  }

  /**
   * What a request carries as the secret. It may be several: without TLS, programs at other ports of the host can set
   * cookies of the same name, also ones that the browser sends before this one and does not forget when told to.
   */
  read(request: Request, response: Response): string[] {
    const name = this.#nameFor(response);
    return (request.headers.cookie ?? '').split(';').flatMap((pair) => {
      const [key = '', value = ''] = pair.split('=', 2);
      return key.trim() === name ? [value.trim()] : [];
    });
  }

  give(response: Response, secret: string): void {
    response.cookie(this.#nameFor(response), secret, attributes(response));
  }

  /** Has the browser forget it. */
  clear(response: Response): void {
    response.clearCookie(this.#nameFor(response), attributes(response));
  }

  #nameFor(response: Response): string {
    return isSecure(response) ? `__Host-${this.#name}` : this.#name;
  }
}

function attributes(response: Response) {
  return { httpOnly: true, sameSite: 'strict', secure: isSecure(response), path: '/' } as const;
}
