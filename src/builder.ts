// The one Pothos builder: plugins, scalars, the error types, and the shapes that every room's schema shares
// (payloads with userErrors, connections, global ids).
import SchemaBuilder, { brandWithType, type ObjectRef } from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import { GraphQLError, Kind, getNamedType, getNullableType, isLeafType, isListType, type GraphQLOutputType } from 'graphql';
import { DateTimeISOResolver, JSONResolver } from 'graphql-scalars';
import type { Context } from './context.ts';
import type { ChangeKind } from './platform/changes.ts';
import {
  NotFoundError, ValidationError, expectedErrors,
  type ConflictError, type ErrorCode, type ForbiddenError, type GenericError, type Permission, type RateLimitError, type UserError,
} from './platform/errors.ts';
import type { LimitStatus } from './platform/limits.ts';
import type { FileUpload } from './platform/multipart.ts';
import type { Page } from './platform/page.ts';

interface SchemaTypes {
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
    Upload: { Input: Promise<FileUpload>; Output: never };
    EventCursor: { Input: string; Output: string };
  };
}

export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [RelayPlugin, DataloaderPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  relay: {
    idFieldOptions: { description: 'Global id: opaque, unique over all types, readable by `node(id:)`.' },
    clientMutationId: 'omit',
    cursorType: 'String',
    encodeGlobalID: (typename, id) => encodeId(typename, String(id)),
    decodeGlobalID: (globalId) => readNodeId(globalId),
    nodeTypeOptions: { description: 'Anything with an id of its own, readable by `node(id:)`.' },
    nodeQueryOptions: {
      args: { id: { description: 'The global id.' } },
      description: 'The node of an id; null for an id that is absent, malformed, or of another workspace.',
    },
    nodesQueryOptions: {
      args: { ids: { description: 'Global ids, at most 100.' } },
      description: 'As `node`, for up to 100 ids, in their order.',
      resolve: (_root, { ids }, _ctx, _info, resolveNodes) => {
        if (ids.length > 100) throw new ValidationError('Ask for at most 100 nodes at once.', ['ids'], 'maxItems');
        return resolveNodes(ids);
      },
    },
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    hasNextPageFieldOptions: { description: 'Whether something follows the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether something precedes it.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; null on an empty page.' },
  },
  // What an operation costs is compared with the limits before it runs (src/server/bounds.ts), not by each root field.
  complexity: { fieldComplexity: (args, _ctx, field) => costOf(field, args) },
});

/** A value that needs no work of its own. */
const valueCost = 0.1;

/**
 * An object costs 1, a value a tenth. What stands in a connection or list counts as often as it may come: `first` or
 * `last` times, once for each of `ids`, else as often as is usual.
 */
function costOf({ name, type }: { name: string; type: GraphQLOutputType }, args: Record<string, unknown>): { field: number; multiplier: number } {
  const named = getNamedType(type);
  if (isLeafType(named) || named.name === 'PageInfo') return { field: valueCost, multiplier: 0 };
  // Their connection has counted them.
  if (name === 'edges') return { field: valueCost, multiplier: 1 };
  if (name === 'nodes' && !('ids' in args)) return { field: 1, multiplier: 1 };
  const asked = args['first'] ?? args['last'] ?? (Array.isArray(args['ids']) ? args['ids'].length : undefined);
  // A page that is too long is refused by its field, which says so better.
  if (typeof asked === 'number') return { field: 1, multiplier: Math.min(Math.max(asked, 1), 100) };
  if (named.name.endsWith('Connection')) return { field: 1, multiplier: 20 };
  return { field: 1, multiplier: isListType(getNullableType(type)) ? 5 : 1 };
}

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({ description: 'Everything that can be changed: one `input`, one payload; expected failures are in `userErrors`.' });
builder.subscriptionType({ description: 'Everything that can be followed, over WebSocket (graphql-ws) or server-sent events.' });

// ---------- scalars ----------

