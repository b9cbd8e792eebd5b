// What runs stop to ask people: raised by the run's record, answered once from any device, and void when nobody answers in
// time. The answer is a row, which the run reads when it visits the node that asked again: so it outlives every process.
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { assertTakesWork, createContext, permit, transactional, type App, type Context } from '../context.ts';
import type { Question } from '../graph/scope.ts';
import type { Json } from '../graph/state.ts';
import { kysely, sql } from '../platform/database.ts';
import { GenericError, NotFoundError, validate } from '../platform/errors.ts';
import { Interrupt, Run } from './entity.ts';
import { announce, append, newId, type NewEvent } from './events.ts';
import { tellEngines } from './run-changed.ts';
import { lockSession } from './sessions.ts';

/** Writes down what a run stopped to ask; returns the events to log. `toolCallIds` are rows, by the calls' own ids. */
export async function raise(tx: Context, runId: string, questions: readonly Question[], toolCallIds: ReadonlyMap<string, string>): Promise<NewEvent[]> {
  // By the clock of the database, which all instances share.
  const { expiresAt } = await kysely(tx.em).selectNoFrom(sql<Date>`now() + make_interval(secs => ${tx.app.config.runs.interruptSeconds})`.as('expiresAt')).executeTakeFirstOrThrow();
  const events: NewEvent[] = [];
  for (const { callId, ...question } of questions) {
    const id = newId();
    tx.em.create(Interrupt, { ...question, id, workspaceId: tx.workspaceId as string, runId, toolCallId: (callId && toolCallIds.get(callId)) || null, expiresAt });
    events.push({ type: 'InterruptRaised', payload: { runId, interruptId: id } });
  }
  await tx.em.flush();
  return events;
}

/** What was answered to a question of a run; null while nothing was. */
export async function answerTo(ctx: Context, runId: string, key: string): Promise<{ readonly value: Json } | null> {
  const found = await scoped(ctx, Interrupt).select().select('response').where('runId', '=', runId).where('key', '=', key).executeTakeFirst();
  return found?.response ?? null;
}

/** Closes what a run that ends has asked; returns the events to log. */
export async function closeInterrupts(tx: Context, runId: string): Promise<NewEvent[]> {
  const resolvedById = tx.viewer?.userId ?? null;
  const closed = await scoped(tx, Interrupt).update().set({ resolvedAt: new Date(), resolvedById }).where('runId', '=', runId).where('resolvedAt', 'is', null).returning('id').execute();
  return closed.map(({ id }) => resolved(runId, id, resolvedById));
}

/**
 * Answers what a run asks; it goes on as soon as an instance is free. Of many answers the first one counts, the others throw
 * INTERRUPT_ALREADY_RESOLVED. That is for whoever asked the assistant, and for who administers members. Throws VALIDATION_FAILED for an answer that does not fit, RUN_NOT_ACTIVE when the run has ended.
 */
export async function resumeRun(ctx: Context, { interruptId, response }: { interruptId: string; response: unknown }): Promise<Run> {
  const viewer = permit(ctx, 'CHAT');
  assertTakesWork(ctx);
  const { run, logged } = await transactional(ctx, async (tx) => {
    const asking = await askingRun(tx, interruptId);
    await lockSession(tx, asking.sessionId, ['interruptId']).catch((error: unknown) => {
      throw error instanceof NotFoundError ? new NotFoundError('Interrupt', interruptId, ['interruptId']) : error;
    });
    // What follows is done for the person whom the run answers, and with their permissions.
    if (asking.userId !== viewer.userId) permit(tx, 'MEMBER_ADMIN');
    // Whoever writes it holds the session.
    const interrupt = (await scoped(tx, Interrupt).select().selectAll().select(sql<boolean>`expires_at <= now()`.as('isExpired')).where('id', '=', interruptId).executeTakeFirst()) as (Interrupt & { isExpired: boolean }) | undefined;
    if (!interrupt) throw new NotFoundError('Interrupt', interruptId, ['interruptId']);
    if (interrupt.resolvedAt) throw new GenericError('INTERRUPT_ALREADY_RESOLVED', 'This was answered before, or its run has ended. Read the run again.', ['interruptId']);
    if (interrupt.isExpired) throw new GenericError('RUN_NOT_ACTIVE', 'This could be answered until it expired; its run ends. Ask again.', ['interruptId']);
    const value = validate(answerSchema(interrupt), response, ['response']) as Json;
    await scoped(tx, Interrupt).update().set({ response: { value } as never, resolvedAt: new Date(), resolvedById: viewer.userId }).where('id', '=', interruptId).execute();
    const waited = sql<number>`waited_ms + extract(epoch from now() - ${interrupt.createdAt}) * 1000`;
    await scoped(tx, Run).update().set({ status: 'QUEUED', waitedMs: waited }).where('id', '=', asking.id).where('status', '=', 'INTERRUPTED').execute();
    const events: NewEvent[] = [
      resolved(asking.id, interruptId, viewer.userId),
      { type: 'RunUpdated', payload: { runId: asking.id, runStatus: 'QUEUED', attempt: asking.attempt, error: null } },
    ];
    return { logged: await append(tx, asking.sessionId, events), run: (await scoped(tx, Run).select().selectAll().where('id', '=', asking.id).executeTakeFirstOrThrow()) as Run };
  });
  announce(ctx.app, run.sessionId, logged);
  tellEngines(ctx.app, run.id, 'queued');
  return run;
}

async function askingRun(tx: Context, interruptId: string): Promise<Run> {
  const run = await scoped(tx, Run).select().selectAll().where('id', 'in', scoped(tx, Interrupt).select().select('runId').where('id', '=', interruptId)).executeTakeFirst();
  if (!run) throw new NotFoundError('Interrupt', interruptId, ['interruptId']);
  return run as Run;
}

/** What fits a question, by the schema that its asker was shown. */
function answerSchema({ responseSchema }: Pick<Interrupt, 'responseSchema'>): z.ZodType {
  return z.fromJSONSchema(responseSchema as Parameters<typeof z.fromJSONSchema>[0]);
}

function resolved(runId: string, interruptId: string, resolvedById: string | null): NewEvent {
  return { type: 'InterruptResolved', payload: { runId, interruptId, resolvedById } };
}

/** The runs that wait for an answer that nobody gave in time, in contexts of their workspaces. */
export async function overdueRuns(app: App): Promise<{ readonly ctx: Context; readonly run: Pick<Run, 'id' | 'sessionId'> }[]> {
  const rows = await kysely(app.database.fork(), Interrupt, Run)
    .selectFrom('interrupt')
    .innerJoin('run', 'run.id', 'interrupt.runId')
    .select(['run.id', 'run.sessionId', 'run.workspaceId'])
    .distinct()
    .where('interrupt.resolvedAt', 'is', null)
    .where('interrupt.expiresAt', '<=', sql<Date>`now()`)
    .where('run.status', '=', 'INTERRUPTED')
    .execute();
  return rows.map(({ id, sessionId, workspaceId }) => ({ ctx: createContext(app, { workspaceId, requestId: id }), run: { id, sessionId } }));
}
