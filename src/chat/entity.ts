// What is stored of chats: sessions, their messages (a tree) in blocks, the runs that answer, and each session's event log.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { User, Workspace } from '../accounts/entity.ts';
import { Document, DocumentChunk, type JobStatus } from '../documents/entity.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { Profile, ProfileVersion } from '../profiles/entity.ts';
import type { Question, RetrievalSettings, ToolCallStatus } from '../graph/scope.ts';
import type { Json } from '../graph/state.ts';
import type { UsageFigures } from '../usage/ledger.ts';
import type { Withdrawal } from './walk.ts';

export const visibilities = ['PRIVATE', 'WORKSPACE'] as const;
export type Visibility = (typeof visibilities)[number];
export const messageRoles = ['USER', 'ASSISTANT', 'TOOL', 'SYSTEM'] as const;
export type MessageRole = (typeof messageRoles)[number];
export const messageStatuses = ['STREAMING', 'COMPLETE', 'CANCELLED', 'FAILED', 'INTERRUPTED'] as const;
export type MessageStatus = (typeof messageStatuses)[number];
export const runStatuses = ['QUEUED', 'RUNNING', 'INTERRUPTED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'] as const;
export type RunStatus = (typeof runStatuses)[number];
export const feedbackRatings = ['UP', 'DOWN'] as const;
export type FeedbackRating = (typeof feedbackRatings)[number];
export type BlockKind = 'TEXT' | 'REASONING' | 'TOOL_CALL';
export const truncationCauses = ['MODEL_FELL_BACK', 'RUN_TAKEN_OVER'] as const;
export type TruncationCause = (typeof truncationCauses)[number];

/** Why a run failed; `message` is safe to show. */
export interface RunError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly node: string | null;
  readonly requestId: string;
}