builder.addScalarType('DateTime', DateTimeISOResolver);
builder.addScalarType('JSON', JSONResolver);
builder.scalarType('Upload', {
  description: 'A file, sent by the GraphQL multipart request specification.',
  parseValue: (value) => {
    if (value instanceof Promise) return value as Promise<FileUpload>;
    throw new GraphQLError('A file must be sent as multipart/form-data, by the GraphQL multipart request specification.');
  },
  serialize: () => {
    throw new GraphQLError('Upload is an input only.');
  },
});
builder.scalarType('EventCursor', {
  description: 'An exact position in a chat session\'s stream. Opaque; a client stores the last one it applied and passes it to `chatEvents(after:)`.',
  parseValue: (value) => {
    if (typeof value === 'string') return value;
    throw new GraphQLError('An EventCursor is a string.');
  },
  parseLiteral: (node) => {
    if (node.kind === Kind.STRING) return node.value;
    throw new GraphQLError('An EventCursor is a string.');
  },
  serialize: (value) => value,
});

/** An enum whose values all say what they mean. */
export function describedEnum<const V extends Readonly<Record<string, string>>>(name: string, description: string, values: V) {
  const described = Object.fromEntries(Object.entries(values).map(([value, meaning]) => [value, { description: meaning }]));
  return builder.enumType(name, { description, values: described as { [K in keyof V & string]: { description: string } } });
}

/** What a change of a list says of an item. */
export const ChangeKindEnum = describedEnum<Record<ChangeKind, string>>('ChangeKind', 'What happened to something.', { CREATED: 'It was made.', UPDATED: 'It was changed.', DELETED: 'It is gone.' });

/** Ascending or descending. */
export const OrderDirectionEnum = describedEnum('OrderDirection', 'Ascending or descending.', { ASC: 'Smallest, oldest or first in the alphabet first.', DESC: 'The other way round.' });

// ---------- ids ----------

/** The id of no row. */
const nobody = '00000000-0000-0000-0000-000000000000';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The global id of a row: opaque to clients, unique over all types. */
export function encodeId(typename: string, id: string): string {
  return Buffer.from(`${typename}:${id}`).toString('base64url');
}

/** The row's id inside a global id of this type; throws NotFoundError for any other text. */
export function decodeId(typename: string, globalId: string, field: readonly string[] = ['id']): string {
  const id = rowId(typename, globalId);
  if (id === null) throw new NotFoundError(typename, globalId, field);
  return id;
}

/** As decodeId, but null for any other text. */
export function rowId(typename: string, globalId: string): string | null {
  const read = readId(globalId);
  return read?.typename === typename && uuid.test(read.id) ? read.id : null;
}

/** As decodeId for many; the field's path names the index of the one at fault. */
export function decodeIds(typename: string, globalIds: readonly string[], field: readonly string[]): string[] {
  return globalIds.map((id, index) => decodeId(typename, id, [...field, String(index)]));
}

/** As decodeId for rows that are named by text instead of a uuid, e.g. models. */
export function decodeName(typename: string, globalId: string, field: readonly string[] = ['id']): string {
  const read = readId(globalId);
  if (read?.typename !== typename) throw new NotFoundError(typename, globalId, field);
  return read.id;
}

/** The ids among `ids` that can be rows' ids; the others name nothing. Never empty, as SQL knows no empty list. */
export function onlyUuids(ids: readonly string[]): string[] {
  const possible = ids.filter((id) => uuid.test(id));
  return possible.length > 0 ? possible : [nobody];
}

/** As Pothos needs it: what names no node reads as the id of nobody. */
function readNodeId(globalId: string): { typename: string; id: string } {
  const read = readId(globalId);
  return read && builder.configStore.hasConfig(read.typename) ? read : { typename: 'User', id: '' };
}

function readId(globalId: string): { typename: string; id: string } | null {
  const match = /^([A-Za-z]+):([^\0]+)$/.exec(Buffer.from(globalId, 'base64url').toString());
  return match ? { typename: match[1] as string, id: match[2] as string } : null;
}

