// How messages are asked and rated: their text, their citations, and their place in the tree.
import DataLoader from 'dataloader';
import { scoped } from '../accounts/scoped.ts';
import { attempt, builder, decodeId, describedEnum, payload } from '../builder.ts';
import type { Context } from '../context.ts';
import { DocumentChunkNode, DocumentNode, SourceLocation } from '../documents/schema.ts';
import { Usage } from '../usage/schema.ts';
import { Citation, Message, MessageBlock, ToolCall, usageOf, type BlockKind, type FeedbackRating, type MessageRole, type MessageStatus, type Run } from './entity.ts';
import { ChatSessionNode, MessageNode, RunNode } from './nodes.ts';
import { ToolCallRef } from './tool-call-schema.ts';
import * as chat from './service.ts';

const MessageRoleEnum = describedEnum<Record<MessageRole, string>>('MessageRole', 'Who speaks.', { USER: 'A person.', ASSISTANT: 'The assistant.', TOOL: 'A tool that the assistant called.', SYSTEM: 'Parley itself.' });
const MessageStatusEnum = describedEnum<Record<MessageStatus, string>>('MessageStatus', 'How far a message is.', {
  STREAMING: 'It is being written.',
  COMPLETE: 'It will not change any more.',
  CANCELLED: 'Somebody ended it; what was written stays.',
  FAILED: 'Its run failed; what was written stays.',
  INTERRUPTED: 'Its run waits for an answer of a person.',
});
const FeedbackRatingEnum = describedEnum<Record<FeedbackRating, string>>('FeedbackRating', 'How an answer was rated.', { UP: 'Helpful.', DOWN: 'Not helpful.' });

const blocksOf = (ctx: Context) => scoped(ctx, MessageBlock).select().selectAll().orderBy('index');
const TextBlock = builder.objectRef<MessageBlock>('TextBlock').implement({
  description: 'Visible text.',
  fields: (t) => ({ text: t.exposeString('text', { description: 'Markdown.' }) }),
});
const ReasoningBlock = builder.objectRef<MessageBlock>('ReasoningBlock').implement({
  description: "The model's reasoning, where it shows it.",
  fields: (t) => ({ text: t.exposeString('text', { description: 'Plain text.' }) }),
});
const ToolCallBlock = builder.objectRef<MessageBlock>('ToolCallBlock').implement({
  description: 'The place of a call of a tool.',
  fields: (t) => ({
    toolCall: t.loadable({
      type: ToolCallRef,
      description: 'The call.',
      load: async (places: MessageBlock[], ctx: Context) => {
        const rows = (await scoped(ctx, ToolCall).select().selectAll().where('messageId', 'in', places.map(({ messageId }) => messageId)).execute()) as ToolCall[];
        return places.map((place) => rows.find((row) => row.messageId === place.messageId && row.blockIndex === place.index)) as never;
      },
      loaderOptions: { cacheKeyFn: ({ messageId, index }: MessageBlock) => `${messageId}:${index}` },
      resolve: (block) => block,
    }),
  }),
});
const blockTypes: Record<BlockKind, string> = { TEXT: 'TextBlock', REASONING: 'ReasoningBlock', TOOL_CALL: 'ToolCallBlock' };
const ContentBlock = builder.unionType('ContentBlock', {
  types: [TextBlock, ReasoningBlock, ToolCallBlock],
  description: 'A piece of a message.',
  resolveType: (block) => blockTypes[(block as MessageBlock).kind] as never,
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
    siblings: t.field({
      type: [MessageNode],
      description: 'The alternatives below the same parent, itself among them, oldest first.',
      resolve: (message, _args, ctx) => loadSiblings(ctx, message),
    }),
    siblingIndex: t.int({
      description: 'Its place among its siblings, from 0.',
      resolve: async (message, _args, ctx) => (await loadSiblings(ctx, message)).findIndex((sibling) => sibling.id === message.id),
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

const siblingLoaders = new WeakMap<object, DataLoader<string, Message[]>>();
/** The siblings of a message, for many messages in one statement; the loader lives as long as the operation's unit of work. */
function loadSiblings(ctx: Context, message: Message): Promise<Message[]> {
  const loader = siblingLoaders.get(ctx.em) ?? new DataLoader((keys: readonly string[]) => siblingsOf(keys, ctx));
  siblingLoaders.set(ctx.em, loader);
  return loader.load(siblingKey(message));
}

const MessagePayload = payload<{ message: string }>('MessagePayload', 'Answer of rateMessage.', (t) => ({
  message: t.field({ type: MessageNode, nullable: true, description: 'The message as changed.', resolve: (answer) => answer.message }),
}));
const RateMessageInput = builder.inputType('RateMessageInput', {
  description: 'A rating.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The answer.' }),
    rating: t.field({ type: FeedbackRatingEnum, description: 'Helpful or not; null takes the rating back.' }),
    comment: t.string({ description: 'Why, at most 4,000 characters.' }),
  }),
});

builder.mutationField('rateMessage', (t) =>
  t.field({
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
);
