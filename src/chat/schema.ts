// How chats are asked: sessions, messages and runs.
import { UserNode } from '../accounts/schema.ts';
import { scoped } from '../accounts/scoped.ts';
import { attempt, bothWaysArgs, builder, connection, decodeId, encodeId, ErrorCodeEnum, forwardArgs, onlyUuids, payload } from '../builder.ts';
import { DeletePayload } from '../accounts/schema.ts';
import { permit, type Context } from '../context.ts';
import { DocumentChunkNode, DocumentNode, JobStatusEnum, SourceLocation } from '../documents/schema.ts';
import { kysely, sql } from '../platform/database.ts';
import { paginate, paginateEach, pageOf } from '../platform/page.ts';
import { ProfileNode, ProfileVersionNode, RetrievalSettingsInput, retrievalOf } from '../profiles/schema.ts';
import { SearchDegradationEnum } from '../search/schema.ts';
import { decodeModelId, ModelNode } from '../system/schema.ts';
import { encodeCursor } from './cursor.ts';
import {
  ChatSession, Citation, Message, MessageBlock, ModelAttempt, Run, RunStep,
  feedbackRatings, messageRoles, messageStatuses, runStatuses, visibilities, type RunError,
} from './entity.ts';
import { branchIds } from './messages.ts';
import * as sending from './sending.ts';
import * as chat from './service.ts';
import { visibleSessions } from './sessions.ts';
import type { Typing } from './tail.ts';

const VisibilityEnum = builder.enumType('SessionVisibility', { values: visibilities, description: 'PRIVATE: its owner only. WORKSPACE: members with CHAT may read, write and be seen typing.' });
const MessageRoleEnum = builder.enumType('MessageRole', { values: messageRoles, description: 'Who speaks.' });
const MessageStatusEnum = builder.enumType('MessageStatus', { values: messageStatuses, description: 'How far a message is. CANCELLED and FAILED keep the text that was written.' });
/** How far a run is. */
export const RunStatusEnum = builder.enumType('RunStatus', { values: runStatuses, description: 'How far a run is; SUCCEEDED, FAILED, CANCELLED and TIMED_OUT are final.' });
const FeedbackRatingEnum = builder.enumType('FeedbackRating', { values: feedbackRatings, description: 'Helpful or not.' });
const ConcurrencyPolicyEnum = builder.enumType('ConcurrencyPolicy', {
  description: 'What a message does while another run of the session is active.',
  values: {
    REJECT: { description: 'Refused with RUN_IN_PROGRESS.' },
    ENQUEUE: { description: 'The run waits as QUEUED; its parent is the leaf when it starts.' },
    INTERRUPT: { description: 'Cancels the active run and keeps its partial text.' },
    ROLLBACK: { description: 'Cancels the active run and deletes its messages (MessageDeleted).' },
  },
});

/** Tokens and money. */
export interface UsageShape {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly embeddingTokens: number;
  readonly cachedTokens: number;
  readonly costUsd: number;
  readonly estimated: boolean;
}
export const Usage = builder.objectRef<UsageShape>('Usage').implement({
  description: 'What was used, in tokens and money.',
  fields: (t) => ({
    inputTokens: t.exposeInt('inputTokens', { description: 'Tokens sent to models.' }),
    outputTokens: t.exposeInt('outputTokens', { description: 'Tokens written by models.' }),
    embeddingTokens: t.exposeInt('embeddingTokens', { description: 'Tokens sent to embedding models.' }),
    cachedTokens: t.exposeInt('cachedTokens', { description: 'Of the input tokens, those that the provider had cached.' }),
    costUsd: t.exposeFloat('costUsd', { description: "US dollars, by the catalog's prices." }),
    estimated: t.exposeBoolean('estimated', { description: 'Whether some of it was counted here, since the provider did not report it.' }),
  }),
});
const usageOf = (run: Pick<Run, 'inputTokens' | 'outputTokens' | 'embeddingTokens' | 'cachedTokens' | 'costUsd' | 'usageEstimated'>): UsageShape => ({ ...run, costUsd: Number(run.costUsd), estimated: run.usageEstimated });

