// How a session's stream is asked: the events and the subscriptions. docs/streaming.md is the protocol.
import { UserNode } from '../accounts/schema.ts';
import { builder, ChangeKindEnum, decodeId, describedEnum, encodeId, ErrorCodeEnum } from '../builder.ts';
import type { Context } from '../context.ts';
import type { ToolCallStatus } from '../graph/scope.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { ModelNode } from '../providers/schema.ts';
import { countTokens } from '../text/counts.ts';
import type { UsageFigures } from '../usage/ledger.ts';
import { Usage } from '../usage/schema.ts';
import type { RunError, RunStatus, RunStep, TruncationCause } from './entity.ts';
import type { StreamItem } from './follow.ts';
import { CitationObject, type CitationShape } from './message-schema.ts';
import { ChatSessionNode, MessageNode, RunNode } from './nodes.ts';
import { RunErrorObject, RunStatusEnum, RunStepObject } from './run-schema.ts';
import { followSession } from './service.ts';
import { TypingState } from './session-schema.ts';
import { InterruptNode, ToolCallRef, ToolCallStatusEnum } from './tool-call-schema.ts';
import { sessionChanges, type SessionChange } from './sessions.ts';

type EventItem = Extract<StreamItem, { kind: 'event' }> & { readonly sessionId: string };
type DeltaItem = Extract<StreamItem, { kind: 'delta' }>;
type ResetItem = Extract<StreamItem, { kind: 'reset' }> & { readonly sessionId: string };

const TruncationCauseEnum = describedEnum<Record<TruncationCause, string>>('TruncationCause', 'Why text is withdrawn.', { MODEL_FELL_BACK: 'Another model goes on.', RUN_TAKEN_OVER: 'Another instance goes on.' });
const StreamResetReasonEnum = builder.enumType('StreamResetReason', {
  description: 'Why a reader must start over.',
  values: {
    CURSOR_EXPIRED: { description: 'The cursor is older than the log, from the future, or too far behind.' },
    SLOW_CONSUMER: { description: 'The reader fell too far behind while it was reading.' },
  },
});
const DraftKindEnum = describedEnum('DraftKind', 'What a draft is.', { TEXT: 'Visible text.', REASONING: "The model's reasoning." });

const StreamEvent = builder.interfaceRef<EventItem | DeltaItem>('StreamEvent').implement({
  description:
    'Common to all durable events. Logged events are numbered by `sequence` without a gap within a session: a hole means loss, and the client can tell. ' +
    "Deltas are ranges of a message's text, not log entries: they repeat the sequence of the logged event before them and are ordered by `offset`; a replay may join many into one.",
  fields: (t) => ({
    cursor: t.field({ type: 'EventCursor', description: 'The exact position after this event; pass the last one applied to `chatEvents(after:)`.', resolve: (item) => item.cursor }),
    sequence: t.int({ description: 'Number of the event, or of the logged event before a delta.', resolve: (item) => (item.kind === 'event' ? item.event.sequence : item.sequence) }),
    occurredAt: t.field({ type: 'DateTime', description: 'When it happened; of a delta, when it was delivered.', resolve: (item) => (item.kind === 'event' ? item.event.occurredAt : item.occurredAt) }),
    replayed: t.boolean({ description: 'Whether it happened before the reader caught up.', resolve: (item) => item.replayed }),
  }),
});

const at = <T>(item: EventItem, key: string): T => item.event.payload[key] as T;
const logged = (name: string) => builder.objectRef<EventItem>(name);

