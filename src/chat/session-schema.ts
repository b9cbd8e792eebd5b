// How sessions are asked and changed.
import { DeletePayload, UserNode } from '../accounts/schema.ts';
import { scoped } from '../accounts/scoped.ts';
import { attempt, bothWaysArgs, builder, decodeId, describedEnum, encodeId, forwardArgs, payload, rowId } from '../builder.ts';
import { permit, type Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { pageOf, paginate, paginateEach, type Page, type PageArgs } from '../platform/page.ts';
import { ProfileNode } from '../profiles/schema.ts';
import { noUsage, type UsageFigures } from '../usage/ledger.ts';
import { Usage } from '../usage/schema.ts';
import { usageSums } from '../usage/service.ts';
import { encodeCursor } from './cursor.ts';
import { ChatSession, Message, Run, type Visibility } from './entity.ts';
import { branchesTo } from './messages.ts';
import { ChatSessionConnection, ChatSessionNode, MessageConnection, MessageNode, RunConnection, RunNode } from './nodes.ts';
import * as chat from './service.ts';
import { visibleSessions } from './sessions.ts';
import type { Typing } from './typing.ts';

const VisibilityEnum = describedEnum<Record<Visibility, string>>('SessionVisibility', 'Who sees a session.', { PRIVATE: 'Its owner only.', WORKSPACE: 'Members with CHAT may read, write and be seen typing.' });

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
    messages: t.loadable({
      type: MessageConnection,
      byPath: true,
      args: { ...bothWaysArgs(t.arg), leafId: t.arg.id({ description: 'Another branch: the one that ends in this message.' }) },
      description: 'The selected branch, oldest first; pass leafId for another branch.',
      load: (leaves: Leaf[], ctx: Context, args) => pagesOfBranches(ctx, leaves, args),
      loaderOptions: { cacheKeyFn: ({ sessionId, leafId }: Leaf) => `${sessionId}:${leafId}` },
      resolve: (session, args): Leaf => ({ sessionId: session.id, leafId: args.leafId == null ? session.selectedLeafId ?? null : decodeId('Message', args.leafId, ['leafId']) }),
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
    typing: t.field({ type: [TypingState], description: 'Who is typing now, as far as this instance has heard.', resolve: (session, _args, ctx) => [...(ctx.app.tails.peek(session.id)?.typists.now() ?? [])] }),
    usage: t.loadable({
      type: Usage,
      description: 'Sum over its runs.',
      load: async (ids: string[], ctx: Context) => {
        const rows = await scoped(ctx, Run)
          .select()
          .select(['run.sessionId', ...usageSums('usage_estimated')])
          .where('sessionId', 'in', ids)
          .groupBy('run.sessionId')
          .execute();
        return ids.map((id): UsageFigures => rows.find((row) => row.sessionId === id) ?? noUsage);
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

/** A branch of a session: the one that ends in this message. */
interface Leaf {
  readonly sessionId: string;
  readonly leafId: string | null;
}

async function pagesOfBranches(ctx: Context, leaves: readonly Leaf[], args: PageArgs): Promise<Page<Message>[]> {
  const branches = await branchesTo(ctx, leaves.flatMap(({ leafId }) => leafId ?? []));
  const pages = leaves.map(({ sessionId, leafId }) => {
    const branch = branches.get(leafId ?? '');
    // A message of another session is the end of no branch of this one.
    return pageOf(branch?.sessionId === sessionId ? branch.ids : [], (id) => encodeId('Message', id), args);
  });
  const ids = pages.flatMap((page) => page.edges.map((edge) => edge.node));
  const rows = new Map((ids.length === 0 ? [] : await scoped(ctx, Message).select().selectAll().where('id', 'in', ids).execute()).map((row) => [row.id, row as Message]));
  return pages.map((page) => ({ ...page, edges: page.edges.flatMap(({ cursor, node }) => (rows.has(node) ? [{ cursor, node: rows.get(node) as Message }] : [])) }));
}

const newestFirst = [
  { by: sql.ref('chat_session.updatedAt'), direction: 'desc' as const, value: (row: ChatSession) => row.updatedAt.toISOString() },
  { by: sql.ref('chat_session.id'), direction: 'desc' as const, value: (row: ChatSession) => row.id },
];

builder.queryFields((t) => ({
  chatSession: t.field({
    type: ChatSessionNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Which.' }) },
    description: 'A session; null when the viewer may not see it.',
    resolve: (_root, { id }, ctx) => {
      permit(ctx, 'CHAT');
      return rowId('ChatSession', id);
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
}));

const ChatSessionPayload = payload<{ session: string }>('ChatSessionPayload', 'Answer of every mutation that changes a session.', (t) => ({
  session: t.field({ type: ChatSessionNode, nullable: true, description: 'The session as changed.', resolve: (answer) => answer.session }),
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
const SelectBranchInput = builder.inputType('SelectBranchInput', {
  description: 'Which branch to show.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'Where.' }),
    leafId: t.id({ required: true, description: 'The last message of the branch.' }),
  }),
});
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