/** A session that the viewer may see. */
export const ChatSessionNode = builder.loadableNodeRef('ChatSession', {
  id: { resolve: (session) => session.id },
  sort: (session: ChatSession) => session.id,
  load: async (ids: string[], ctx: Context) => (ctx.viewer ? ((await visibleSessions(ctx).selectAll().where('id', 'in', onlyUuids(ids)).execute()) as ChatSession[]) : []),
});
/** A message of a session that the viewer may see. */
export const MessageNode = builder.loadableNodeRef('Message', {
  id: { resolve: (message) => message.id },
  sort: (message: Message) => message.id,
  load: async (ids: string[], ctx: Context) =>
    ctx.viewer
      ? ((await scoped(ctx, Message).select().selectAll().where('id', 'in', onlyUuids(ids)).where('sessionId', 'in', visibleSessions(ctx).select('chat_session.id')).execute()) as Message[])
      : [],
});
/** A run of a session that the viewer may see. */
export const RunNode = builder.loadableNodeRef('Run', {
  id: { resolve: (run) => run.id },
  sort: (run: Run) => run.id,
  load: async (ids: string[], ctx: Context) =>
    ctx.viewer
      ? ((await scoped(ctx, Run).select().selectAll().where('id', 'in', onlyUuids(ids)).where('sessionId', 'in', visibleSessions(ctx).select('chat_session.id')).execute()) as Run[])
      : [],
});

const MessageConnection = connection<Message>('Message', MessageNode as never, 'messages');
const RunConnection = connection<Run>('Run', RunNode as never, 'runs');
const ChatSessionConnection = connection<ChatSession>('ChatSession', ChatSessionNode as never, 'chat sessions');

/** Somebody typing. */
export const TypingState = builder.objectRef<Typing>('TypingState').implement({
  description: 'Somebody who is writing.',
  fields: (t) => ({
    user: t.field({ type: UserNode, nullable: true, description: 'Who; null for the assistant.', resolve: (typing) => typing.userId }),
    isAssistant: t.boolean({ description: 'Whether it is the assistant.', resolve: (typing) => typing.userId === null }),
    since: t.expose('since', { type: 'DateTime', description: 'Since when.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it ends unless it is renewed.' }),
  }),
});

ChatSessionNode.implement({
  description: 'A conversation with a profile: a tree of messages with one selected branch, and a stream of events.',
  fields: (t) => ({
    title: t.exposeString('title', { nullable: true, description: 'Name to show; taken from the first message unless given.' }),
    profile: t.field({ type: ProfileNode, description: 'The assistant.', resolve: (session) => session.profileId }),
    owner: t.field({ type: UserNode, description: 'Who made it.', resolve: (session) => session.ownerId }),
    visibility: t.expose('visibility', { type: VisibilityEnum, description: 'Who sees it.' }),
    summary: t.exposeString('summary', { nullable: true, description: 'What earlier turns were condensed to, where the history no longer fits.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When something last happened in it.' }),
    messages: t.field({
      type: MessageConnection,
      args: { ...bothWaysArgs(t.arg), leafId: t.arg.id({ description: 'Another branch: the one that ends in this message.' }) },
      description: 'The selected branch, oldest first; pass leafId for another branch.',
      resolve: async (session, args, ctx) => {
        const leaf = args.leafId == null ? session.selectedLeafId : decodeId('Message', args.leafId, ['leafId']);
        const ids = leaf ? await branchIds(ctx, leaf) : [];
        const page = pageOf(ids, (id) => encodeId('Message', id), args);
        const rows = (await MessageNode.getDataloader(ctx).loadMany(page.edges.map((edge) => edge.node))) as (Message | null)[];
        return { ...page, edges: page.edges.flatMap((edge, index) => (rows[index] && rows[index].sessionId === session.id ? [{ ...edge, node: rows[index] }] : [])) };
      },
    }),
    leaves: t.loadableList({
      type: MessageNode,
      description: 'The last message of every branch, oldest first.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await scoped(ctx, Message)
          .select()
          .selectAll()
          .where('sessionId', 'in', ids)
          .where(sql<boolean>`not exists (select 1 from message child where child.parent_id = message.id)`)
          .orderBy('createdAt')
          .execute()) as Message[];
        return ids.map((id) => rows.filter((row) => row.sessionId === id)) as never;
      },
      resolve: (session) => session.id,
    }),
    activeRun: t.loadable({
      type: RunNode,
      nullable: true,
      description: 'The run that works or waits for an answer, if there is one.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await scoped(ctx, Run).select().selectAll().where('sessionId', 'in', ids).where('status', 'in', ['RUNNING', 'INTERRUPTED', 'QUEUED']).orderBy('createdAt').execute()) as Run[];
        return ids.map((id) => rows.find((row) => row.sessionId === id) ?? null) as never;
      },
      resolve: (session) => session.id,
    }),
    runs: t.loadable({
      type: RunConnection,
      byPath: true,
      args: forwardArgs(t.arg),
      description: 'Its runs, newest first.',
      load: (ids: string[], ctx: Context, args) =>
        paginateEach<Record<string, never>, never, Run>(
          kysely(ctx.em, Run) as never,
          ids,
          scoped(ctx, Run).select().selectAll() as never,
          sql.ref('run.sessionId'),
          [
            { by: sql.ref('run.createdAt'), direction: 'desc', value: (row) => row.createdAt.toISOString() },
            { by: sql.ref('run.id'), direction: 'desc', value: (row) => row.id },
          ],
          args,
        ),
      resolve: (session) => session.id,
    }),
    typing: t.field({ type: [TypingState], description: 'Who is typing now, as far as this instance has heard.', resolve: (session, _args, ctx) => [...(ctx.app.tails.peek(session.id)?.typing() ?? [])] }),
    usage: t.loadable({
      type: Usage,
      description: 'Sum over its runs.',
      load: async (ids: string[], ctx: Context) => {
        const rows = await scoped(ctx, Run)
          .select()
          .select([
            'run.sessionId',
            sql<number>`sum(input_tokens)::int`.as('inputTokens'),
            sql<number>`sum(output_tokens)::int`.as('outputTokens'),
            sql<number>`sum(embedding_tokens)::int`.as('embeddingTokens'),
            sql<number>`sum(cached_tokens)::int`.as('cachedTokens'),
            sql<number>`sum(cost_usd)::float8`.as('costUsd'),
            sql<boolean>`bool_or(usage_estimated)`.as('estimated'),
          ])
          .where('sessionId', 'in', ids)
          .groupBy('run.sessionId')
          .execute();
        const none: UsageShape = { inputTokens: 0, outputTokens: 0, embeddingTokens: 0, cachedTokens: 0, costUsd: 0, estimated: false };
        return ids.map((id): UsageShape => rows.find((row) => row.sessionId === id) ?? none);
      },
      resolve: (session) => session.id,
    }),
    lastEventCursor: t.field({
      type: 'EventCursor',
      description: 'Pass to chatEvents(after:) so that nothing between this read and the subscription is missed.',
      resolve: (session) => encodeCursor(session.id, { sequence: session.lastSequence, messageId: null, blockIndex: 0, offset: 0 }),
    }),
  }),
});

