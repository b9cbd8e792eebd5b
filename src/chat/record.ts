// What one attempt at a run writes down: text, rows and events, and exactly one terminal state.
// Every write is conditional on the attempt, so that an owner that was only asleep changes nothing any more.
import { scoped } from '../accounts/scoped.ts';
import { createContext, transactional, type App, type Context } from '../context.ts';
import type { CitationPart, RunPart } from '../graph/scope.ts';
import { kysely } from '../platform/database.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { ChatSession, Citation, Message, MessageBlock, ModelAttempt, Run, RunStep, type BlockKind, type RunError, type RunStatus } from './entity.ts';
import { announce, append, newId, sessionStream, type NewEvent } from './events.ts';
import { forgetMessages } from './rollback.ts';
import { explain, runError, RunCancelledError, RunLostError, RunTimedOutError } from './run-error.ts';
import { announceSession } from './sessions.ts';

/** Milliseconds between two savings of a streaming message's text. */
const saveIntervalMs = 250;
/** Somebody who types is shown for so long after the last sign of it. */
const assistantTypingMs = 30_000;

/** The writer of one attempt. */
export interface RunRecord {
  /** Begins the message, or withdraws what an earlier attempt wrote of it. */
  begin(): Promise<void>;
  /** The visible text so far. */
  answer(): string;
  /** Takes what a node tells; never waits and never throws. */
  take(part: RunPart): void;
  /** Ends the run, once everything before is written. Throws RunLostError when the attempt is over. */
  end(status: RunStatus, error: RunError | null): Promise<void>;
  /** Ends the run as what was thrown, or `signal`, says; a run that is handed over is left as it is. */
  fail(thrown: unknown, signal: AbortSignal): Promise<void>;
}

