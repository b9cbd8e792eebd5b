// How operations are executed: errors are masked and logged in one place, and a subscription takes a fresh context for
// each event and ends when its viewer's access does.
import { randomUUID } from 'node:crypto';
import { GraphQLError, createSourceEventStream, execute, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { watchAccess } from '../accounts/access.ts';
import { accessEnded } from '../accounts/service.ts';
import { renewContext, type App, type Context, type Viewer } from '../context.ts';
import { GenericError, RateLimitError, expectedErrors, shuttingDown, unauthenticated, type UserError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { connectionFailure } from '../platform/transient.ts';
import { parseWithinBounds, refusalOf } from './bounds.ts';
import type { Connections } from './connections.ts';
import { refusalByLimits, refusedMutation } from './limits.ts';

/** The Yoga plugin that executes operations as described above. */
export function useExecution(app: App, connections: Connections): Plugin<Context> {
  return {
    onParse({ setParseFn }) {
      setParseFn(parseWithinBounds as never);
    },
    async onExecute({ args, setResultAndStopExecution }) {
      const refusal = await refusalToRun(args as never);
      if (refusal) setResultAndStopExecution(refusal);
      return {
        onExecuteDone({ args, result, setResult }) {
          if (!(Symbol.asyncIterator in (result as object))) setResult(masked(result as ExecutionResult, args.contextValue));
        },
      };
    },
    onSubscribe({ args, setSubscribeFn }) {
      setSubscribeFn((() => subscribe(app, connections, args as unknown as ExecutionArgs & { contextValue: Context })) as never);
    },
  };
}

/** An expected failure as a GraphQL error with its code. */
export function toGraphQLError(error: UserError, at?: GraphQLError): GraphQLError {
  return new GraphQLError(error.message, {
    ...(at && { nodes: at.nodes ?? null, source: at.source ?? null, positions: at.positions ?? null, path: at.path ?? null }),
    extensions: {
      code: error.code,
      ...(error.field && { field: error.field }),
      ...(error.code === 'SHUTTING_DOWN' && { http: { status: 503 } }),
      ...(error instanceof RateLimitError && {
        retryAfterSeconds: error.retryAfterSeconds,
        http: { status: 429, headers: { 'retry-after': String(error.retryAfterSeconds) } },
      }),
    },
  });
}

/** What a client is told of a failure before or around execution; errors of execution are masked there. */
export function maskOutside(app: App, error: unknown): GraphQLError {
  if (error instanceof GraphQLError && (!error.originalError || error.originalError instanceof GraphQLError)) return error;
  const original = error instanceof GraphQLError ? error.originalError : error;
  const told = tellable(original, app.log);
  if (told) return toGraphQLError(told);
  const requestId = randomUUID();
  app.log.error({ err: original, requestId }, 'a request failed unexpectedly');
  return internal(requestId);
}

/** The answer of an operation that may not run: it asks for too much, or a limit is used up; null when it may. */
async function refusalToRun(args: ExecutionArgs & { contextValue: Context }): Promise<ExecutionResult | null> {
  const tooMuch = refusalOf(args);
  if (tooMuch) return { errors: [tooMuch] };
  const tooOften = await refusalByLimits(args);
  return tooOften && ((await refusedMutation(args, tooOften)) ?? { errors: [toGraphQLError(tooOften)] });
}

async function subscribe(app: App, connections: Connections, args: ExecutionArgs & { contextValue: Context }): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  // Sockets do not get here: they close and go to another instance.
  if (app.draining) return { errors: [toGraphQLError(shuttingDown())] };
  const refusal = await refusalToRun(args);
  if (refusal) return refusal;
  const { viewer } = args.contextValue;
  // A socket has taken its place when it was opened; an event stream is a connection of its own.
  const leave = viewer && 'request' in args.contextValue ? connections.enter(viewer.userId) : () => undefined;
  if (!leave) return { errors: [toGraphQLError(tooManyConnections(app))] };
  try {
    const source = await createSourceEventStream(args);
    if (Symbol.asyncIterator in source) {
      return await whileAllowed(app, args.contextValue, source[Symbol.asyncIterator](), leave, async (event) => {
        const contextValue = renewContext(args.contextValue);
        return masked(await execute({ ...args, rootValue: event, contextValue }), contextValue);
      });
    }
    leave();
    return masked(source, args.contextValue);
  } catch (error) {
    leave();
    throw error;
  }
}

function tooManyConnections(app: App): UserError {
  return new GenericError('LIMIT_EXCEEDED', `You have ${app.config.limits.maxConnectionsPerUser} connections open. Close one, or follow several things over one WebSocket.`);
}

/** The results of `source` until it ends, the client leaves, or the viewer's access ends: then an error is the last result. */
async function whileAllowed(
  app: App,
  ctx: Context,
  source: AsyncIterator<unknown>,
  leave: () => void,
  resultOf: (event: unknown) => Promise<ExecutionResult>,
): Promise<AsyncIterableIterator<ExecutionResult>> {
  let refusal: UserError | null = null;
  const refuse = (error: UserError): void => {
    refusal ??= error;
    void source.return?.();
  };
  const unwatch = ctx.viewer ? await whenRefused(app, ctx.viewer, refuse) : async () => undefined;
  app.activity.subscriptions++;
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    app.activity.subscriptions--;
    leave();
    await unwatch();
  };
  const results: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      if (!open) return { value: undefined, done: true };
      try {
        const event = await source.next();
        if (!event.done) return { value: await resultOf(event.value), done: false };
      } catch (error) {
        await close();
        return { value: masked({ errors: [new GraphQLError('', { originalError: error as Error })] }, ctx), done: false };
      }
      await close();
      return refusal ? { value: { errors: [toGraphQLError(refusal)] }, done: false } : { value: undefined, done: true };
    },
    async return() {
      await close();
      await source.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results;
}