builder.objectField(ProfileNode, 'chatSessions', (t) =>
  t.loadable({
    type: ChatSessionConnection,
    byPath: true,
    args: forwardArgs(t.arg),
    description: "Chats with it that the viewer may see, newest first.",
    load: (ids: string[], ctx: Context, args) =>
      paginateEach<Record<string, never>, never, ChatSession>(kysely(ctx.em, ChatSession) as never, ids, visibleSessions(ctx).selectAll() as never, sql.ref('chat_session.profileId'), newestFirst, args),
    resolve: (profile) => profile.id,
  }),
);

const newestFirst = [
  { by: sql.ref('chat_session.updatedAt'), direction: 'desc' as const, value: (row: ChatSession) => row.updatedAt.toISOString() },
  { by: sql.ref('chat_session.id'), direction: 'desc' as const, value: (row: ChatSession) => row.id },
];

// ---------- messages ----------

const blocksOf = (ctx: Context) => scoped(ctx, MessageBlock).select().selectAll().orderBy('index');
const TextBlock = builder.objectRef<MessageBlock>('TextBlock').implement({
  description: 'Visible text.',
  fields: (t) => ({ text: t.exposeString('text', { description: 'Markdown.' }) }),
});
const ReasoningBlock = builder.objectRef<MessageBlock>('ReasoningBlock').implement({
  description: "The model's reasoning, where it shows it.",
  fields: (t) => ({ text: t.exposeString('text', { description: 'Plain text.' }) }),
});
const ContentBlock = builder.unionType('ContentBlock', {
  types: [TextBlock, ReasoningBlock],
  description: 'A piece of a message.',
  resolveType: (block) => ((block as MessageBlock).kind === 'TEXT' ? 'TextBlock' : 'ReasoningBlock'),
});