// ---------- errors ----------

export const ErrorCodeEnum = describedEnum<Record<ErrorCode, string>>('ErrorCode', 'What went wrong, for programs.', {
  VALIDATION_FAILED: 'A value breaks a rule; `field` and `constraint` say which.',
  NOT_FOUND: 'The id names nothing that the viewer may see.',
  CONFLICT: 'The state excludes the change, or an idempotency key was used for another request. Read again, then decide.',
  ALREADY_EXISTS: 'There is one already.',
  UNAUTHENTICATED: 'No valid access token. Refresh it, or sign in.',
  INVALID_CREDENTIALS: 'E-mail address or password is wrong.',
  FORBIDDEN: "The viewer's role does not include it.",
  RATE_LIMITED: 'Too many requests. Wait, then try again.',
  PAYLOAD_TOO_LARGE: 'A file, text or body is larger than allowed.',
  UNSUPPORTED_MEDIA_TYPE: 'The content is of a kind that is not understood.',
  DOCUMENT_NOT_READY: 'The document is still being ingested.',
  DOCUMENT_ENCRYPTED: 'The document needs a password. Upload it without one.',
  DOCUMENT_HAS_NO_TEXT: 'The document holds no text, e.g. a scan. Upload one with a text layer.',
  DOCUMENT_CORRUPT: 'The document is damaged. Save it again and upload that.',
  DOCUMENT_TOO_COMPLEX: 'Reading the document takes more memory than allowed. Split it.',
  RUN_IN_PROGRESS: 'An answer is still being written in this session.',
  RUN_NOT_ACTIVE: 'The run has ended.',
  INTERRUPT_ALREADY_RESOLVED: 'Somebody has answered the question already.',
  PROVIDER_UNAVAILABLE: 'The model or the database cannot be reached or failed. Try again.',
  PROVIDER_REJECTED: 'The model refused the request. Another try will not help.',
  CIRCUIT_OPEN: 'The model failed repeatedly and is left alone for a while.',
  TIMEOUT: 'It took longer than allowed.',
  CONTEXT_TOO_LONG: 'Conversation and passages are longer than the model can read.',
  LIMIT_EXCEEDED: 'A limit of the connection or the run was reached.',
  QUERY_TOO_COMPLEX: 'The operation is too deep or too costly. Ask for less at once.',
  SHUTTING_DOWN: 'The instance is about to stop. Try again; another one will answer.',
  INTERNAL: 'Something unexpected on our side; quote the request id.',
});
export const PermissionEnum = describedEnum<Record<Permission, string>>('Permission', 'What a role may do.', {
  PROFILE_READ: 'See profiles.',
  PROFILE_WRITE: 'Make, change and archive profiles.',
  DOCUMENT_READ: 'See and search documents.',
  DOCUMENT_WRITE: 'Add, replace and delete documents.',
  CHAT: 'Make sessions and send messages.',
  TASK: 'Keep tasks.',
  CONFIG_READ: 'See the configuration.',
  CONFIG_WRITE: 'Change providers and the workspace.',
  MEMBER_ADMIN: 'Add and remove members and change their roles.',
});

const errorKinds: ReadonlySet<string> = new Set(['GenericError', 'ValidationError', 'NotFoundError', 'ConflictError', 'ForbiddenError', 'RateLimitError', 'ProviderError']);

/** An expected failure as data: graphql-js would throw a value that is an Error. */
export type ErrorData<E extends UserError = UserError> = Omit<E, 'name' | 'stack' | 'cause'> & { readonly kind: string };

/** The data of an expected failure. */
export function errorData(error: UserError): ErrorData {
  // A class of one room that the schema does not know is told as the class that it extends.
  let type = error.constructor as { name: string };
  while (!errorKinds.has(type.name)) type = Object.getPrototypeOf(type) ?? { name: 'GenericError' };
  return { ...error, message: error.message, kind: type.name };
}

