// How runs are asked, started and cancelled.
import { scoped } from '../accounts/scoped.ts';
import { attempt, builder, decodeId, describedEnum, ErrorCodeEnum, payload, rowId } from '../builder.ts';
import { permit, type Context } from '../context.ts';
import { JobStatusEnum } from '../documents/schema.ts';
import { ProfileVersionNode, RetrievalSettingsInput, retrievalOf } from '../profiles/schema.ts';
import { SearchDegradationEnum } from '../search/schema.ts';
import { decodeModelId, ModelNode } from '../providers/schema.ts';
import { Usage } from '../usage/schema.ts';
import { ModelAttempt, RunStep, usageOf, type RunError, type RunStatus } from './entity.ts';
import { ChatSessionNode, MessageNode, RunNode } from './nodes.ts';
import * as sending from './sending.ts';

/** How far a run is. */
export const RunStatusEnum = describedEnum<Record<RunStatus, string>>('RunStatus', 'How far a run is.', {
  QUEUED: 'It waits for an instance, or behind another run.',
  RUNNING: 'An instance works on it.',
  INTERRUPTED: 'It waits for an answer of a person.',
  SUCCEEDED: 'The answer is complete. Final.',
  FAILED: '`error` says why. Final.',
  CANCELLED: 'Somebody ended it; what was written stays. Final.',
  TIMED_OUT: 'It took longer than a run may. Final.',
});
const ConcurrencyPolicyEnum = builder.enumType('ConcurrencyPolicy', {
  description: 'What a message does while another run of the session is active.',
  values: {
    REJECT: { description: 'Refused with RUN_IN_PROGRESS.' },
    ENQUEUE: { description: 'The run waits as QUEUED; its parent is the leaf when it starts.' },
    INTERRUPT: { description: 'Cancels the active run and keeps its partial text.' },
    ROLLBACK: { description: 'Cancels the active run and deletes its messages (MessageDeleted).' },
  },
});

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
builder.queryField('run', (t) =>
  t.field({
    type: RunNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Which.' }) },
    description: 'A run; null when the viewer may not see it.',
    resolve: (_root, { id }, ctx) => {
      permit(ctx, 'CHAT');
      return rowId('Run', id);
    },
  }),
);

/** Answer of whatever starts, goes on with, or ends a run. */
export const RunPayload = payload<sending.Sent>(
  'RunPayload',
  "Answer of every mutation that starts or ends a run. cursor is the log position before this run's first event: subscribe with after: cursor and no event of the run is missed.",
  (t) => ({
    run: t.field({ type: RunNode, nullable: true, description: 'The run.', resolve: (answer) => answer.run as never }),
    userMessage: t.field({ type: MessageNode, nullable: true, description: 'The question.', resolve: (answer) => answer.userMessageId ?? null }),
    cursor: t.field({ type: 'EventCursor', nullable: true, description: "The position before the run's first event.", resolve: (answer) => answer.cursor }),
  }),
);
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
const RunTaskAssistantInput = builder.inputType('RunTaskAssistantInput', {
  description: 'Something to be done with tasks, in words. Without sessionId a session of the seeded task profile is created.',
  fields: (t) => ({
    text: t.string({ required: true, description: 'What, at most configuration.limits.maxMessageChars.' }),
    sessionId: t.id({ description: 'Where; a new session when absent.' }),
    timeZone: t.string({ required: true, description: 'IANA name, for days and times.' }),
    dryRun: t.boolean({ defaultValue: false, description: 'Whether nothing is changed, and only told what would be.' }),
    idempotencyKey: t.string({ required: true, description: 'As in sendMessage.' }),
  }),
});
const CancelRunInput = builder.inputType('CancelRunInput', { description: 'Which run to cancel.', fields: (t) => ({ runId: t.id({ required: true, description: 'Which.' }) }) });

builder.mutationFields((t) => ({
  sendMessage: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message.' }) },
    description: 'Sends a message and starts the run that answers it. Follow with chatEvents(after: cursor).',
    resolve: (_root, { input }, ctx) =>
      attempt(async () =>
        sending.sendMessage(ctx, {
          sessionId: decodeId('ChatSession', input.sessionId, ['sessionId']),
          text: input.text,
          parentMessageId: input.parentMessageId == null ? null : decodeId('Message', input.parentMessageId, ['parentMessageId']),
          idempotencyKey: input.idempotencyKey,
          ifRunning: input.ifRunning ?? 'REJECT',
          retrieval: input.retrieval ? await retrievalOf(ctx, input.retrieval, ['retrieval']) : null,
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
      attempt(async () =>
        sending.regenerateMessage(ctx, {
          messageId: decodeId('Message', input.messageId, ['messageId']),
          modelId: input.modelId == null ? null : await decodeModelId(ctx, input.modelId, ['modelId']),
          idempotencyKey: input.idempotencyKey,
        }),
      ),
  }),
  runTaskAssistant: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: RunTaskAssistantInput, required: true, description: 'What is to be done.' }) },
    description: 'Asks the task assistant: it understands, asks where several tasks match, does it, and suggests what is next. Needs CHAT and TASK.',
    resolve: (_root, { input }, ctx) =>
      attempt(() =>
        sending.runTaskAssistant(ctx, {
          text: input.text,
          sessionId: input.sessionId == null ? null : decodeId('ChatSession', input.sessionId, ['sessionId']),
          timeZone: input.timeZone,
          dryRun: input.dryRun ?? false,
          idempotencyKey: input.idempotencyKey,
        }),
      ),
  }),
  cancelRun: t.field({
    type: RunPayload,
    args: { input: t.arg({ type: CancelRunInput, required: true, description: 'Which.' }) },
    description: 'Cancels a run, from any device; what it has written stays.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => sending.sent(await sending.cancelRun(ctx, decodeId('Run', input.runId, ['runId'])))),
  }),
}));
