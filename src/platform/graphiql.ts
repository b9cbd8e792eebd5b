/**
 * GraphiQL from our own files: the page, its script, style and workers all come from this server, so it works without
 * a network and tells nobody else. It follows subscriptions as server-sent events, since only then does it send the
 * headers of its headers pane. For development; whoever opens it gets the token of `developmentToken`.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export interface GraphiqlOptions {
  /** The path of the GraphQL endpoint, which is also the path of the page. */
  readonly endpoint: string;
  /**
   * A token, made anew for each page, that its requests carry as `authorization: Bearer …` unless the headers pane has
   * an authorization of its own; `null` for none.
   */
  developmentToken(): Promise<string | null>;
  /** The operation in the first tab of someone who is here for the first time. */
  readonly defaultQuery?: string;
  readonly title?: string;
}

/** Answers requests for the page (GET of the endpoint that accepts text/html) and for its files. */
export interface Graphiql {
  /** Whether the request was one of these and is answered. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

const assetPath = '/graphiql/';

/** Makes the page; its files are read and compressed when they are first asked for. */
export function createGraphiql(options: GraphiqlOptions): Graphiql {
  let loading: Promise<Assets> | undefined;
  return {
    async handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return false;
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      if (pathname === assetPath || pathname === assetPath.slice(0, -1)) {
        send(request, response, 302, { location: options.endpoint });
      } else if (pathname.startsWith(assetPath)) {
        await sendAsset(await (loading ??= loadAssets()), pathname, request, response);
      } else if (pathname === options.endpoint && request.headers.accept?.includes('text/html')) {
        await sendPage(await (loading ??= loadAssets()), options, request, response);
      } else {
        return false;
      }
      return true;
    },
  };
}

interface Asset {
  readonly type: string;
  readonly encoded: (encoding: Encoding) => Promise<Buffer>;
}
type Encoding = 'br' | 'gzip' | 'identity';

interface Assets {
  /** By path; a path holds the hash of the content, so what it names never changes. */
  readonly byPath: ReadonlyMap<string, Asset>;
  path(name: AssetName): string;
}
type AssetName = 'graphiql.js' | 'graphiql.css' | 'editor.worker.js' | 'json.worker.js' | 'graphql.worker.js' | 'favicon.ico' | 'boot.js';

async function loadAssets(): Promise<Assets> {
  const parts = await import('@graphql-yoga/render-graphiql/graphiql');
  const contents: Record<AssetName, Buffer> = {
    'graphiql.js': Buffer.from(parts.js),
    'graphiql.css': Buffer.from(parts.css),
    'editor.worker.js': Buffer.from(parts.editorWorkerService),
    'json.worker.js': Buffer.from(parts.jsonWorker),
    'graphql.worker.js': Buffer.from(parts.graphqlWorker),
    'favicon.ico': Buffer.from(parts.favicon.slice(parts.favicon.indexOf(',') + 1), 'base64'),
    'boot.js': Buffer.from(bootScript),
  };
  const entries = Object.entries(contents).map(([name, content]) => {
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
    const path = `${assetPath}${name.replace(/\.(\w+)$/, `.${hash}.$1`)}`;
    return { name, path, asset: { type: mediaTypeOf(name), encoded: encodings(content) } };
  });
  const paths = new Map(entries.map(({ name, path }) => [name, path]));
  return {
    byPath: new Map(entries.map(({ path, asset }) => [path, asset])),
    path: (name) => paths.get(name) ?? '',
  };
}

function mediaTypeOf(name: string): string {
  if (name.endsWith('.js')) return 'text/javascript; charset=utf-8';
  return name.endsWith('.css') ? 'text/css; charset=utf-8' : 'image/x-icon';
}

/** Each encoding is made once, when it is first asked for. */
function encodings(content: Buffer): Asset['encoded'] {
  const made = new Map<Encoding, Promise<Buffer>>();
  return (encoding) => {
    const known = made.get(encoding) ?? encode(content, encoding);
    made.set(encoding, known);
    return known;
  };
}

const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);