const MessageCreated = logged('MessageCreated').implement({
  interfaces: [StreamEvent],
  description: 'A message has begun. The text of an answer follows as deltas.',
  fields: (t) => ({ message: t.field({ type: MessageNode, description: 'The message as it is now.', resolve: (item) => at<string>(item, 'messageId') }) }),
});
const deltaFields = {
  messageId: 'The message.',
  blockIndex: 'Which of its blocks, from 0.',
  offset: 'UTF-16 length of the block before this delta.',
  text: 'What comes next.',
};
const MessageDelta = builder.objectRef<DeltaItem>('MessageDelta').implement({
  interfaces: [StreamEvent],
  description:
    'Text of a message. Client rule: offset + text within what it has is a repeat (ignore); an overlap appends the remainder; an offset beyond what it has is a hole (resume from the last cursor).',
  fields: (t) => ({
    messageId: t.id({ description: deltaFields.messageId, resolve: (item) => encodeId('Message', item.delta.messageId) }),
    blockIndex: t.int({ description: deltaFields.blockIndex, resolve: (item) => item.delta.blockIndex }),
    offset: t.int({ description: deltaFields.offset, resolve: (item) => item.delta.offset }),
    text: t.string({ description: deltaFields.text, resolve: (item) => item.delta.text }),
    tokenCount: t.int({ description: 'Tokens of this text.', resolve: (item) => countTokens(item.delta.text) }),
  }),
});
const ReasoningDelta = builder.objectRef<DeltaItem>('ReasoningDelta').implement({
  interfaces: [StreamEvent],
  description: "The model's reasoning, by the same rules as MessageDelta.",
  fields: (t) => ({
    messageId: t.id({ description: deltaFields.messageId, resolve: (item) => encodeId('Message', item.delta.messageId) }),
    blockIndex: t.int({ description: deltaFields.blockIndex, resolve: (item) => item.delta.blockIndex }),
    offset: t.int({ description: deltaFields.offset, resolve: (item) => item.delta.offset }),
    text: t.string({ description: deltaFields.text, resolve: (item) => item.delta.text }),
  }),
});
const MessageCompleted = logged('MessageCompleted').implement({
  interfaces: [StreamEvent],
  description: 'A message will not change any more; its citations are there.',
  fields: (t) => ({ message: t.field({ type: MessageNode, description: 'The message.', resolve: (item) => at<string>(item, 'messageId') }) }),
});
const MessageDeleted = logged('MessageDeleted').implement({
  interfaces: [StreamEvent],
  description: 'A message is gone; drop it if you have it.',
  fields: (t) => ({ messageId: t.id({ description: 'The message.', resolve: (item) => encodeId('Message', at(item, 'messageId')) }) }),
});
const MessageTruncated = logged('MessageTruncated').implement({
  interfaces: [StreamEvent],
  description: 'Keep the blocks before `blockIndex` and `offset` units of it; drop the rest with its citations and tool calls: another model, or another instance, goes on from there.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => encodeId('Message', at(item, 'messageId')) }),
    blockIndex: t.int({ description: 'The block that is cut.', resolve: (item) => at<number>(item, 'blockIndex') }),
    offset: t.int({ description: 'UTF-16 units of it that stay.', resolve: (item) => at<number>(item, 'offset') }),
    cause: t.field({ type: TruncationCauseEnum, description: 'Why.', resolve: (item) => at<TruncationCause>(item, 'cause') }),
  }),
});
const CitationAdded = logged('CitationAdded').implement({
  interfaces: [StreamEvent],
  description: 'A quote was checked and belongs to the message.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => encodeId('Message', at(item, 'messageId')) }),
    citation: t.field({ type: CitationObject, description: 'The quote.', resolve: (item) => at<CitationShape>(item, 'citation') }),
  }),
});
const RunUpdated = logged('RunUpdated').implement({
  interfaces: [StreamEvent],
  description: 'A run has another status. Scalars are as logged; `run` is as it is now. Exactly one of them is final, and nothing of the run comes after it.',
  fields: (t) => ({
    runStatus: t.field({ type: RunStatusEnum, description: 'The status.', resolve: (item) => at<RunStatus>(item, 'runStatus') }),
    attempt: t.int({ description: '1, and one more for each takeover.', resolve: (item) => at<number>(item, 'attempt') }),
    error: t.field({ type: RunErrorObject, nullable: true, description: 'Why it failed.', resolve: (item) => at<RunError | null>(item, 'error') }),
    run: t.field({ type: RunNode, description: 'The run as it is now.', resolve: (item) => at<string>(item, 'runId') }),
  }),
});
const RunStepUpdated = logged('RunStepUpdated').implement({
  interfaces: [StreamEvent],
  description: 'A node of the graph was begun or left.',
  fields: (t) => ({
    runId: t.id({ description: 'The run.', resolve: (item) => encodeId('Run', at(item, 'runId')) }),
    step: t.field({ type: RunStepObject, description: 'The visit.', resolve: (item) => at<RunStep>(item, 'step') }),
  }),
});
const ModelFellBack = logged('ModelFellBack').implement({
  interfaces: [StreamEvent],
  description: 'Informs that another model goes on with the answer; what no longer holds is withdrawn by the MessageTruncated before it.',
  fields: (t) => ({
    runId: t.id({ description: 'The run.', resolve: (item) => encodeId('Run', at(item, 'runId')) }),
    from: t.field({ type: ModelNode, description: 'The model that failed.', resolve: (item) => at<string>(item, 'from') }),
    to: t.field({ type: ModelNode, description: 'The one that goes on.', resolve: (item) => at<string>(item, 'to') }),
    errorCode: t.field({ type: ErrorCodeEnum, description: 'Why it failed.', resolve: (item) => at<ErrorCode>(item, 'errorCode') }),
    discardedChars: t.int({ description: 'UTF-16 units of text and reasoning that were withdrawn; 0 when nothing had been shown.', resolve: (item) => at<number>(item, 'discardedChars') }),
  }),
});
const ToolCallUpdated = logged('ToolCallUpdated').implement({
  interfaces: [StreamEvent],
  description: 'A call of a tool was requested, or is further. Scalars are as logged; `toolCall` is as it is now.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message that it belongs to.', resolve: (item) => encodeId('Message', at(item, 'messageId')) }),
    blockIndex: t.int({ description: 'Its block there, which has no text.', resolve: (item) => at<number>(item, 'blockIndex') }),
    toolCallStatus: t.field({ type: ToolCallStatusEnum, description: 'How far it was.', resolve: (item) => at<ToolCallStatus>(item, 'toolCallStatus') }),
    toolCall: t.field({ type: ToolCallRef, description: 'The call as it is now.', resolve: (item) => at<string>(item, 'toolCallId') }),
  }),
});
const InterruptRaised = logged('InterruptRaised').implement({
  interfaces: [StreamEvent],
  description: 'A run has stopped to ask a person. Answer with resumeRun.',
  fields: (t) => ({ interrupt: t.field({ type: InterruptNode, description: 'What it asks.', resolve: (item) => at<string>(item, 'interruptId') }) }),
});
const InterruptResolved = logged('InterruptResolved').implement({
  interfaces: [StreamEvent],
  description: 'What a run asked was answered, on any device, or its run ended without.',
  fields: (t) => ({
    interruptId: t.id({ description: 'What was asked.', resolve: (item) => encodeId('Interrupt', at(item, 'interruptId')) }),
    resolvedBy: t.field({ type: UserNode, nullable: true, description: 'Who answered, or ended the run; null when time ran out.', resolve: (item) => at<string | null>(item, 'resolvedById') }),
  }),
});
const UsageReported = logged('UsageReported').implement({
  interfaces: [StreamEvent],
  description: 'What a run used.',
  fields: (t) => ({
    runId: t.id({ description: 'The run.', resolve: (item) => encodeId('Run', at(item, 'runId')) }),
    usage: t.field({ type: Usage, description: 'Tokens and money.', resolve: (item) => at<UsageFigures>(item, 'usage') }),
  }),
});
const SessionUpdated = logged('SessionUpdated').implement({
  interfaces: [StreamEvent],
  description: "The session's own data have changed.",
  fields: (t) => ({ session: t.field({ type: ChatSessionNode, description: 'The session as it is now.', resolve: (item) => item.sessionId }) }),
});
const TypingChanged = builder.objectRef<Extract<StreamItem, { kind: 'typing' }>>('TypingChanged').implement({
  description: 'Ephemeral: not in the log, hence no cursor; lost on reconnect by design.',
  fields: (t) => ({
    typing: t.field({ type: TypingState, description: 'Who.', resolve: (item) => item.typing }),
    isTyping: t.boolean({ description: 'Begun, or ended.', resolve: (item) => item.typing.isTyping }),
  }),
});
const StreamCaughtUp = builder.objectRef<Extract<StreamItem, { kind: 'caughtUp' }>>('StreamCaughtUp').implement({
  description: 'Sent once, after the replay and before the first live event.',
  fields: (t) => ({
    cursor: t.field({ type: 'EventCursor', description: 'The position.', resolve: (item) => item.cursor }),
    replayedCount: t.exposeInt('replayedCount', { description: 'Events and deltas that were replayed.' }),
  }),
});
const MessageDraft = builder.objectRef<{ messageId: string; blockIndex: number; kind: 'TEXT' | 'REASONING'; text: string }>('MessageDraft').implement({
  description: 'The text so far of a block of a message that streams.',
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (draft) => encodeId('Message', draft.messageId) }),
    blockIndex: t.exposeInt('blockIndex', { description: 'Which of its blocks.' }),
    kind: t.expose('kind', { type: DraftKindEnum, description: 'What it is.' }),
    text: t.exposeString('text', { description: 'Its text.' }),
  }),
});
const StreamReset = builder.objectRef<ResetItem>('StreamReset').implement({
  description: 'The cursor is older than the log, or the reader was too slow: take this snapshot, drop local drafts, go on from cursor.',
  fields: (t) => ({
    cursor: t.field({ type: 'EventCursor', description: 'The position of the snapshot.', resolve: (item) => item.cursor }),
    reason: t.field({ type: StreamResetReasonEnum, description: 'Why.', resolve: (item) => item.reason }),
    session: t.field({ type: ChatSessionNode, description: 'The session as it is now.', resolve: (item) => item.sessionId }),
    drafts: t.field({
      type: [MessageDraft],
      description: 'What streams, up to the cursor.',
      resolve: (item) => (item.messageId === null ? [] : item.blocks.flatMap(({ kind, text }, blockIndex) => (kind === 'TOOL_CALL' ? [] : [{ kind, text, blockIndex, messageId: item.messageId as string }]))),
    }),
  }),
});

