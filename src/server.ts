// The door: GraphQL over HTTP (queries, mutations, uploads, server-sent events) and WebSocket, GraphiQL, health, readiness and metrics.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createYoga } from 'graphql-yoga';
import { authenticate } from './accounts/service.ts';
import { createContext, type App, type Context } from './context.ts';
import { RateLimitError, expectedErrors } from './platform/errors.ts';
import { createGraphiql } from './platform/graphiql.ts';
import { subjectOf } from './platform/limits.ts';
import { useMultipart } from './platform/multipart.ts';
import { within } from './platform/within.ts';
import { schema } from './schema.ts';
import { clientAddress } from './server/address.ts';
import { createConnections } from './server/connections.ts';
import { maskOutside, toGraphQLError, useExecution } from './server/execution.ts';
import { bearer, pathOf, serveSockets } from './server/sockets.ts';
import { componentStatuses, overallState } from './system/status.ts';

const endpoint = '/graphql';

/** How long requests under way may take to finish when the server closes, unless it is told otherwise. */
const finishingMs = 5_000;
/** How long connections that were cut may take to be gone. */
const lastMs = 250;

export interface RunningServer {
  readonly port: number;
  readonly url: string;
  /**
   * Stops accepting and closes what is open: sockets with 1012 and event streams by their end, so that clients connect
   * elsewhere; requests under way have `limitMs` (5 s) to finish. Takes no longer than that, whatever clients do.
   */
  close(limitMs?: number): Promise<void>;
}

export interface ServerOptions {
  /** A token that GraphiQL starts with; without it there is no GraphiQL. */
  readonly developmentToken?: () => Promise<string | null>;
}

/** Listens where the configuration says; rejects with the system's error, e.g. EADDRINUSE. */
export async function startServer(app: App, options: ServerOptions = {}): Promise<RunningServer> {
  const { config } = app;
  const connections = createConnections(config.limits.maxConnectionsPerUser);
  const yoga = createYoga<Record<string, unknown>, Context>({
    schema,
    graphqlEndpoint: endpoint,
    graphiql: false,
    landingPage: false,
    healthCheckEndpoint: '/-',
    multipart: false,
    // Uploads are measured while they stream, everything else before it is read (bodyRefusal).
    maxRequestBodySize: false,
    batching: false,
    maskedErrors: { maskError: (error) => maskOutside(app, error) },
    logging: false,
    cors: (request) => {
      const origin = allowedOrigin(app, request.headers.get('origin'));
      return origin === null ? false : { origin, credentials: origin !== '*', methods: ['GET', 'POST', 'OPTIONS'], maxAge: 600 };
    },
    context: async (initial) => {
      const given = initial as unknown as { req: IncomingMessage; request?: Request; connectionParams?: { authorization?: unknown } };
      const token = bearer(given.connectionParams?.authorization ?? given.request?.headers.get('authorization'));
      return createContext(app, {
        viewer: token ? await viewerOrRefusal(app, token) : null,
        address: clientAddress(given.req, config.trustedProxies),
        ...(given.request?.signal && { signal: given.request.signal }),
      });
    },
    plugins: [useMultipart(config.uploads), useExecution(app, connections)],
  });
  const graphiql = options.developmentToken && createGraphiql({ endpoint, developmentToken: options.developmentToken, defaultQuery: firstQuery, title: 'Parley' });

  const answering = new Set<ServerResponse>();
  const http = createServer((request, response) => {
    answering.add(response);
    response.once('close', () => {
      answering.delete(response);
      // A connection that was busy when the server closed stays open until somebody closes it.
      if (!http.listening) setImmediate(() => http.closeIdleConnections());
    });
    route(request, response).catch((error: unknown) => {
      app.log.error({ err: error }, 'a request failed unexpectedly');
      if (!response.headersSent) answer(response, 500, { status: 'error' });
      else response.destroy();
    });
  });
  // Longer than proxies keep an idle connection, which otherwise send a request just when it is being closed, and answer 502.
  http.keepAliveTimeout = 65_000;
  // A client that takes nothing more of its answer is cut off. Yoga switches this limit off when it begins to answer.
  const watch = setInterval(() => {
    for (const { headersSent, socket } of answering) if (headersSent && socket?.timeout === 0) socket.setTimeout(config.keepaliveMs * 5);
  }, config.keepaliveMs).unref();
  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pathname = pathOf(request);
    // Yoga reads the whole address, and a host that is none would fail there.
    if (!URL.canParse(`http://${request.headers.host ?? 'localhost'}`)) return answer(response, 400, { status: 'bad host' });
    if (pathname === '/health') return await health(app, request, response);
    if (pathname === '/ready') return await ready(app, response);
    if (pathname === '/metrics') return await metrics(app, response);
    if (config.role === 'worker') return answer(response, 404, { status: 'not found', role: config.role, message: notHere });
    if (pathname !== null && (await graphiql?.handle(request, response))) return;
    if (pathname !== endpoint) return answer(response, 404, { status: 'not found', graphql: endpoint });
    // The answer depends on the origin, whether or not there is one: caches must not mix them up.
    response.setHeader('vary', 'Origin');
    const refusal = bodyRefusal(app, request);
    if (refusal) {
      for (const [name, value] of Object.entries(corsHeaders(app, request.headers.origin))) response.setHeader(name, value);
      return answer(response, refusal.status, { errors: [{ message: refusal.message, extensions: { code: refusal.code } }] });
    }
    await yoga(request, response);
  }
  // Without somebody who takes them, upgrades are requests like others.
  const closeSockets = config.role === 'worker' ? null : serveSockets(app, yoga as never, http, endpoint, connections);
  await listen(http, config.port, config.host);
  const { port } = http.address() as AddressInfo;
  return {
    port,
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    async close(limitMs = finishingMs) {
      clearInterval(watch);
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      for (const response of answering) {
        if (String(response.getHeader('content-type')).startsWith('text/event-stream')) response.end();
      }
      const ended = Promise.all([closeSockets?.(limitMs), closed]).then(() => yoga.dispose());
      if (await within(limitMs, ended)) return;
      http.closeAllConnections();
      if (!(await within(lastMs, ended))) app.log.warn('connections did not end in time; they end with the process');
    },
  };
}