/** A quote as it is stored or logged. */
export type CitationShape = Omit<Citation, 'ordinal' | 'workspaceId' | 'messageId'>;
export const CitationObject = builder.objectRef<CitationShape>('Citation').implement({
  description: 'A quote that bears out a part of the answer. It belongs to the conversation: it stays when the document is deleted (document and chunk are then null).',
  fields: (t) => ({
    index: t.exposeInt('index', { description: "The n of the answer's [n]." }),
    chunk: t.field({ type: DocumentChunkNode, nullable: true, description: 'The passage it is from.', resolve: (citation) => citation.chunkId ?? null }),
    document: t.field({ type: DocumentNode, nullable: true, description: 'The document it is from.', resolve: (citation) => citation.documentId ?? null }),
    documentName: t.exposeString('documentName', { description: "The document's name when it was cited." }),
    location: t.field({
      type: SourceLocation,
      description: 'Where the quote stands in the stored text.',
      resolve: (citation) => citation,
    }),
    quote: t.exposeString('quote', { description: 'The words, exactly as they stand there.' }),
    answerStart: t.exposeInt('answerStart', { description: 'Where the supported part of the answer begins, UTF-16 units of the message\'s text.' }),
    answerEnd: t.exposeInt('answerEnd', { description: 'Where it ends, exclusive.' }),
  }),
});

const Feedback = builder.objectRef<Message>('Feedback').implement({
  description: 'How an answer was rated.',
  fields: (t) => ({
    rating: t.field({ type: FeedbackRatingEnum, description: 'Helpful or not.', resolve: (message) => message.rating as NonNullable<Message['rating']> }),
    comment: t.string({ nullable: true, description: 'Why.', resolve: (message) => message.ratingComment }),
  }),
});

MessageNode.implement({
  description: 'A message of a session; the ones below the same parent are alternatives.',
  fields: (t) => ({
    session: t.field({ type: ChatSessionNode, description: 'Where it stands.', resolve: (message) => message.sessionId }),
    role: t.expose('role', { type: MessageRoleEnum, description: 'Who speaks.' }),
    status: t.expose('status', { type: MessageStatusEnum, description: 'How far it is.' }),
    text: t.loadable({
      type: 'String',
      description: 'The visible text, so far as it is saved; a stream has it as it comes.',
      load: async (ids: string[], ctx: Context) => {
        const rows = await blocksOf(ctx).where('messageId', 'in', ids).where('kind', '=', 'TEXT').execute();
        return ids.map((id) => rows.filter((row) => row.messageId === id).map((row) => row.text).join(''));
      },
      resolve: (message) => message.id,
    }),
    blocks: t.loadableList({
      type: ContentBlock,
      description: 'Its pieces in order.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await blocksOf(ctx).where('messageId', 'in', ids).execute()) as MessageBlock[];
        return ids.map((id) => rows.filter((row) => row.messageId === id)) as never;
      },
      resolve: (message) => message.id,
    }),
    parent: t.field({ type: MessageNode, nullable: true, description: 'What it answers or follows.', resolve: (message) => message.parentId ?? null }),
    siblings: t.loadableList({
      type: MessageNode,
      description: 'The alternatives below the same parent, itself among them, oldest first.',
      load: (keys: string[], ctx: Context) => siblingsOf(keys, ctx) as never,
      resolve: (message) => siblingKey(message),
    }),
    siblingIndex: t.int({
      description: 'Its place among its siblings, from 0.',
      resolve: async (message, _args, ctx) => (await siblingLoader(ctx, message)).findIndex((sibling) => sibling.id === message.id),
    }),
    citations: t.loadableList({
      type: CitationObject,
      description: 'What it cites, in the order of the text.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await scoped(ctx, Citation).select().selectAll().where('messageId', 'in', ids).orderBy('ordinal').execute()) as Citation[];
        return ids.map((id) => rows.filter((row) => row.messageId === id)) as never;
      },
      resolve: (message) => message.id,
    }),
    run: t.field({ type: RunNode, nullable: true, description: 'The run that wrote it, or that it started.', resolve: (message) => message.runId ?? null }),
    usage: t.field({
      type: Usage,
      nullable: true,
      description: 'What writing it used; null for messages of people.',
      resolve: async (message, _args, ctx) => {
        if (message.role !== 'ASSISTANT' || !message.runId) return null;
        const run = (await RunNode.getDataloader(ctx).load(message.runId)) as Run | null;
        return run && usageOf(run);
      },
    }),
    feedback: t.field({ type: Feedback, nullable: true, description: 'How it was rated.', resolve: (message) => (message.rating ? message : null) }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was begun.' }),
    editedAt: t.expose('editedAt', { type: 'DateTime', nullable: true, description: 'When it was made as an edit of another.' }),
  }),
});