const ChatEventUnion = builder.unionType('ChatEvent', {
  description: 'What a session\'s stream sends.',
  types: [
    MessageCreated, MessageDelta, ReasoningDelta, MessageCompleted, MessageDeleted, MessageTruncated, CitationAdded, ToolCallUpdated, RunUpdated, RunStepUpdated, ModelFellBack, InterruptRaised, InterruptResolved,
    UsageReported, SessionUpdated, TypingChanged, StreamCaughtUp, StreamReset,
  ],
  resolveType: (item) => typeOf(item as StreamItem) as never,
});

function typeOf(item: StreamItem): string {
  if (item.kind === 'event') return item.event.type;
  if (item.kind === 'delta') return item.delta.kind === 'TEXT' ? 'MessageDelta' : 'ReasoningDelta';
  if (item.kind === 'typing') return 'TypingChanged';
  return item.kind === 'caughtUp' ? 'StreamCaughtUp' : 'StreamReset';
}

const ChatSessionChange = builder.objectRef<SessionChange>('ChatSessionChange').implement({
  description: 'A change of the session list.',
  fields: (t) => ({
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'What happened.' }),
    sessionId: t.id({ description: 'Which.', resolve: (change) => encodeId('ChatSession', change.sessionId) }),
    session: t.field({ type: ChatSessionNode, nullable: true, description: 'The session as it is now; null when it is gone.', resolve: (change) => (change.kind === 'DELETED' ? null : change.sessionId) }),
  }),
});