/** Every expected failure of a mutation. */
export const UserErrorInterface = builder.interfaceRef<ErrorData>('UserError').implement({
  description: 'Every expected failure of a mutation is data. Unexpected ones stay in top-level `errors`.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What happened, with which value, and what to do next; for people.' }),
    code: t.expose('code', { type: ErrorCodeEnum, description: 'The same for programs.' }),
    field: t.stringList({ nullable: true, description: 'Path into `input` of the value at fault; null when not tied to one field.', resolve: (error) => (error.field ? [...error.field] : null) }),
  }),
  resolveType: (error) => error.kind,
});

builder.objectRef<ErrorData<GenericError>>('GenericError').implement({ interfaces: [UserErrorInterface], description: 'An expected failure without further data.' });
builder.objectRef<ErrorData<ValidationError>>('ValidationError').implement({
  interfaces: [UserErrorInterface],
  description: 'A rule that a value breaks.',
  fields: (t) => ({ constraint: t.exposeString('constraint', { nullable: true, description: 'The rule for programs, e.g. "minLength".' }) }),
});
builder.objectRef<ErrorData<NotFoundError>>('NotFoundError').implement({
  interfaces: [UserErrorInterface],
  description: 'An id that names nothing the viewer may see; absent and foreign answer alike.',
  fields: (t) => ({
    typeName: t.exposeString('typeName', { description: 'The type that was looked for.' }),
    nodeId: t.exposeID('nodeId', { nullable: true, description: 'The id as it was given.' }),
  }),
});
builder.objectRef<ErrorData<ConflictError>>('ConflictError').implement({
  interfaces: [UserErrorInterface],
  description: 'A state that excludes the change.',
  fields: (t) => ({
    existing: t.field({
      type: builder.nodeInterfaceRef(),
      nullable: true,
      description: 'The node in the way.',
      resolve: (error, _args, ctx) => (error.existing ? loadNode(ctx, error.existing) : null),
    }),
  }),
});
builder.objectRef<ErrorData<ForbiddenError>>('ForbiddenError').implement({
  interfaces: [UserErrorInterface],
  description: "A permission that the viewer's role does not include.",
  fields: (t) => ({ requiredPermission: t.expose('requiredPermission', { type: PermissionEnum, description: 'The permission that is missing.' }) }),
});

/** Where somebody stands in a limit. */
export const RateLimitObject = builder.objectRef<LimitStatus>('RateLimit').implement({
  description: 'How often something may be asked for, and how often it was: so many requests per window of time.',
  fields: (t) => ({
    bucket: t.exposeString('bucket', { description: 'What is counted, e.g. "send_message"; "default_hour" and "default_day" count what has no limit of its own.' }),
    limit: t.exposeInt('limit', { description: 'Requests per window.' }),
    remaining: t.exposeInt('remaining', { description: 'Requests left in this window.' }),
    used: t.exposeInt('used', { description: 'Requests counted in this window.' }),
    cost: t.exposeInt('cost', { description: 'What the request in question counts, 1 for most.' }),
    resetAt: t.expose('resetAt', { type: 'DateTime', description: 'When the window ends and all requests are free again.' }),
  }),
});
builder.objectRef<ErrorData<RateLimitError>>('RateLimitError').implement({
  interfaces: [UserErrorInterface],
  description: 'A limit that is used up for now. Nothing was done.',
  fields: (t) => ({
    retryAfterSeconds: t.exposeInt('retryAfterSeconds', { description: 'Seconds to wait before trying again, at least 1.' }),
    limit: t.field({ type: RateLimitObject, description: 'The limit that refused.', resolve: (error) => error.limit }),
  }),
});

// ---------- payloads ----------

type SchemaTypesOf = (typeof builder)['$inferSchemaTypes'];

/** A mutation's answer before `userErrors` are added. */
export type Answer<T> = Partial<T> & { readonly userErrors: readonly UserError[] };

