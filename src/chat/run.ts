// One attempt at a run: the graph runs, its parts become text, rows and events, and it ends in exactly one terminal state.
// Every write is conditional on the attempt, so that an owner that was only asleep changes nothing any more.
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { createContext, transactional } from '../context.ts';
import { memberViewer } from '../accounts/service.ts';
import { NodeFailedError } from '../graph/errors.ts';
import { runGraph } from '../graph/run.ts';
import type { CitationPart, RunPart, RunScope, RunSettings } from '../graph/scope.ts';
import { initialState } from '../graph/state.ts';
import { kysely } from '../platform/database.ts';
import { expectedErrors, type ErrorCode } from '../platform/errors.ts';
import { ProfileVersion } from '../profiles/entity.ts';
import { answeringModelId } from '../profiles/service.ts';
import { ChatSession, Citation, Message, MessageBlock, ModelAttempt, Run, RunStep, type BlockKind, type RunError, type RunStatus } from './entity.ts';
import { announce, append, newId, sessionStream, type NewEvent } from './events.ts';
import { branchTo, readText } from './messages.ts';
import { forgetMessages } from './rollback.ts';
import { announceSession } from './sessions.ts';

/** Milliseconds between two savings of a streaming message's text. */
const saveIntervalMs = 250;
/** Somebody who types is shown for so long after the last sign of it. */
export const assistantTypingMs = 30_000;

/** Another instance, or a newer attempt, has the run: stop, and write nothing more. */
export class RunLostError extends Error {}
/** The run was cancelled by somebody who may. */
export class RunCancelledError extends Error {}
/** The run took longer than a run may. */
export class RunTimedOutError extends Error {}

/** Works on a claimed run until it ends or `signal` aborts; resolves once all of it is written. */
export async function executeRun(app: App, run: Run, owner: string, signal: AbortSignal): Promise<void> {
  const held = await app.tails.hold(run.sessionId);
  if (!held) return;
  const lost = new AbortController();
  const record = await openRecord(app, run, owner, (error) => lost.abort(error));
  try {
    const stopped = AbortSignal.any([signal, lost.signal]);
    await record.begin();
    if (run.cancelRequestedAt) throw new RunCancelledError();
    const viewer = await memberViewer(app, run.userId, run.workspaceId);
    const ctx = createContext(app, { viewer, requestId: run.id, signal: stopped });
    const version = await scoped(ctx, ProfileVersion).select().selectAll().where('id', '=', run.profileVersionId).executeTakeFirstOrThrow();
    const scope: RunScope = {
      runId: run.id,
      ctx,
      signal: stopped,
      settings: settingsOf(app, run, version as ProfileVersion),
      history: async () => (await branchTo(ctx, run.inputMessageId as string)).slice(0, -1).map(({ role, text }) => ({ role, text })),
      answer: () => record.answer(),
      emit: (part) => record.take(part),
    };
    const question = await readText(ctx, run.inputMessageId as string);
    await runGraph(app.graphs.build((version as ProfileVersion).graph), initialState(question), scope);
    await record.end('SUCCEEDED', null);
  } catch (error) {
    await record.fail(error, signal);
  } finally {
    await held.release();
  }
}

function settingsOf(app: App, run: Run, version: ProfileVersion): RunSettings {
  return {
    profileId: version.profileId,
    systemPrompt: version.systemPrompt,
    modelId: run.modelId ?? answeringModelId(app, version),
    fallbackModelIds: version.fallbackModelIds,
    temperature: version.temperature,
    maxOutputTokens: version.maxOutputTokens,
    retrieval: { ...version.retrieval, ...run.retrieval },
    timeZone: run.timeZone,
  };
}

interface Record {
  begin(): Promise<void>;
  answer(): string;
  take(part: RunPart): void;
  end(status: RunStatus, error: RunError | null): Promise<void>;
  fail(error: unknown, signal: AbortSignal): Promise<void>;
}

async function openRecord(app: App, run: Run, owner: string, onLost: (error: Error) => void): Promise<Record> {
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
    app.bus.publish(sessionStream, sessionId, { type: 'delta', messageId, attempt, blockIndex: blocks.length - 1, kind, offset, text });
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

  const record: Record = {
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

function explain(app: App, run: Run, thrown: unknown): RunError {
  const node = thrown instanceof NodeFailedError ? thrown.nodeId : null;
  const cause = thrown instanceof NodeFailedError ? thrown.cause : thrown;
  const [expected] = expectedErrors(cause) ?? [];
  if (expected) {
    app.log.warn({ err: cause, runId: run.id }, 'a run failed');
    const retryable = ['PROVIDER_UNAVAILABLE', 'RATE_LIMITED', 'TIMEOUT', 'CIRCUIT_OPEN'].includes(expected.code);
    return runError(expected.code, expected.message, retryable, node, run.id);
  }
  app.log.error({ err: cause, runId: run.id }, 'a run failed unexpectedly');
  return runError('INTERNAL', `Something went wrong on our side. Quote the run ${run.id} when you report it.`, true, node, run.id);
}

function runError(code: ErrorCode, message: string, retryable: boolean, node: string | null, requestId: string): RunError {
  return { code, message, retryable, node, requestId };
}