/** Calls `refuse` once the token expires, the sign-in ends, or the role changes. */
async function whenRefused(app: App, viewer: Viewer, refuse: (error: UserError) => void): Promise<() => Promise<void>> {
  const timer = setTimeout(
    () => refuse(unauthenticated('The access token has expired. Refresh it and subscribe again.')),
    Math.min(viewer.expiresAt.getTime() - Date.now(), 2 ** 31 - 1),
  );
  const stop = await watchAccess(app, viewer, (role) =>
    refuse(role === null ? accessEnded() : new GenericError('FORBIDDEN', 'Your role has changed. Subscribe again with what it allows.')),
  );
  return async () => {
    clearTimeout(timer);
    await stop();
  };
}

function masked(result: ExecutionResult, ctx: Context): ExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map((error) => maskedError(error, ctx)) } : result;
}

function maskedError(error: GraphQLError, ctx: Context): GraphQLError {
  const original = error.originalError;
  if (!original || original instanceof GraphQLError) return error;
  const told = tellable(original, ctx.log);
  if (told) return toGraphQLError(told, error);
  ctx.log.error({ err: original, path: error.path }, 'an operation failed unexpectedly');
  return internal(ctx.requestId, error);
}

/** What a client may be told of a failure as it is: an expected one, or that the database is away. Null of any other. */
function tellable(error: unknown, log: Logger): UserError | null {
  const [expected] = expectedErrors(error) ?? [];
  if (expected) return expected;
  const away = connectionFailure(error);
  if (away) log.warn({ err: error }, 'the database was away');
  return away;
}

function internal(requestId: string, at?: GraphQLError): GraphQLError {
  return new GraphQLError(`Something went wrong on our side. Quote the request ${requestId} when you report it.`, {
    ...(at && { nodes: at.nodes ?? null, path: at.path ?? null }),
    extensions: { code: 'INTERNAL', requestId, ...(!at && { http: { status: 500 } }) },
  });
}
