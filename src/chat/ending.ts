// The end of a run, however it came about: its rows and the events that tell of it, the same for the engine that worked on
// it and for whoever ends a run that nobody works on.
import { scoped } from '../accounts/scoped.ts';
import { transactional, type App, type Context } from '../context.ts';
import { ChatSession, Message, MessageBlock, Run, ToolCall, usageOf, type RunError, type RunStatus } from './entity.ts';
import { announce, append, type NewEvent } from './events.ts';
import { closeInterrupts, overdueRuns } from './interrupts.ts';
import { forgetMessages } from './rollback.ts';
import { runError } from './run-error.ts';
import { announceSession } from './sessions.ts';
import { textEnd, type LoggedEvent } from './walk.ts';

/** What a run that ended came to, and what is to be logged of it. */
export interface Ending {
  readonly status: RunStatus;
  readonly events: NewEvent[];
}

/**
 * Ends a run inside the transaction, whose session and row are locked, after all of its text was saved: as `wanted`, or
 * cancelled if that was asked for, as whoever was told so may rely on it, however far the answer has come meanwhile.
 */
export async function endRun(tx: Context, runId: string, wanted: RunStatus, error: RunError | null): Promise<Ending> {
  const run = (await scoped(tx, Run).select().selectAll().where('id', '=', runId).executeTakeFirstOrThrow()) as Run;
  const status = run.cancelRequestedAt ? 'CANCELLED' : wanted;
  const reason = status === wanted ? error : null;
  await scoped(tx, Run).update().set({ status, error: reason, finishedAt: new Date(), leaseOwner: null, leaseUntil: null } as never).where('id', '=', runId).execute();
  const over: NewEvent = { type: 'RunUpdated', payload: { runId, runStatus: status, attempt: run.attempt, error: reason } };
  const answered = await closeInterrupts(tx, runId);
  if (status === 'CANCELLED' && run.rollback) return { status, events: [...answered, ...(await forgetMessages(tx, run)), over] };
  const messageId = run.outputMessageId ?? null;
  if (messageId === null) return { status, events: [over] };
  const messageStatus = status === 'SUCCEEDED' ? 'COMPLETE' : status === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
  await scoped(tx, Message).update().set({ status: messageStatus }).where('id', '=', messageId).execute();
  const blocks = await scoped(tx, MessageBlock).select().select(['kind', 'text']).where('messageId', '=', messageId).orderBy('index').execute();
  const at = { messageId, ...textEnd(blocks) };
  const told: NewEvent[] = [
    ...answered,
    ...(await closeCalls(tx, runId)),
    { type: 'MessageCompleted', payload: { messageId } },
    { type: 'UsageReported', payload: { runId, usage: usageOf(run) } },
  ];
  // Nothing of the run stands after its end, nor does any text.
  return { status, events: [...told.map((event) => ({ at, ...event })), over] };
}

/** Ends the runs that wait for an answer that nobody gave in time. One that cannot be ended keeps no other waiting. */
export async function endOverdueRuns(app: App): Promise<void> {
  for (const { ctx, run } of await overdueRuns(app)) {
    await endOverdue(ctx, run).catch((error: unknown) => app.log.error({ err: error, runId: run.id }, 'a run that nobody answered could not be ended; tried again'));
  }
}

async function endOverdue(ctx: Context, run: Pick<Run, 'id' | 'sessionId'>): Promise<void> {
  const { app } = ctx;
  const logged = await transactional(ctx, async (tx): Promise<readonly LoggedEvent[]> => {
    if (!(await lockRun(tx, run, 'INTERRUPTED'))) return [];
    const error = runError('TIMEOUT', 'The assistant asked something, and nobody answered in time. Ask again.', true, null, run.id);
    const { events } = await endRun(tx, run.id, 'TIMED_OUT', error);
    return await append(tx, run.sessionId, events);
  });
  if (logged.length === 0) return;
  app.metrics.runs.inc({ status: 'TIMED_OUT' });
  announce(app, run.sessionId, logged);
  await announceSession(app, run.sessionId, 'UPDATED');
}

/** Locks a run with its session, the session first as everybody does; null when it has not that status any more. */
async function lockRun(tx: Context, { id, sessionId }: Pick<Run, 'id' | 'sessionId'>, status: RunStatus): Promise<Run | null> {
  await scoped(tx, ChatSession).select().select('id').where('id', '=', sessionId).forNoKeyUpdate().executeTakeFirst();
  return ((await scoped(tx, Run).select().selectAll().where('id', '=', id).where('status', '=', status).forUpdate().executeTakeFirst()) as Run | undefined) ?? null;
}

/** Calls that the run left open will never be made. */
async function closeCalls(tx: Context, runId: string): Promise<NewEvent[]> {
  const closed = await scoped(tx, ToolCall)
    .update()
    .set({ status: 'FAILED', error: 'The run ended before this call did.' })
    .where('runId', '=', runId)
    .where('status', 'in', ['PENDING', 'AWAITING_APPROVAL', 'RUNNING'])
    .where('messageId', 'is not', null)
    .returning(['id', 'messageId', 'blockIndex', 'status'])
    .execute();
  return closed.map((call) => toolCallUpdated(call as ToolCall));
}

/** Tells how a call stands. */
export function toolCallUpdated({ id, messageId, blockIndex, status }: Pick<ToolCall, 'id' | 'messageId' | 'blockIndex' | 'status'>): NewEvent {
  return { type: 'ToolCallUpdated', payload: { messageId, blockIndex, toolCallStatus: status, toolCallId: id } };
}