const ChatSessionSchema = defineEntity({
  name: 'ChatSession',
  uniques: [{ properties: ['workspaceId', 'ownerId', 'idempotencyKey'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade').index(),
    ownerId: () => p.manyToOne(User).mapToPk().joinColumn('owner_id').deleteRule('cascade'),
    profileId: () => p.manyToOne(Profile).mapToPk().joinColumn('profile_id').deleteRule('cascade').index(),
    title: p.text().nullable(),
    visibility: p.text().$type<Visibility>(),
    summary: p.text().nullable(),
    /** The last message of the selected branch. */
    selectedLeafId: p.uuid().nullable(),
    /** Number of the newest logged event; 0 before the first. */
    lastSequence: p.integer().default(0),
    /** Events up to this one are gone (clearChatSession). */
    clearedSequence: p.integer().default(0),
    idempotencyKey: p.text().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    updatedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class ChatSession extends ChatSessionSchema.class {}
ChatSessionSchema.setClass(ChatSession);

/** A session that is gone, for a while: session lists on other instances may not have heard of it. */
const DeletedSessionSchema = defineEntity({
  name: 'DeletedSession',
  properties: {
    id: p.uuid().primary(),
    workspaceId: p.uuid().index(),
    ownerId: p.uuid(),
    visibility: p.text().$type<Visibility>(),
    deletedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class DeletedSession extends DeletedSessionSchema.class {}
DeletedSessionSchema.setClass(DeletedSession);

const MessageSchema = defineEntity({
  name: 'Message',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    sessionId: () => p.manyToOne(ChatSession).mapToPk().joinColumn('session_id').deleteRule('cascade').index(),
    parentId: () => p.manyToOne(Message).mapToPk().joinColumn('parent_id').nullable().deleteRule('cascade').index(),
    role: p.text().$type<MessageRole>(),
    status: p.text().$type<MessageStatus>(),
    /** Who wrote it; null for the assistant. */
    authorId: () => p.manyToOne(User).mapToPk().joinColumn('author_id').nullable().deleteRule('set null'),
    /** The run that wrote it (assistant) or that it started (user). */
    runId: p.uuid().nullable().index(),
    rating: p.text().$type<FeedbackRating>().nullable(),
    ratingComment: p.text().nullable(),
    /** What was withdrawn of its text while it streamed, in order; changes together with its blocks. */
    withdrawals: p.json<readonly Withdrawal[]>().default('[]'),
    createdAt: p.datetime().onCreate(() => new Date()),
    editedAt: p.datetime().nullable(),
  },
});
export class Message extends MessageSchema.class {}
MessageSchema.setClass(Message);

/** A piece of a message: visible text, reasoning, or the place of a call of a tool, without text. */
const MessageBlockSchema = defineEntity({
  name: 'MessageBlock',
  properties: {
    messageId: () => p.manyToOne(Message).mapToPk().joinColumn('message_id').primary().deleteRule('cascade'),
    index: p.integer().primary(),
    workspaceId: p.uuid(),
    kind: p.text().$type<BlockKind>(),
    text: p.text(),
  },
});
export class MessageBlock extends MessageBlockSchema.class {}
MessageBlockSchema.setClass(MessageBlock);

/** A quote that was checked against the stored text; it outlives its document. */
const CitationSchema = defineEntity({
  name: 'Citation',
  properties: {
    messageId: () => p.manyToOne(Message).mapToPk().joinColumn('message_id').primary().deleteRule('cascade'),
    /** Position among the message's citations, from 0. */
    ordinal: p.integer().primary(),
    workspaceId: p.uuid(),
    /** The number in the answer's [n]. */
    index: p.integer(),
    chunkId: () => p.manyToOne(DocumentChunk).mapToPk().joinColumn('chunk_id').nullable().deleteRule('set null').index(),
    documentId: () => p.manyToOne(Document).mapToPk().joinColumn('document_id').nullable().deleteRule('set null').index(),
    documentName: p.text(),
    documentVersion: p.integer(),
    page: p.integer().nullable(),
    headingPath: p.array(),
    startOffset: p.integer(),
    endOffset: p.integer(),
    quote: p.text(),
    /** The part of the answer that it supports, UTF-16 offsets in the message's text. */
    answerStart: p.integer(),
    answerEnd: p.integer(),
  },
});
export class Citation extends CitationSchema.class {}
CitationSchema.setClass(Citation);

const RunSchema = defineEntity({
  name: 'Run',
  uniques: [{ properties: ['workspaceId', 'userId', 'idempotencyKey'] }],
  indexes: [{ properties: ['status', 'leaseUntil'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    sessionId: () => p.manyToOne(ChatSession).mapToPk().joinColumn('session_id').deleteRule('cascade').index(),
    userId: () => p.manyToOne(User).mapToPk().joinColumn('user_id').deleteRule('cascade'),
    profileVersionId: () => p.manyToOne(ProfileVersion).mapToPk().joinColumn('profile_version_id'),
    inputMessageId: p.uuid().nullable(),
    outputMessageId: p.uuid().nullable(),
    status: p.text().$type<RunStatus>(),
    /** 1, and one more for each takeover; every write of a run is conditional on it. */
    attempt: p.integer().default(1),
    idempotencyKey: p.text(),
    /** SHA-256 of the request: the same key with another request is a conflict. */
    requestHash: p.text(),
    /** The log's last event before this run's first. */
    startSequence: p.integer(),
    /** A model chosen for this run only. */
    modelId: p.text().nullable(),
    /** Overrides of the profile's retrieval settings. */
    retrieval: p.json<Partial<RetrievalSettings>>(),
    timeZone: p.text(),
    /** Whether nothing outside of it may change. */
    dryRun: p.boolean().default(false),
    /** Waited behind another run: its question is put below the leaf when it starts. */
    enqueued: p.boolean().default(false),
    /** When it is cancelled its messages are deleted, too. */
    rollback: p.boolean().default(false),
    cached: p.boolean().default(false),
    degraded: p.array(),
    error: p.json<RunError>().nullable(),
    inputTokens: p.integer().default(0),
    outputTokens: p.integer().default(0),
    embeddingTokens: p.integer().default(0),
    cachedTokens: p.integer().default(0),
    costUsd: p.double().$type<number>().default(0),
    usageEstimated: p.boolean().default(false),
    cancelRequestedAt: p.datetime().nullable(),
    /** The instance that works on it, until when it must renew (database time). */
    leaseOwner: p.text().nullable(),
    leaseUntil: p.datetime().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    startedAt: p.datetime().nullable(),
    /** Milliseconds since then in which it waited for answers of people. */
    waitedMs: p.double().$type<number>().default(0),
    finishedAt: p.datetime().nullable(),
    firstTokenMs: p.integer().nullable(),
  },
});
export class Run extends RunSchema.class {}
RunSchema.setClass(Run);

/** What a run has used, by its row. */
export function usageOf({ inputTokens, outputTokens, embeddingTokens, cachedTokens, costUsd, usageEstimated: estimated }: Run): UsageFigures {
  return { inputTokens, outputTokens, embeddingTokens, cachedTokens, costUsd, estimated };
}

const RunStepSchema = defineEntity({
  name: 'RunStep',
  properties: {
    runId: () => p.manyToOne(Run).mapToPk().joinColumn('run_id').primary().deleteRule('cascade'),
    ordinal: p.integer().primary(),
    workspaceId: p.uuid(),
    node: p.text(),
    status: p.text().$type<JobStatus>(),
    startedAt: p.datetime(),
    durationMs: p.integer().nullable(),
    error: p.text().nullable(),
  },
});
export class RunStep extends RunStepSchema.class {}
RunStepSchema.setClass(RunStep);

const ModelAttemptSchema = defineEntity({
  name: 'ModelAttempt',
  properties: {
    runId: () => p.manyToOne(Run).mapToPk().joinColumn('run_id').primary().deleteRule('cascade'),
    ordinal: p.integer().primary(),
    workspaceId: p.uuid(),
    modelId: p.text(),
    attempt: p.integer(),
    succeeded: p.boolean(),
    errorCode: p.text().$type<ErrorCode>().nullable(),
    durationMs: p.integer(),
    isFallback: p.boolean(),
  },
});
export class ModelAttempt extends ModelAttemptSchema.class {}
ModelAttemptSchema.setClass(ModelAttempt);

/** A call of a tool. One with an effect on our rows was committed together with it, so that no call has it twice. */
const ToolCallSchema = defineEntity({
  name: 'ToolCall',
  uniques: [{ properties: ['runId', 'callId'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid(),
    /** Null in a copy. */
    runId: () => p.manyToOne(Run).mapToPk().joinColumn('run_id').nullable().deleteRule('cascade'),
    /** The caller's name of the call, the same when the run starts again. */
    callId: p.text(),
    /** The message that shows it and its place there; null for a call that no message shows. */
    messageId: () => p.manyToOne(Message).mapToPk().joinColumn('message_id').nullable().deleteRule('cascade').index(),
    blockIndex: p.integer().nullable(),
    name: p.text(),
    arguments: p.json<Json>(),
    status: p.text().$type<ToolCallStatus>(),
    result: p.json<Json>().nullable(),
    /** What its effect gave; committed together with it, and never changed. */
    effect: p.json<{ readonly value: Json }>().nullable(),
    error: p.text().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    startedAt: p.datetime().nullable(),
    durationMs: p.integer().nullable(),
  },
});
export class ToolCall extends ToolCallSchema.class {}
ToolCallSchema.setClass(ToolCall);

/** What a run stopped to ask, and what was answered. */
const InterruptSchema = defineEntity({
  name: 'Interrupt',
  uniques: [{ properties: ['runId', 'key'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid(),
    runId: () => p.manyToOne(Run).mapToPk().joinColumn('run_id').deleteRule('cascade'),
    /** The node's name of the question, the same when it is visited again. */
    key: p.text(),
    toolCallId: () => p.manyToOne(ToolCall).mapToPk().joinColumn('tool_call_id').nullable().deleteRule('set null'),
    kind: p.text().$type<Question['kind']>(),
    prompt: p.text(),
    payload: p.json<Question['payload']>(),
    options: p.json<Question['options']>(),
    responseSchema: p.json<Question['responseSchema']>(),
    /** Null until it is answered, and for good when the run ended before that. */
    response: p.json<{ readonly value: Json }>().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    resolvedAt: p.datetime().nullable(),
    resolvedById: () => p.manyToOne(User).mapToPk().joinColumn('resolved_by_id').nullable().deleteRule('set null'),
    expiresAt: p.datetime().index(),
  },
});
export class Interrupt extends InterruptSchema.class {}
InterruptSchema.setClass(Interrupt);

/** One entry of a session's log; `sequence` has no gap. */
const ChatEventSchema = defineEntity({
  name: 'ChatEvent',
  properties: {
    sessionId: () => p.manyToOne(ChatSession).mapToPk().joinColumn('session_id').primary().deleteRule('cascade'),
    sequence: p.integer().primary(),
    workspaceId: p.uuid(),
    /** The GraphQL type, e.g. 'RunUpdated', with its scalars in `payload`. */
    type: p.text(),
    payload: p.json<Readonly<Record<string, unknown>>>(),
    /** The message that was streaming, and how far its text stood, when this was logged. */
    messageId: p.uuid().nullable(),
    blockIndex: p.integer().nullable(),
    textOffset: p.integer().nullable(),
    occurredAt: p.datetime().onCreate(() => new Date()),
  },
});
export class ChatEvent extends ChatEventSchema.class {}
ChatEventSchema.setClass(ChatEvent);