// Siblings share a parent, or are roots of the same session.
const siblingKey = (message: Message): string => `${message.sessionId}:${message.parentId ?? ''}`;
async function siblingsOf(keys: readonly string[], ctx: Context): Promise<Message[][]> {
  const parents = keys.map((key) => key.split(':')[1] as string).filter((id) => id !== '');
  const roots = keys.filter((key) => key.endsWith(':')).map((key) => key.slice(0, -1));
  const rows = (await scoped(ctx, Message)
    .select()
    .selectAll()
    .where((eb) =>
      eb.or([
        ...(parents.length > 0 ? [eb('parentId', 'in', parents)] : []),
        ...(roots.length > 0 ? [eb.and([eb('parentId', 'is', null), eb('sessionId', 'in', roots)])] : []),
      ]),
    )
    .orderBy('createdAt')
    .orderBy('id')
    .execute()) as Message[];
  return keys.map((key) => rows.filter((row) => siblingKey(row) === key));
}
const siblingCache = new WeakMap<object, Map<string, Promise<Message[]>>>();
function siblingLoader(ctx: Context, message: Message): Promise<Message[]> {
  const cache = siblingCache.get(ctx.em) ?? new Map<string, Promise<Message[]>>();
  siblingCache.set(ctx.em, cache);
  const key = siblingKey(message);
  const found = cache.get(key) ?? siblingsOf([key], ctx).then(([siblings]) => siblings ?? []);
  cache.set(key, found);
  return found;
}

// ---------- runs ----------

/** A step of a run, as stored or logged. */
export const RunStepObject = builder.objectRef<Pick<RunStep, 'node' | 'status' | 'startedAt' | 'durationMs' | 'error'>>('RunStep').implement({
  description: 'One visit of a node of the graph.',
  fields: (t) => ({
    node: t.exposeString('node', { description: "The node's id in the graph." }),
    status: t.expose('status', { type: JobStatusEnum, description: 'How far it is.' }),
    startedAt: t.field({ type: 'DateTime', description: 'When it began.', resolve: (step) => new Date(step.startedAt) }),
    durationMs: t.exposeInt('durationMs', { nullable: true, description: 'Milliseconds; null while it runs.' }),
    error: t.exposeString('error', { nullable: true, description: 'Why it failed, safe to show.' }),
  }),
});
const ModelAttemptObject = builder.objectRef<ModelAttempt>('ModelAttempt').implement({
  description: 'One call of a model.',
  fields: (t) => ({
    model: t.field({ type: ModelNode, description: 'The model.', resolve: (attempted) => attempted.modelId }),
    attempt: t.exposeInt('attempt', { description: 'The how-manieth call of this model, from 1.' }),
    succeeded: t.exposeBoolean('succeeded', { description: 'Whether it answered.' }),
    errorCode: t.expose('errorCode', { type: ErrorCodeEnum, nullable: true, description: 'Why not.' }),
    durationMs: t.exposeInt('durationMs', { description: 'Milliseconds.' }),
    isFallback: t.exposeBoolean('isFallback', { description: 'Whether it was called because another had failed.' }),
  }),
});
/** Why a run failed. */
export const RunErrorObject = builder.objectRef<RunError>('RunError').implement({
  description: 'Why a run failed.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'For programs.' }),
    message: t.exposeString('message', { description: 'What happened and what to do; for people.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether regenerateMessage may help.' }),
    node: t.exposeString('node', { nullable: true, description: 'The node that failed.' }),
    requestId: t.exposeString('requestId', { description: 'To quote in a report.' }),
  }),
});

RunNode.implement({
  description: 'One answer in the making: it is claimed by an instance, works through its graph, and ends exactly once.',
  fields: (t) => ({
    session: t.field({ type: ChatSessionNode, description: 'Where it answers.', resolve: (run) => run.sessionId }),
    status: t.expose('status', { type: RunStatusEnum, description: 'How far it is.' }),
    attempt: t.exposeInt('attempt', { description: '1, and one more for each takeover.' }),
    cached: t.exposeBoolean('cached', { description: 'Whether the answer came from the cache.' }),
    degraded: t.field({ type: [SearchDegradationEnum], description: 'What retrieval had to do without.', resolve: (run) => run.degraded as never }),
    profileVersion: t.field({ type: ProfileVersionNode, description: 'What answered.', resolve: (run) => run.profileVersionId }),
    inputMessage: t.field({ type: MessageNode, nullable: true, description: 'The question.', resolve: (run) => run.inputMessageId ?? null }),
    outputMessage: t.field({ type: MessageNode, nullable: true, description: 'The answer; null until it is begun.', resolve: (run) => run.outputMessageId ?? null }),
    steps: t.loadableList({
      type: RunStepObject,
      description: 'Its visits of nodes, in order.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await scoped(ctx, RunStep).select().selectAll().where('runId', 'in', ids).orderBy('ordinal').execute()) as RunStep[];
        return ids.map((id) => rows.filter((row) => row.runId === id)) as never;
      },
      resolve: (run) => run.id,
    }),
    attempts: t.loadableList({
      type: ModelAttemptObject,
      description: 'Its calls of models, in order.',
      load: async (ids: string[], ctx: Context) => {
        const rows = (await scoped(ctx, ModelAttempt).select().selectAll().where('runId', 'in', ids).orderBy('ordinal').execute()) as ModelAttempt[];
        return ids.map((id) => rows.filter((row) => row.runId === id)) as never;
      },
      resolve: (run) => run.id,
    }),
    error: t.field({ type: RunErrorObject, nullable: true, description: 'Why it failed.', resolve: (run) => run.error }),
    usage: t.field({ type: Usage, description: 'What it used.', resolve: usageOf }),
    traceUrl: t.string({ nullable: true, description: 'Its trace, where tracing is set up.', resolve: () => null }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked for.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When an instance claimed it.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    firstTokenMs: t.exposeInt('firstTokenMs', { nullable: true, description: 'Milliseconds from asking to the first token.' }),
  }),
});

