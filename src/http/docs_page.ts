import type { RequestHandler } from 'express';
import { type AssetName, readAsset } from '../lib/assets.ts';

const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>davit API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="stylesheet" href="/docs/page.css">
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/page.js"></script>
  </body>
</html>
`;

const script = `SwaggerUIBundle({
  // Without the name and password that the page's own address may carry.
  url: location.origin + '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  // Who has come here by a session of the console sends its token against forgery.
  requestInterceptor: async (request) => {
    const { method, headers } = request;
    if (!method || method === 'GET' || headers.Authorization || headers['X-API-Key']) return request;
    const session = await fetch(location.origin + '/api/v1/session');
    if (session.ok) headers['X-CSRF-Token'] = (await session.json()).csrf_token;
    return request;
  },
});
`;

const style = `body { margin: 0; }
@media (prefers-color-scheme: dark) {
  body { background: #fff; filter: invert(0.9) hue-rotate(180deg); }
  html { background: #191919; }
}
`;

/** One file of the page. */
interface PageFile {
  readonly path: string;
  readonly handler: RequestHandler;
}

/** The page on which the API can be read and tried. Everything it loads comes from the agent. */
export function docsPage(): PageFile[] {
  return [
    { path: '/docs', handler: text('html', html) },
    { path: '/docs/page.js', handler: text('js', script) },
    { path: '/docs/page.css', handler: text('css', style) },
    { path: '/docs/swagger-ui-bundle.js', handler: asset('swagger-ui-bundle.js', 'js') },
    { path: '/docs/swagger-ui.css', handler: asset('swagger-ui.css', 'css') },
  ];
}

function text(type: string, body: string): RequestHandler {
  return (_request, response) => {
    response.type(type).send(body);
  };
}

function asset(name: AssetName, type: string): RequestHandler {
  return (_request, response) => {
    response.type(type).set('Cache-Control', 'max-age=3600').send(readAsset(name));
  };
}