/** The payload type of a mutation: its nullable fields and `userErrors`. */
export function payload<T extends object>(
  name: string,
  description: string,
  fields: (t: PayloadFieldBuilder<Answer<T>>) => Record<string, unknown>,
): ObjectRef<SchemaTypesOf, Answer<T>, Answer<T>> {
  return builder.objectRef<Answer<T>>(name).implement({
    description,
    fields: (t) => ({
      ...(fields(t as never) as object),
      userErrors: t.field({ type: [UserErrorInterface], description: 'The expected failures; empty when it was done.', resolve: (answer) => answer.userErrors.map(errorData) }),
    }),
  }) as never;
}
type PayloadFieldBuilder<Shape> = PothosSchemaTypes.ObjectFieldBuilder<SchemaTypesOf, Shape>;

/** Runs a mutation: its expected failures become `userErrors`, unexpected ones fly. */
export async function attempt<T extends object>(work: () => Promise<T>, nothing: Partial<T> = {}): Promise<Answer<T>> {
  try {
    return { ...(await work()), userErrors: [] };
  } catch (thrown) {
    const errors = expectedErrors(thrown);
    if (!errors) throw thrown;
    return { ...nothing, userErrors: errors } as Answer<T>;
  }
}

// ---------- connections ----------

/** The connection and edge types of a node, named after it. */
export function connection<Shape extends object>(
  name: string,
  node: ObjectRef<SchemaTypesOf, never, Shape> | ObjectRef<SchemaTypesOf, Shape, Shape>,
  plural: string,
): ObjectRef<SchemaTypesOf, Page<Shape>, Page<Shape>> {
  type Edge = Page<Shape>['edges'][number];
  const edge = builder.objectRef<Edge>(`${name}Edge`).implement({
    description: `One of the ${plural}, with its position.`,
    fields: (t) => ({
      cursor: t.exposeString('cursor', { description: 'Position in the list; pass to `after` or `before`.' }),
      node: t.field({ type: node as never, description: 'The item itself.', resolve: (row: Edge) => row.node as never }),
    }),
  });
  return builder.objectRef<Page<Shape>>(`${name}Connection`).implement({
    description: `A page of ${plural}.`,
    fields: (t) => ({
      edges: t.field({ type: [edge], description: 'The items with their positions.', resolve: (page) => [...page.edges] }),
      nodes: t.field({ type: [node] as never, description: 'The items alone.', resolve: (page: Page<Shape>) => page.edges.map((row) => row.node) as never }),
      pageInfo: t.field({ type: builder.pageInfoRef(), description: 'Whether there is more.', resolve: (page) => page.pageInfo }),
      totalCount: t.int({ description: 'Items in the whole list; counted only when asked for.', resolve: (page) => page.totalCount() }),
    }),
  }) as never;
}

type ArgBuilder = PothosSchemaTypes.QueryFieldBuilder<SchemaTypesOf, object>['arg'];

/** Arguments of a list that is paged forward only. */
export const forwardArgs = (arg: ArgBuilder) => ({
  first: arg.int({ description: 'How many to return, 1–100; 20 when absent.' }),
  after: arg.string({ description: 'Only what follows this cursor.' }),
});

/** Arguments of a list that is paged in both directions. */
export const bothWaysArgs = (arg: ArgBuilder) => ({
  ...forwardArgs(arg),
  last: arg.int({ description: 'How many to return from the end, 1–100.' }),
  before: arg.string({ description: 'Only what precedes this cursor.' }),
});

/** A node by its type and row id, through its loader. */
async function loadNode(ctx: Context, node: { type: string; id: string }): Promise<object | null> {
  const { pothosOptions } = builder.configStore.getTypeConfig(node.type, 'Object') as unknown as {
    pothosOptions: { loadManyWithoutCache(ids: string[], ctx: Context): Promise<(object | null)[]> };
  };
  const [found] = await pothosOptions.loadManyWithoutCache([node.id], ctx);
  if (!found) return null;
  brandWithType(found, node.type as never);
  return found;
}