async function encode(content: Buffer, encoding: Encoding): Promise<Buffer> {
  if (encoding === 'gzip') return compressGzip(content);
  if (encoding === 'identity') return content;
  // Quality 5 takes half a second for 5 MB; 9 takes four times as long for 4 % less.
  return compressBrotli(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
}

async function sendAsset(assets: Assets, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asset = assets.byPath.get(path);
  if (asset === undefined) {
    send(request, response, 404, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }, 'There is no such file.');
    return;
  }
  const encoding = preferredEncoding(request.headers['accept-encoding']);
  const body = await asset.encoded(encoding);
  send(request, response, 200, {
    'content-type': asset.type,
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
    ...(encoding !== 'identity' && { 'content-encoding': encoding }),
  }, body);
}

function preferredEncoding(accepted = ''): Encoding {
  const offered = accepted.split(',').map((item) => item.trim().toLowerCase()).filter((item) => !/;\s*q=0(\.0*)?$/.test(item));
  const names = offered.map((item) => item.split(';')[0]);
  return names.includes('br') ? 'br' : names.includes('gzip') ? 'gzip' : 'identity';
}

/** Scripts, styles and workers of this server only. The editor makes style elements and draws icons from data. */
const policy = [
  "default-src 'none'", "script-src 'self'", "worker-src 'self'", "connect-src 'self'", "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:", "font-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ');

async function sendPage(assets: Assets, options: GraphiqlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = isLocalName(request.headers.host) ? await options.developmentToken() : null;
  send(request, response, 200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  }, renderPage(assets, options, token));
}

/**
 * Only localhost and plain addresses get a token: any other name may be one that somebody else points at this machine
 * (DNS rebinding), whose page could then read it.
 */
function isLocalName(host = ''): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return hostname === 'localhost' || hostname.endsWith('.localhost') || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
}

function renderPage(assets: Assets, { endpoint, defaultQuery, title = 'GraphiQL' }: GraphiqlOptions, token: string | null): string {
  const settings = {
    workers: {
      editorWorkerService: assets.path('editor.worker.js'),
      json: assets.path('json.worker.js'),
      graphql: assets.path('graphql.worker.js'),
    },
    authorization: token === null ? null : `Bearer ${token}`,
    graphiql: {
      endpoint,
      title,
      subscriptionsProtocol: 'SSE',
      query: defaultQuery ?? firstQuery,
      // What is typed into the headers pane is often a secret; it does not outlive the page.
      shouldPersistHeaders: false,
    },
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${assets.path('favicon.ico')}">
<link rel="stylesheet" href="${assets.path('graphiql.css')}">
<style>html, body, #root { height: 100%; margin: 0; }</style>
</head>
<body>
<noscript>GraphiQL needs JavaScript.</noscript>
<div id="root"></div>
<script type="application/json" id="settings">${JSON.stringify(settings).replaceAll('<', '\\u003c')}</script>
<script src="${assets.path('graphiql.js')}" defer></script>
<script src="${assets.path('boot.js')}" defer></script>
</body>
</html>
`;
}

const firstQuery = `# Run with Ctrl+Enter. The whole API is documented under the book on the left.
# If there is a development token, requests are signed in with it, unless the
# headers below have an "authorization" of their own.

{
  __typename
}
`;

/**
 * Runs in the browser; a file of its own, so that the page needs no inline script. The token goes with each request
 * that has no authorization of its own, and not into the headers pane: there a tab that is opened again has none.
 * GraphiQL's defaultQuery is not used, since with it every reload opens another tab.
 */
const bootScript = `'use strict';
const settings = JSON.parse(document.getElementById('settings').textContent);
self.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (moduleId, label) => settings.workers[label] || settings.workers.editorWorkerService,
};
if (settings.authorization !== null) {
  const fetchPlainly = self.fetch;
  self.fetch = (resource, options = {}) => {
    const headers = new Headers(options.headers);
    if (!headers.has('authorization')) headers.set('authorization', settings.authorization);
    return fetchPlainly(resource, { ...options, headers });
  };
}
const query = new URL(location.href).searchParams.get('query') || settings.graphiql.query;
YogaGraphiQL.renderYogaGraphiQL(document.getElementById('root'), { ...settings.graphiql, query });
`;

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer = '',
): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}
