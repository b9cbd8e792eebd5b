// How calls of tools are asked, and what runs stop to ask people.
import { scoped } from '../accounts/scoped.ts';
import { attempt, builder, decodeId, describedEnum, encodeId, onlyUuids } from '../builder.ts';
import type { Context } from '../context.ts';
import type { Question, ToolCallStatus } from '../graph/scope.ts';
import { Interrupt, Run, ToolCall } from './entity.ts';
import { resumeRun } from './interrupts.ts';
import { ChatSessionNode, MessageNode, RunNode } from './nodes.ts';
import { RunPayload } from './run-schema.ts';
import { sent } from './sending.ts';
import { visibleSessions } from './sessions.ts';

/** How far a call is. */
export const ToolCallStatusEnum = describedEnum<Record<ToolCallStatus, string>>('ToolCallStatus', 'How far a call of a tool is.', {
  PENDING: 'It will be made.',
  AWAITING_APPROVAL: 'It is made once a person allows it.',
  RUNNING: 'It is being made.',
  SUCCEEDED: '`result` holds what it gave. Final.',
  FAILED: '`error` says why. Final.',
  REJECTED: 'A person did not allow it. Final.',
});
const InterruptKindEnum = describedEnum<Record<Question['kind'], string>>('InterruptKind', 'What kind of answer a run waits for.', {
  APPROVAL: 'Yes or no: { "approved": true }, with an optional "reason".',
  CHOICE: 'The `value` of one of `options`.',
  INPUT: 'A value that fits `responseSchema`, a text as a rule.',
});

/** A call of a tool, of a session that the viewer may see. */
export const ToolCallRef = builder.loadableObjectRef('ToolCall', {
  sort: (call: ToolCall) => call.id,
  load: async (ids: string[], ctx: Context) => (await scoped(ctx, ToolCall).select().selectAll().where('id', 'in', ids).execute()) as ToolCall[],
});
ToolCallRef.implement({
  description: 'A tool that the assistant called while it answered.',
  fields: (t) => ({
    id: t.id({ description: 'Its own; the same in every event about it.', resolve: (call) => encodeId('ToolCall', call.id) }),
    name: t.exposeString('name', { description: "The tool's name." }),
    arguments: t.field({ type: 'JSON', description: 'What it was called with.', resolve: (call) => call.arguments }),
    status: t.expose('status', { type: ToolCallStatusEnum, description: 'How far it is.' }),
    result: t.field({ type: 'JSON', nullable: true, description: 'What it gave.', resolve: (call) => call.result ?? null }),
    error: t.exposeString('error', { nullable: true, description: 'Why it failed or was rejected; for people.' }),
    durationMs: t.exposeInt('durationMs', { nullable: true, description: 'Milliseconds it took; null until it ended.' }),
  }),
});

const InterruptOption = builder.objectRef<Question['options'][number]>('InterruptOption').implement({
  description: 'Something that can be chosen.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'What to answer.' }),
    label: t.exposeString('label', { description: 'What to show.' }),
  }),
});
/** What a run of a session that the viewer may see has asked. */
export const InterruptNode = builder.loadableNodeRef('Interrupt', {
  id: { resolve: (interrupt) => interrupt.id },
  sort: (interrupt: Interrupt) => interrupt.id,
  load: async (ids: string[], ctx: Context) =>
    ctx.viewer
      ? ((await scoped(ctx, Interrupt)
          .select()
          .selectAll()
          .where('id', 'in', onlyUuids(ids))
          .where('runId', 'in', scoped(ctx, Run).select().select('run.id').where('sessionId', 'in', visibleSessions(ctx).select('chat_session.id')))
          .execute()) as Interrupt[])
      : [],
});
InterruptNode.implement({
  description: 'What a run stopped to ask a person. It is answered once, from any device, by resumeRun.',
  fields: (t) => ({
    run: t.field({ type: RunNode, description: 'The run that waits.', resolve: (interrupt) => interrupt.runId }),
    toolCall: t.field({ type: ToolCallRef, nullable: true, description: 'The call that waits for it.', resolve: (interrupt) => interrupt.toolCallId ?? null }),
    kind: t.expose('kind', { type: InterruptKindEnum, description: 'What kind of answer it takes.' }),
    prompt: t.exposeString('prompt', { description: 'What is asked, in words.' }),
    payload: t.field({ type: 'JSON', description: 'What it is about, for front ends that show more than words.', resolve: (interrupt) => interrupt.payload }),
    options: t.field({ type: [InterruptOption], description: 'What can be chosen; empty unless it is a CHOICE.', resolve: (interrupt) => [...interrupt.options] }),
    responseSchema: t.field({ type: 'JSON', nullable: true, description: 'JSON Schema of the answer.', resolve: (interrupt) => interrupt.responseSchema }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked.' }),
    resolvedAt: t.expose('resolvedAt', { type: 'DateTime', nullable: true, description: 'When it was answered, or its run ended without.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When its run ends as TIMED_OUT unless it is answered.' }),
  }),
});

builder.objectField(ChatSessionNode, 'pendingInterrupts', (t) =>
  t.loadableList({
    type: InterruptNode,
    description: 'What its run waits for, oldest first.',
    load: async (ids: string[], ctx: Context) => {
      const rows = (await scoped(ctx, Interrupt)
        .select(Run)
        .innerJoin('run', 'run.id', 'interrupt.runId')
        .selectAll('interrupt')
        .select('run.sessionId')
        .where('run.sessionId', 'in', ids)
        .where('run.status', '=', 'INTERRUPTED')
        .where('interrupt.resolvedAt', 'is', null)
        .orderBy('interrupt.id')
        .execute()) as (Interrupt & { sessionId: string })[];
      return ids.map((id) => rows.filter((row) => row.sessionId === id)) as never;
    },
    resolve: (session) => session.id,
  }),
);
builder.objectField(MessageNode, 'toolCalls', (t) =>
  t.loadableList({
    type: ToolCallRef,
    description: 'The tools that were called for it, in order.',
    load: async (ids: string[], ctx: Context) => {
      const rows = (await scoped(ctx, ToolCall).select().selectAll().where('messageId', 'in', ids).orderBy('blockIndex').execute()) as ToolCall[];
      return ids.map((id) => rows.filter((row) => row.messageId === id)) as never;
    },
    resolve: (message) => message.id,
  }),
);

const ResumeRunInput = builder.inputType('ResumeRunInput', {
  description: 'An answer to what a run asks.',
  fields: (t) => ({
    interruptId: t.id({ required: true, description: 'What is answered.' }),
    response: t.field({ type: 'JSON', required: true, description: "The answer, as the interrupt's kind and responseSchema say." }),
  }),
});
builder.mutationField('resumeRun', (t) =>
  t.field({
    type: RunPayload,
    args: { input: t.arg({ type: ResumeRunInput, required: true, description: 'The answer.' }) },
    description: 'Answers what a run asks, from any device; the run goes on. Of many answers the first one counts, the others get INTERRUPT_ALREADY_RESOLVED. In a shared session it is for whoever sent the message, and for who has MEMBER_ADMIN.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => sent(await resumeRun(ctx, { interruptId: decodeId('Interrupt', input.interruptId, ['interruptId']), response: input.response }))),
  }),
);