builder.subscriptionFields((t) => ({
  chatEvents: t.field({
    type: ChatEventUnion,
    args: {
      sessionId: t.arg.id({ required: true, description: 'Which session.' }),
      after: t.arg({ type: 'EventCursor', description: 'The last cursor applied; absent for the live end.' }),
    },
    description:
      'Everything that happens in one chat session. With `after`: what was missed (replayed: true), then StreamCaughtUp, then live. ' +
      'Without it: the text so far of a streaming message as one replayed delta, StreamCaughtUp, then live. ' +
      '`lastEventCursor` is read before a session\'s children: starting from it may repeat, never miss. ' +
      'A malformed or foreign cursor is VALIDATION_FAILED; one from the future or from before clearChatSession gets StreamReset, as does a reader more than ' +
      '`configuration.limits.replayWindowEvents` behind. The stream completes when the session is deleted, and ends with FORBIDDEN when access is lost.',
    subscribe: async (_root, args, ctx) => {
      const sessionId = decodeId('ChatSession', args.sessionId, ['sessionId']);
      return named(await followSession(ctx, sessionId, args.after ?? null), sessionId);
    },
    resolve: (item, _args, ctx) => asItStands(ctx, item) as never,
  }),
  chatSessionChanged: t.field({
    type: ChatSessionChange,
    description: 'Sessions created, renamed, used or deleted, for the session list. Does not resume: refetch after a reconnect.',
    subscribe: (_root, _args, ctx) => sessionChanges(ctx),
    resolve: (change) => change,
  }),
}));

/** Events that cannot be told of a message that is gone. */
const speakOfMessage: ReadonlySet<string> = new Set(['MessageCreated', 'MessageCompleted', 'ToolCallUpdated']);

/** As the log does it: what speaks of a message that was deleted while this was on its way becomes another MessageDeleted. */
function asItStands(ctx: Context, item: StreamItem): StreamItem | Promise<StreamItem> {
  // The rest, above all text, waits for nothing.
  if (item.kind !== 'event' || !speakOfMessage.has(item.event.type)) return item;
  const { event } = item;
  const { messageId } = event.payload;
  // The same loader then gives the event its message.
  return MessageNode.getDataloader(ctx)
    .load(messageId as string)
    .then((message) => (message ? item : { ...item, event: { ...event, type: 'MessageDeleted', payload: { messageId } } }));
}

/** Each item with its session's id. */
function named(items: AsyncIterableIterator<StreamItem>, sessionId: string): AsyncIterableIterator<StreamItem & { sessionId: string }> {
  const iterator: AsyncIterableIterator<StreamItem & { sessionId: string }> = {
    async next() {
      const { value, done } = await items.next();
      return done ? { value: undefined, done: true } : { value: { ...value, sessionId }, done: false };
    },
    async return() {
      await items.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