// ---------- queries ----------

builder.queryFields((t) => ({
  chatSession: t.field({
    type: ChatSessionNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Which.' }) },
    description: 'A session; null when the viewer may not see it.',
    resolve: (_root, { id }, ctx) => {
      permit(ctx, 'CHAT');
      return nodeId('ChatSession', id);
    },
  }),
  chatSessions: t.field({
    type: ChatSessionConnection,
    args: {
      ...forwardArgs(t.arg),
      profileId: t.arg.id({ description: 'Only chats with this profile.' }),
      titleContains: t.arg.string({ description: 'Only titles that contain this, in any case.' }),
    },
    description: 'Sessions that the viewer may see, the last used first.',
    resolve: (_root, args, ctx) => {
      permit(ctx, 'CHAT');
      let query = visibleSessions(ctx).selectAll();
      if (args.profileId != null) query = query.where('profileId', '=', decodeId('Profile', args.profileId, ['profileId']));
      if (args.titleContains) query = query.where(sql<boolean>`position(lower(${args.titleContains}) in lower(title)) > 0`);
      return paginate(query as never, newestFirst, args);
    },
  }),
  run: t.field({
    type: RunNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Which.' }) },
    description: 'A run; null when the viewer may not see it.',
    resolve: (_root, { id }, ctx) => {
      permit(ctx, 'CHAT');
      return nodeId('Run', id);
    },
  }),
}));

/** The row's id, or null for an id that names nothing. */
function nodeId(typename: string, id: string): string | null {
  try {
    return decodeId(typename, id);
  } catch {
    return null;
  }
}

// ---------- mutations ----------

const ChatSessionPayload = payload<{ session: string }>('ChatSessionPayload', 'Answer of every mutation that changes a session.', (t) => ({
  session: t.field({ type: ChatSessionNode, nullable: true, description: 'The session as changed.', resolve: (answer) => answer.session }),
}));
const RunPayload = payload<sending.Sent>(
  'RunPayload',
  "Answer of every mutation that starts or ends a run. cursor is the log position before this run's first event: subscribe with after: cursor and no event of the run is missed.",
  (t) => ({
    run: t.field({ type: RunNode, nullable: true, description: 'The run.', resolve: (answer) => answer.run as never }),
    userMessage: t.field({ type: MessageNode, nullable: true, description: 'The question.', resolve: (answer) => answer.userMessageId ?? null }),
    cursor: t.field({ type: 'EventCursor', nullable: true, description: "The position before the run's first event.", resolve: (answer) => answer.cursor }),
  }),
);
const MessagePayload = payload<{ message: string }>('MessagePayload', 'Answer of rateMessage.', (t) => ({
  message: t.field({ type: MessageNode, nullable: true, description: 'The message as changed.', resolve: (answer) => answer.message }),
}));
const SetTypingPayload = payload<{ accepted: boolean }>('SetTypingPayload', 'Answer of setTyping.', (t) => ({
  accepted: t.boolean({ description: 'Whether it was passed on.', resolve: (answer) => answer.accepted ?? false }),
}));