/** What somebody who is here for the first time sees: who they are, and the ids to go on with. */
const firstQuery = `# With the demo data you are signed in as its user. Run this with Ctrl+Enter; every type is described in the docs on the left.
# Then follow a chat, and send to it from another tab:
#   subscription { chatEvents(sessionId: "…") { __typename ... on MessageDelta { text } } }
#   mutation { sendMessage(input: { sessionId: "…", text: "…", idempotencyKey: "1" }) { run { id } userErrors { message } } }
{
  viewer { user { name email } workspace { name } role }
  profiles { nodes { id name description documents { nodes { name status chunkCount } } } }
  chatSessions { nodes { id title messages { nodes { role text citations { index quote documentName } } } } }
}
`;

async function viewerOrRefusal(app: App, token: string) {
  try {
    return await authenticate(app, token);
  } catch (error) {
    const [expected] = expectedErrors(error) ?? [];
    if (!expected) throw error;
    const refusal = toGraphQLError(expected);
    refusal.extensions['http'] = { status: 401 };
    throw refusal;
  }
}

/** What a worker says to whoever takes it for an API. */
const notHere = 'This process is a worker (APP_ROLE=worker): it answers messages and reads documents in the background. GraphQL is served by processes with APP_ROLE=api or all.';

async function metrics(app: App, response: ServerResponse): Promise<void> {
  const text = await app.metrics.read();
  if (text === null) return answer(response, 503, { status: 'the metrics of all workers could not be read in time' });
  response.writeHead(200, { 'content-type': app.metrics.registry.contentType }).end(text);
}

async function health(app: App, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await app.limits.consume('health', subjectOf('health', null, clientAddress(request, app.config.trustedProxies)));
    answer(response, 200, { status: 'ok' });
  } catch (error) {
    if (!(error instanceof RateLimitError)) throw error;
    response.setHeader('retry-after', error.retryAfterSeconds);
    answer(response, 429, { status: 'too many requests' });
  }
}

async function ready(app: App, response: ServerResponse): Promise<void> {
  const components = await componentStatuses(app);
  const state = app.draining ? 'DOWN' : overallState(components);
  answer(response, state === 'DOWN' ? 503 : 200, { status: state.toLowerCase(), role: app.config.role, draining: app.draining, components });
}

/**
 * Why a request's body is not even read. Uploads have limits of their own. Only JSON is taken besides: the other forms that
 * Yoga understands can be sent by a form on any web page.
 */
function bodyRefusal(app: App, request: IncomingMessage): { status: number; code: string; message: string } | null {
  if (request.method !== 'POST') return null;
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data') return null;
  if (type !== 'application/json') {
    const message = `Send application/json, or multipart/form-data for uploads, instead of ${type === '' ? 'a body without content-type' : `"${type}"`}.`;
    return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message };
  }
  const { maxBodyBytes } = app.config.limits;
  const length = request.headers['content-length'];
  if (length === undefined) return { status: 411, code: 'VALIDATION_FAILED', message: 'Send a Content-Length.' };
  if (Number(length) <= maxBodyBytes) return null;
  return { status: 413, code: 'PAYLOAD_TOO_LARGE', message: `The body has ${length} bytes; at most ${maxBodyBytes} are read.` };
}

/** So that a page of an allowed origin can read why its request was refused. */
function corsHeaders(app: App, origin: string | undefined): Record<string, string> {
  const allowed = allowedOrigin(app, origin ?? null);
  if (allowed === null) return {};
  return { 'access-control-allow-origin': allowed, ...(allowed !== '*' && { 'access-control-allow-credentials': 'true' }) };
}

/** The origin as it may be answered to, "*" where all are allowed; null where it is not. */
function allowedOrigin(app: App, origin: string | null): string | null {
  const { allowedOrigins } = app.config;
  if (allowedOrigins.includes('*')) return '*';
  return origin !== null && allowedOrigins.includes(origin.toLowerCase()) ? origin : null;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

function listen(http: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
}
