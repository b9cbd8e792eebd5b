// Subscriptions over WebSocket, by the graphql-transport-ws protocol: authorised when the socket opens and again at each
// operation, closed with 4403 when the token expires, with 1012 when the process stops.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { GraphQLError, OperationTypeNode, getOperationAST, type ExecutionArgs, type GraphQLFormattedError } from 'graphql';
import { useServer, type Extra } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { watchAccess } from '../accounts/access.ts';
import { authenticate } from '../accounts/service.ts';
import type { App, Context, Viewer } from '../context.ts';
import { expectedErrors, shuttingDown } from '../platform/errors.ts';
import { maskOutside, toGraphQLError } from './execution.ts';

type Yoga = YogaServerInstance<Record<string, unknown>, Context>;
type SocketExtra = Extra & { viewer?: Viewer; unwatch?: () => Promise<void> };

/** How long a client may take to answer that its socket closes, at most. */
const closingMs = 2_000;
/** Why a socket closes with 1012. */
const restart = 'Service Restart: connect again';

/** Serves `path` on the HTTP server's upgrades; returns its ending, which waits no longer than `limitMs` for clients. */
export function serveSockets(app: App, yoga: Yoga, http: Server, path: string): (limitMs: number) => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: app.config.limits.maxBodyBytes });
  const server = useServer<{ authorization?: string }, { viewer?: Viewer; unwatch?: () => Promise<void> }>(
    {
      // What is unexpected is not told in reasons for closing, wherever this runs.
      isProd: true,
      async onConnect({ connectionParams, extra }) {
        const token = bearer(connectionParams?.authorization);
        if (!token) {
          extra.socket.close(4401, 'Unauthorized: send { authorization: "Bearer …" } in connection_init');
          return false;
        }
        try {
          extra.viewer = await authenticate(app, token);
        } catch (error) {
          // 4403, so that clients try again with a fresh token instead of giving up.
          if (expectedErrors(error)) return false;
          app.log.error({ err: error }, 'a socket could not be authorised');
          extra.socket.close(1013, 'Try again later');
          return false;
        }
        extra.unwatch = await closeWhenAccessEnds(app, extra.viewer, extra.socket);
        // It may have closed meanwhile, and then nobody else ends the watch.
        if (extra.socket.readyState !== extra.socket.OPEN) await extra.unwatch();
        return true;
      },
      async onClose({ extra }) {
        await extra.unwatch?.();
      },
      async onSubscribe(ctx, _id, params) {
        if (Object.keys(ctx.subscriptions).length > app.config.limits.maxSubscriptionsPerConnection) {
          return [new GraphQLError('This connection has too many operations open. Complete some, or open another.', { extensions: { code: 'LIMIT_EXCEEDED' } })];
        }
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          req: ctx.extra.request,
          connectionParams: ctx.connectionParams,
          params,
        });
        try {
          const document = parse(params.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return errors;
          const contextValue = await contextFactory();
          if (app.draining && getOperationAST(document, params.operationName)?.operation === OperationTypeNode.SUBSCRIPTION) {
            // What is to last would not: with all it has here, the client goes to another instance.
            ctx.extra.socket.close(1012, restart);
            return [toGraphQLError(shuttingDown())];
          }
          return { schema, document, contextValue, operationName: params.operationName, variableValues: params.variables, execute, subscribe } as never;
        } catch (error) {
          return [maskOutside(app, error)];
        }
      },
      onNext: (_ctx, _id, _payload, _args, result) => (result.errors ? { ...result, errors: result.errors.map(withoutHttp) } : undefined) as never,
      onError: (_ctx, _id, _payload, errors) => errors.map(withoutHttp),
      execute: (args) => (args as Enveloped).execute(args),
      subscribe: (args) => (args as Enveloped).subscribe(args) as never,
    },
    sockets as never,
    12_000,
  );
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (pathOf(request) !== path) return refuse(socket, '404 Not Found');
    if (!originAllowed(app, request)) return refuse(socket, '403 Forbidden');
    if (app.draining) return refuse(socket, '503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (opened) => {
      sockets.emit('connection', opened, request);
      // ws has closed the socket with the code of the fault; graphql-ws would print it beside the log.
      opened.removeAllListeners('error').on('error', (error) => app.log.debug({ err: error }, 'a socket failed'));
    });
  });
  return async (limitMs) => {
    for (const socket of sockets.clients) socket.close(1012, restart);
    const impatience = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
    }, Math.min(closingMs, limitMs * 0.8));
    await server.dispose();
    clearTimeout(impatience);
  };
}

/** The token of an Authorization value, with or without its scheme. */
export function bearer(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const token = value.replace(/^bearer\s+/i, '').trim();
  return token === '' ? null : token;
}

/** The path that a request names; null when it names none, as "//" does. */
export function pathOf(request: IncomingMessage): string | null {
  return URL.parse(request.url ?? '/', 'http://localhost')?.pathname ?? null;
}

/** Whether a page of this origin may call; programs send none and may. */
export function originAllowed(app: App, request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  const { allowedOrigins } = app.config;
  if (allowedOrigins.includes('*') || allowedOrigins.includes(origin.toLowerCase())) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** An error as it is told on a socket, which has no status and no headers. */
function withoutHttp(error: GraphQLError | GraphQLFormattedError): GraphQLFormattedError {
  const { extensions, ...rest } = error instanceof GraphQLError ? error.toJSON() : error;
  if (!extensions) return rest;
  const { http: _http, ...others } = extensions;
  return { ...rest, extensions: others };
}

interface Enveloped extends ExecutionArgs {
  execute(args: ExecutionArgs): ReturnType<typeof import('graphql').execute>;
  subscribe(args: ExecutionArgs): ReturnType<typeof import('graphql').subscribe>;
}

async function closeWhenAccessEnds(app: App, viewer: Viewer, socket: SocketExtra['socket']): Promise<() => Promise<void>> {
  const close = (reason: string): void => socket.close(4403, reason);
  const timer = setTimeout(() => close('Forbidden: the access token has expired'), Math.min(viewer.expiresAt.getTime() - Date.now(), 2 ** 31 - 1));
  const stop = await watchAccess(app, viewer, (role) => {
    if (role === null) close('Forbidden: signed out');
  });
  return async () => {
    clearTimeout(timer);
    await stop();
  };
}

function refuse(socket: Socket, status: string): void {
  // Nobody else listens here: a connection that is reset while it is refused would end the process.
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