const CreateChatSessionInput = builder.inputType('CreateChatSessionInput', {
  description: 'A new session.',
  fields: (t) => ({
    profileId: t.id({ required: true, description: 'The assistant.' }),
    title: t.string({ description: 'Name to show; taken from the first message when absent.' }),
    visibility: t.field({ type: VisibilityEnum, defaultValue: 'PRIVATE', description: 'Who sees it.' }),
    idempotencyKey: t.string({ description: 'The same key returns the same session.' }),
  }),
});
const UpdateChatSessionInput = builder.inputType('UpdateChatSessionInput', {
  description: 'Changes of a session; absent fields stay.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which.' }),
    title: t.string({ description: 'Name to show; null for none.' }),
    visibility: t.field({ type: VisibilityEnum, description: 'Who sees it; only its owner may change that.' }),
  }),
});
const ForkChatSessionInput = builder.inputType('ForkChatSessionInput', {
  description: 'Where to fork.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'The session to copy from.' }),
    fromMessageId: t.id({ required: true, description: 'The last message to copy.' }),
    title: t.string({ description: 'Name to show; that of the original when absent.' }),
  }),
});
const ClearChatSessionInput = builder.inputType('ClearChatSessionInput', { description: 'Which session to empty.', fields: (t) => ({ id: t.id({ required: true, description: 'Which.' }) }) });
const DeleteChatSessionInput = builder.inputType('DeleteChatSessionInput', { description: 'Which session to delete.', fields: (t) => ({ id: t.id({ required: true, description: 'Which.' }) }) });
const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message to the assistant.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'Where.' }),
    text: t.string({ required: true, description: 'What, at most configuration.limits.maxMessageChars.' }),
    parentMessageId: t.id({ description: 'Below which message; the end of the selected branch when absent.' }),
    idempotencyKey: t.string({ required: true, description: 'Same key + same viewer => same run is returned, nothing is sent twice.' }),
    ifRunning: t.field({ type: ConcurrencyPolicyEnum, defaultValue: 'REJECT', description: 'What to do while another answer is being written.' }),
    retrieval: t.field({ type: RetrievalSettingsInput, description: "Overrides of the profile's retrieval settings, for this run." }),
    timeZone: t.string({ description: 'IANA name; for dates in answers and tasks. Default: UTC.' }),
  }),
});
const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'Another wording of a message.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The message of a person.' }),
    text: t.string({ required: true, description: 'The new wording.' }),
    idempotencyKey: t.string({ required: true, description: 'As in sendMessage.' }),
  }),
});
const RegenerateMessageInput = builder.inputType('RegenerateMessageInput', {
  description: 'Another answer to the same question.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The answer, or its question.' }),
    modelId: t.id({ description: "Another model than the profile's." }),
    idempotencyKey: t.string({ required: true, description: 'As in sendMessage.' }),
  }),
});
const SelectBranchInput = builder.inputType('SelectBranchInput', {
  description: 'Which branch to show.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'Where.' }),
    leafId: t.id({ required: true, description: 'The last message of the branch.' }),
  }),
});
const RateMessageInput = builder.inputType('RateMessageInput', {
  description: 'A rating.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The answer.' }),
    rating: t.field({ type: FeedbackRatingEnum, description: 'Helpful or not; null takes the rating back.' }),
    comment: t.string({ description: 'Why, at most 4,000 characters.' }),
  }),
});
const CancelRunInput = builder.inputType('CancelRunInput', { description: 'Which run to cancel.', fields: (t) => ({ runId: t.id({ required: true, description: 'Which.' }) }) });
const SetTypingInput = builder.inputType('SetTypingInput', {
  description: 'Whether the viewer is typing.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'Where.' }),
    isTyping: t.boolean({ required: true, description: 'Begin (repeat every few seconds) or end.' }),
  }),
});

