// Subscriptions over WebSocket, by the graphql-transport-ws protocol: authorised when the socket opens and again at each
// operation, closed with 4403 when the token expires, with 1012 when the process stops. A user has a bounded number of
// sockets, with a bounded number of operations on each.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { GraphQLError, OperationTypeNode, getOperationAST, type ExecutionArgs, type GraphQLFormattedError } from 'graphql';
import { useServer, type Extra } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { WebSocket, WebSocketServer } from 'ws';
import { watchAccess } from '../accounts/access.ts';
import { authenticate } from '../accounts/service.ts';
import type { App, Context, Viewer } from '../context.ts';
import { expectedErrors, shuttingDown } from '../platform/errors.ts';
import type { Connections } from './connections.ts';
import { maskOutside, toGraphQLError } from './execution.ts';
import { observeReading, type Reading } from './reading.ts';

type Yoga = YogaServerInstance<Record<string, unknown>, Context>;
type SocketState = {
  viewer?: Viewer;
  unwatch?: () => Promise<void>;
  reading: Reading;
  /** Ids of the operations under way: until their last answer has been taken by the network, or they were refused. */
  operations: Set<string>;
};
type SocketExtra = Extra & SocketState;

/** How long a client may take to answer that its socket closes, at most. */
const closingMs = 2_000;
/** Why a socket closes with 1012. */
const restart = 'Service Restart: connect again';

/** What a socket that has gone did not take is no fault; graphql-ws would print it beside the log. */
class QuietSocket extends WebSocket {
  override send(data: string, callback: unknown): void {
    super.send(data, (error) => (callback as (error?: Error) => void)(this.readyState === this.OPEN ? error : undefined));
  }
}

/** Serves `path` on the HTTP server's upgrades; returns its ending, which waits no longer than `limitMs` for clients. */
export function serveSockets(app: App, yoga: Yoga, http: Server, path: string, connections: Connections): (limitMs: number) => Promise<void> {
  const { maxSubscriptionsPerConnection, maxConnectionsPerUser } = app.config.limits;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: app.config.limits.maxBodyBytes, WebSocket: QuietSocket });
  const readings = new WeakMap<WebSocket, Reading>();
  const server = useServer<{ authorization?: string }, SocketState>(
    {
      // What is unexpected is not told in reasons for closing, wherever this runs.
      isProd: true,
      async onConnect({ connectionParams, extra }) {
        extra.reading = readings.get(extra.socket) as Reading;
        extra.operations = new Set();
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
        const leave = connections.enter(extra.viewer.userId);
        if (!leave) {
          extra.socket.close(1013, `Too many connections: ${maxConnectionsPerUser} of this user are open here`);
          return false;
        }
        extra.socket.once('close', leave);
        if (extra.socket.readyState === extra.socket.CLOSED) leave();
        extra.unwatch = await closeWhenAccessEnds(app, extra.viewer, extra.socket);
        // It may have closed meanwhile, and then nobody else ends the watch.
        if (extra.socket.readyState !== extra.socket.OPEN) await extra.unwatch();
        return true;
      },
      async onClose({ extra }) {
        await extra.unwatch?.();
      },
      async onSubscribe(ctx, id, params) {
        const { operations, reading, socket } = ctx.extra as SocketExtra;
        // Completed by the client, but not over yet: graphql-ws would take the one for the other and forget to end one.
        if (operations.has(id)) {
          socket.close(4409, 'Subscriber already exists: an operation with this id is not over yet');
          return [new GraphQLError('An operation with this id is not over yet.')];
        }
        // What a client has just completed may take a moment to end, but cannot pile up.
        if (Object.keys(ctx.subscriptions).length > maxSubscriptionsPerConnection || operations.size >= 2 * maxSubscriptionsPerConnection) {
          return [new GraphQLError('This connection has too many operations open. Complete some, or open another.', { extensions: { code: 'LIMIT_EXCEEDED' } })];
        }
        operations.add(id);
        const refused = (errors: readonly GraphQLError[]): readonly GraphQLError[] => {
          operations.delete(id);
          return errors;
        };
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          req: ctx.extra.request,
          connectionParams: ctx.connectionParams,
          params,
        });
        try {
          const document = parse(params.query);
          const errors = validate(schema, document);
          if (errors.length > 0) return refused(errors);
          if (!getOperationAST(document, params.operationName)) return refused([new GraphQLError('Name the operation that is meant: the document has none, or several.')]);
          const contextValue = await contextFactory();
          if (app.draining && getOperationAST(document, params.operationName)?.operation === OperationTypeNode.SUBSCRIPTION) {
            // What is to last would not: with all it has here, the client goes to another instance.
            ctx.extra.socket.close(1012, restart);
            return refused([toGraphQLError(shuttingDown())]);
          }
          return { schema, document, contextValue, operationName: params.operationName, variableValues: params.variables, execute, subscribe, reading } as never;
        } catch (error) {
          return refused([maskOutside(app, error)]);
        }
      },
      async onNext(ctx, _id, _payload, _args, result) {
        await ctx.extra.reading?.room();
        return (result.errors ? { ...result, errors: result.errors.map(withoutHttp) } : undefined) as never;
      },
      onComplete: (ctx, id) => void ctx.extra.operations?.delete(id),
      onError: (_ctx, _id, _payload, errors) => errors.map(withoutHttp),
      execute: (args) => (args as Enveloped).execute(args),
      async subscribe(args) {
        const { subscribe, reading } = args as Enveloped;
        const results = await subscribe(args);
        return (Symbol.asyncIterator in results ? reading.pace(results) : results) as never;
      },
    },
    sockets as never,
    app.config.keepaliveMs,
  );
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (pathOf(request) !== path) return refuse(socket, '404 Not Found');
    if (!originAllowed(app, request)) return refuse(socket, '403 Forbidden');
    if (app.draining) return refuse(socket, '503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (opened) => {
      readings.set(opened, observeReading(opened, socket));
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
  readonly reading: Reading;
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