/** Opens the record of an attempt; `onLost` is called when it must write no more. */
export function openRecord(app: App, run: Run, owner: string, onLost: (error: Error) => void): RunRecord {
  const ctx = createContext(app, { workspaceId: run.workspaceId, requestId: run.id });
  const { sessionId, workspaceId, attempt } = run;
  const messageId = run.outputMessageId ?? newId();
  const blocks: { kind: BlockKind; text: string }[] = [{ kind: 'TEXT', text: '' }];
  const attempts: Omit<ModelAttempt, never>[] = [];
  const degraded = new Set<string>();
  const usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, costUsd: 0, estimated: false };
  const stepOrdinals = new Map<string, number>();
  let steps = 0;
  let citations = 0;
  let firstTokenMs: number | null = null;
  let saving: NodeJS.Timeout | null = null;
  let backlog: { event: NewEvent; also?: (tx: Context) => Promise<void> }[] = [];
  let flushing: Promise<void> | null = null;
  let broken: Error | null = null;

  const position = (): NewEvent['at'] => ({ messageId, blockIndex: blocks.length - 1, offset: (blocks.at(-1) as { text: string }).text.length });

  /** Logs an event, with the rows that belong to it, as soon as the ones before it are written. */
  function log(event: NewEvent, also?: (tx: Context) => Promise<void>): void {
    backlog.push({ event: { ...event, at: position() }, ...(also && { also }) });
    flushing ??= flush();
  }

  async function flush(): Promise<void> {
    try {
      while (backlog.length > 0 && !broken) {
        const batch = backlog;
        backlog = [];
        await write(async (tx) => {
          for (const { also } of batch) await also?.(tx);
          return batch.map(({ event }) => event);
        });
      }
    } catch (error) {
      broken = error as Error;
      onLost(broken);
    } finally {
      flushing = null;
    }
  }

  /** One transaction of this attempt; what it returns is logged. Throws RunLostError when the attempt is over. */
  async function write(work: (tx: Context) => Promise<NewEvent[]>): Promise<void> {
    const logged = await transactional(ctx, async (tx) => {
      const mine = await scoped(tx, Run)
        .select()
        .select('id')
        .where('id', '=', run.id)
        .where('attempt', '=', attempt)
        .where('leaseOwner', '=', owner)
        .where('status', '=', 'RUNNING')
        .forUpdate()
        .executeTakeFirst();
      if (!mine) throw new RunLostError(`Run ${run.id} is not ours any more.`);
      return await append(tx, sessionId, await work(tx));
    });
    announce(app, sessionId, logged);
  }

  async function saveBlocks(tx: Context): Promise<void> {
    await kysely(tx.em, MessageBlock)
      .insertInto('message_block')
      .values(blocks.map((block, index) => ({ messageId, index, workspaceId, ...block })))
      .onConflict((conflict) => conflict.columns(['messageId', 'index']).doUpdateSet({ text: (eb) => eb.ref('excluded.text') }))
      .execute();
  }

  function saveSoon(): void {
    saving ??= setTimeout(() => {
      saving = null;
      if (broken) return;
      transactional(ctx, async (tx) => {
        const mine = await scoped(tx, Run).select().select('id').where('id', '=', run.id).where('attempt', '=', attempt).where('status', '=', 'RUNNING').forUpdate().executeTakeFirst();
        if (mine) await saveBlocks(tx);
      }).catch((error: unknown) => app.log.warn({ err: error, runId: run.id }, 'a draft could not be saved'));
    }, saveIntervalMs);
  }

  function typing(isTyping: boolean): void {
    const since = new Date();
    app.bus.publish(sessionStream, sessionId, { type: 'typing', userId: null, isTyping, since, expiresAt: new Date(+since + assistantTypingMs) });
  }

  function takeText(kind: BlockKind, text: string): void {
    let block = blocks.at(-1) as { kind: BlockKind; text: string };
    if (block.kind !== kind) {
      if (block.text === '') block.kind = kind;
      else blocks.push((block = { kind, text: '' }));
    }
    firstTokenMs ??= Date.now() - +run.createdAt;
    const offset = block.text.length;
    block.text += text;
    const start = blocks.slice(0, -1).reduce((sum, { text }) => sum + text.length, 0);
    app.bus.publish(sessionStream, sessionId, { type: 'delta', messageId, attempt, blockIndex: blocks.length - 1, kind, start, offset, text });
    saveSoon();
  }

  function takeCitation({ type: _type, ...citation }: CitationPart): void {
    const ordinal = citations++;
    log({ type: 'CitationAdded', payload: { messageId, citation } }, async (tx) => {
      await kysely(tx.em, Citation).insertInto('citation').values({ ...citation, headingPath: [...citation.headingPath], messageId, ordinal, workspaceId }).execute();
    });
  }

  const rowOfRun = (status: RunStatus, error: RunError | null) => ({
    status,
    error,
    degraded: [...degraded],
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cachedTokens: usage.cachedTokens,
    costUsd: usage.costUsd,
    usageEstimated: usage.estimated,
    finishedAt: new Date(),
    leaseOwner: null,
    leaseUntil: null,
    firstTokenMs,
  });

  const record: RunRecord = {
    answer: () => blocks.filter((block) => block.kind === 'TEXT').map((block) => block.text).join(''),
    async begin() {
      typing(true);
      await write(async (tx) => {
        const running: NewEvent = { type: 'RunUpdated', payload: { runId: run.id, runStatus: 'RUNNING', attempt, error: null } };
        if (run.outputMessageId !== null) {
          await scoped(tx, MessageBlock).delete().where('messageId', '=', messageId).execute();
          await scoped(tx, Citation).delete().where('messageId', '=', messageId).execute();
          await scoped(tx, RunStep).delete().where('runId', '=', run.id).execute();
          await saveBlocks(tx);
          const at = { messageId, blockIndex: 0, offset: 0 };
          return [{ ...running, at }, { type: 'MessageTruncated', payload: { ...at, cause: 'RUN_TAKEN_OVER', attempt }, at }];
        }
        if (run.enqueued) await putBelowLeaf(tx, run);
        tx.em.create(Message, { id: messageId, workspaceId, sessionId, parentId: run.inputMessageId, role: 'ASSISTANT', status: 'STREAMING', runId: run.id });
        await tx.em.flush();
        await saveBlocks(tx);
        await scoped(tx, Run).update().set({ outputMessageId: messageId }).where('id', '=', run.id).execute();
        await scoped(tx, ChatSession).update().set({ selectedLeafId: messageId }).where('id', '=', sessionId).execute();
        return [running, { type: 'MessageCreated', payload: { messageId, streaming: true } }];
      });
      run.outputMessageId = messageId;
    },
    take(part) {
      if (part.type === 'text') takeText('TEXT', part.text);
      else if (part.type === 'reasoning') takeText('REASONING', part.text);
      else if (part.type === 'citation') takeCitation(part);
      else if (part.type === 'degraded') degraded.add(part.reason);
      else if (part.type === 'modelAttempt') {
        const { type: _type, errorCode, ...rest } = part;
        attempts.push({ ...rest, errorCode: errorCode as ErrorCode | null, runId: run.id, ordinal: attempts.length, workspaceId });
      } else if (part.type === 'usage') {
        const model = app.models.find(part.modelId);
        usage.inputTokens += part.inputTokens;
        usage.outputTokens += part.outputTokens;
        usage.cachedTokens += part.cachedTokens;
        usage.estimated ||= part.estimated;
        usage.costUsd += (part.inputTokens * (model?.inputPricePerMillion ?? 0) + part.outputTokens * (model?.outputPricePerMillion ?? 0)) / 1e6;
      } else {
        const { type: _type, ...step } = part;
        const ordinal = stepOrdinals.get(step.node) ?? steps++;
        // A node that starts again later is a step of its own.
        if (step.status === 'RUNNING') stepOrdinals.set(step.node, ordinal);
        else stepOrdinals.delete(step.node);
        const row = { ...step, runId: run.id, ordinal, workspaceId, durationMs: step.durationMs === null ? null : Math.round(step.durationMs) };
        log({ type: 'RunStepUpdated', payload: { runId: run.id, step: { ...step, durationMs: row.durationMs } } }, async (tx) => {
          await kysely(tx.em, RunStep)
            .insertInto('run_step')
            .values(row)
            .onConflict((conflict) => conflict.columns(['runId', 'ordinal']).doUpdateSet({ status: row.status, durationMs: row.durationMs, error: row.error }))
            .execute();
        });
      }
    },
    async end(status, error) {
      while (flushing) await flushing;
      if (saving) clearTimeout(saving);
      if (broken) throw broken;
      await write(async (tx) => {
        await saveBlocks(tx);
        const [row] = await scoped(tx, Run).update().set(rowOfRun(status, error) as never).where('id', '=', run.id).returning('rollback').execute();
        if (attempts.length > 0) await kysely(tx.em, ModelAttempt).insertInto('model_attempt').values(attempts as never).onConflict((conflict) => conflict.doNothing()).execute();
        const terminal: NewEvent = { type: 'RunUpdated', payload: { runId: run.id, runStatus: status, attempt, error } };
        if (status === 'CANCELLED' && row?.rollback) return [...(await forgetMessages(tx, run)), terminal];
        const messageStatus = status === 'SUCCEEDED' ? 'COMPLETE' : status === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
        await scoped(tx, Message).update().set({ status: messageStatus }).where('id', '=', messageId).execute();
        const reported: NewEvent = { type: 'UsageReported', payload: { runId: run.id, usage: { ...usage, embeddingTokens: 0 } } };
        return [{ type: 'MessageCompleted', payload: { messageId }, at: position() }, reported, terminal];
      });
      typing(false);
      app.metrics.runs.inc({ status });
      await announceSession(app, sessionId, 'UPDATED');
    },
    async fail(thrown, signal) {
      const cause = signal.aborted ? signal.reason : thrown;
      try {
        if (cause instanceof RunLostError || broken) return void app.log.warn({ err: broken ?? cause, runId: run.id, attempt }, 'a run was lost to another attempt');
        // Handed over: the lease is given up by the engine and another instance goes on.
        if (signal.aborted && !(cause instanceof RunCancelledError) && !(cause instanceof RunTimedOutError)) return;
        if (cause instanceof RunCancelledError) await record.end('CANCELLED', null);
        else if (cause instanceof RunTimedOutError) await record.end('TIMED_OUT', runError('TIMEOUT', 'The answer took longer than a run may. Ask again, or ask for less at once.', true, null, run.id));
        else await record.end('FAILED', explain(app, run, thrown));
      } catch (error) {
        if (error instanceof RunLostError) return;
        // The lease runs out and the run is taken over.
        app.log.error({ err: error, runId: run.id }, 'the end of a run could not be written');
      } finally {
        typing(false);
        if (saving) clearTimeout(saving);
      }
    },
  };
  return record;
}

/** Puts the question of a run that waited below the leaf of the branch as it is now. */
async function putBelowLeaf(tx: Context, run: Run): Promise<void> {
  const { selectedLeafId } = await scoped(tx, ChatSession).select().select('selectedLeafId').where('id', '=', run.sessionId).executeTakeFirstOrThrow();
  if (!selectedLeafId || selectedLeafId === run.inputMessageId) return;
  await scoped(tx, Message).update().set({ parentId: selectedLeafId }).where('id', '=', run.inputMessageId as string).execute();
}