builder.mutationFields((t) => ({
  createChatSession: t.field({
    type: ChatSessionPayload,
    args: { input: t.arg({ type: CreateChatSessionInput, required: true, description: 'The session.' }) },
    description: 'Makes a session with a profile.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => ({
        session: await chat.createChatSession(ctx, {
          profileId: decodeId('Profile', input.profileId, ['profileId']),
          title: input.title ?? null,
          visibility: input.visibility ?? 'PRIVATE',
          idempotencyKey: input.idempotencyKey ?? null,
        }),
      })),
  }),
  updateChatSession: t.field({
    type: ChatSessionPayload,
    args: { input: t.arg({ type: UpdateChatSessionInput, required: true, description: 'Changes.' }) },
    description: 'Changes title or visibility.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        const id = decodeId('ChatSession', input.id);
        await chat.updateChatSession(ctx, { ...input, id });
        return { session: id };
      }),
  }),
  forkChatSession: t.field({
    type: ChatSessionPayload,
    args: { input: t.arg({ type: ForkChatSessionInput, required: true, description: 'Where.' }) },
    description: 'A new session that begins with a copy of a branch.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => ({
        session: await chat.forkChatSession(ctx, {
          sessionId: decodeId('ChatSession', input.sessionId, ['sessionId']),
          fromMessageId: decodeId('Message', input.fromMessageId, ['fromMessageId']),
          title: input.title ?? null,
        }),
      })),
  }),
  clearChatSession: t.field({
    type: ChatSessionPayload,
    args: { input: t.arg({ type: ClearChatSessionInput, required: true, description: 'Which.' }) },
    description: 'Empties a session; its readers get StreamReset.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        const id = decodeId('ChatSession', input.id);
        await chat.clearChatSession(ctx, id);
        return { session: id };
      }),
  }),
  deleteChatSession: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: DeleteChatSessionInput, required: true, description: 'Which.' }) },
    description: 'Deletes a session with all it holds; its streams complete.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        await chat.deleteChatSession(ctx, decodeId('ChatSession', input.id));
        return { deletedId: input.id };
      }),
  }),
  sendMessage: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message.' }) },
    description: 'Sends a message and starts the run that answers it. Follow with chatEvents(after: cursor).',
    resolve: (_root, { input }, ctx) =>
      attempt(() =>
        sending.sendMessage(ctx, {
          sessionId: decodeId('ChatSession', input.sessionId, ['sessionId']),
          text: input.text,
          parentMessageId: input.parentMessageId == null ? null : decodeId('Message', input.parentMessageId, ['parentMessageId']),
          idempotencyKey: input.idempotencyKey,
          ifRunning: input.ifRunning ?? 'REJECT',
          retrieval: input.retrieval ? retrievalOf(ctx, input.retrieval, ['retrieval']) : null,
          timeZone: input.timeZone ?? null,
        }),
      ),
  }),
  editMessage: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: EditMessageInput, required: true, description: 'The new wording.' }) },
    description: 'Sends another wording as a sibling of the message, and starts a run.',
    resolve: (_root, { input }, ctx) => attempt(() => sending.editMessage(ctx, { ...input, messageId: decodeId('Message', input.messageId, ['messageId']) })),
  }),
  regenerateMessage: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: RegenerateMessageInput, required: true, description: 'Which.' }) },
    description: 'Asks the same question again; the new answer is a sibling of the old one.',
    resolve: (_root, { input }, ctx) =>
      attempt(() =>
        sending.regenerateMessage(ctx, {
          messageId: decodeId('Message', input.messageId, ['messageId']),
          modelId: input.modelId == null ? null : decodeModelId(ctx, input.modelId, ['modelId']),
          idempotencyKey: input.idempotencyKey,
        }),
      ),
  }),
  selectBranch: t.field({
    type: ChatSessionPayload,
    args: { input: t.arg({ type: SelectBranchInput, required: true, description: 'Which.' }) },
    description: 'Shows another branch.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        const sessionId = decodeId('ChatSession', input.sessionId, ['sessionId']);
        await chat.selectBranch(ctx, { sessionId, leafId: decodeId('Message', input.leafId, ['leafId']) });
        return { session: sessionId };
      }),
  }),
  rateMessage: t.field({
    type: MessagePayload,
    args: { input: t.arg({ type: RateMessageInput, required: true, description: 'The rating.' }) },
    description: 'Rates an answer.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        const messageId = decodeId('Message', input.messageId, ['messageId']);
        await chat.rateMessage(ctx, { messageId, rating: input.rating ?? null, comment: input.comment ?? null });
        return { message: messageId };
      }),
  }),
  cancelRun: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: CancelRunInput, required: true, description: 'Which.' }) },
    description: 'Cancels a run, from any device; what it has written stays.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        const run = await sending.cancelRun(ctx, decodeId('Run', input.runId, ['runId']));
        return { run, userMessageId: run.inputMessageId ?? null, cursor: encodeCursor(run.sessionId, { sequence: run.startSequence, messageId: null, blockIndex: 0, offset: 0 }) };
      }),
  }),
  setTyping: t.field({
    type: SetTypingPayload,
    args: { input: t.arg({ type: SetTypingInput, required: true, description: 'Whether.' }) },
    description: 'Shows others that the viewer is typing.',
    resolve: (_root, { input }, ctx) =>
      attempt(
        async () => {
          await chat.setTyping(ctx, { sessionId: decodeId('ChatSession', input.sessionId, ['sessionId']), isTyping: input.isTyping });
          return { accepted: true };
        },
        { accepted: false },
      ),
  }),
}));
