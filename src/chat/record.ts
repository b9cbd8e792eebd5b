// What one attempt at a run writes down: text, rows and events, and exactly one terminal state.
// Every write is conditional on the attempt, so that an owner that was only asleep changes nothing any more.
import { setTimeout as sleep } from 'node:timers/promises';
import { scoped } from '../accounts/scoped.ts';
import { createContext, transactional, type App, type Context } from '../context.ts';
import { RunInterruptedError } from '../graph/errors.ts';
import type { Call, CitationPart, FellBackPart, Question, RunPart, RunScope, SaidPart, ToolCallPart } from '../graph/scope.ts';
import type { Json, Written } from '../graph/state.ts';
import type { Fence } from '../platform/checkpoints.ts';
import { kysely, sql } from '../platform/database.ts';
import { isConnectionFailure } from '../platform/transient.ts';
import { ProfileVersion } from '../profiles/entity.ts';
import { addUsage, book, bookedOn, createTally, type Spent, type UsageFigures } from '../usage/ledger.ts';
import { endRun, toolCallUpdated } from './ending.ts';
import { ChatEvent, ChatSession, Citation, Message, MessageBlock, ModelAttempt, Run, RunStep, ToolCall, usageOf, type BlockKind, type RunError, type RunStatus, type TruncationCause } from './entity.ts';
import { announce, append, newId, sessionStream, type NewEvent } from './events.ts';
import { answerTo, raise } from './interrupts.ts';
import type { Lease } from './lease.ts';
import { branchIds } from './messages.ts';
import { explain, runError, RunCancelledError, RunLostError, RunTimedOutError } from './run-error.ts';
import { announceSession } from './sessions.ts';
import { cut, textEnd, unitsOf, type Block, type LoggedEvent, type TextPosition } from './walk.ts';

/** Milliseconds between two savings of a streaming message's text. */
const saveIntervalMs = 250;
/** The assistant is shown as typing for so long after the last sign of it, and gives one more often. */
const typingMs = 12_000;
const typingIntervalMs = 5_000;
/** Milliseconds between two tries of a write while the database is away. */
const retryMs = 200;

/** The writer of one attempt. */
export interface RunRecord {
  /** Begins the message, or withdraws what an earlier attempt wrote of it after its last checkpoint. */
  begin(): Promise<void>;
  /** The visible text so far. */
  answer(): string;
  /** As the scope's `said`. */
  said(): readonly SaidPart[];
  /** How far it has come. */
  written(): Written;
  /** Takes what a node tells; never waits and never throws. */
  take(part: RunPart): void;
  /** As the scope's `once`. */
  once: RunScope['once'];
  /** What a person answered to the question of this key; null while nobody has. */
  answerTo(key: string): Promise<{ readonly value: Json } | null>;
  /** As the checkpoints' `Fence`: throws RunLostError unless the attempt has the run, and keeps it until the write is done. */
  readonly fence: Fence;
  /** Stores what was taken; resolves with how far the answer has come. Throws RunLostError when the attempt is over. */
  settle(): Promise<Written>;
  /** Ends the run, once everything before is written: cancelled if that was asked for. Throws RunLostError when the attempt is over. */
  end(status: RunStatus, error: RunError | null): Promise<void>;
  /** Ends the run as what was thrown, or `signal`, says, or lets it wait for an answer; true unless it will go on. */
  fail(thrown: unknown, signal: AbortSignal): Promise<boolean>;
}

export interface RecordOptions {
  readonly app: App;
  readonly run: Run;
  readonly lease: Lease;
  /** What of the earlier attempts' answer holds; null when they kept no checkpoint. */
  readonly kept: Written | null;
  /** Called when it must write no more. */
  readonly onLost: (error: Error) => void;
  /** Called whenever something was spent, with what the run has spent so far in all its attempts. */
  readonly onSpent: (usage: UsageFigures) => void;
}

/** Opens the record of an attempt. */
export function openRecord({ app, run, lease, kept, onLost, onSpent }: RecordOptions): RunRecord {
  const ctx = createContext(app, { workspaceId: run.workspaceId, requestId: run.id });
  const { sessionId, workspaceId, attempt } = run;
  const messageId = run.outputMessageId ?? newId();
  let blocks: OpenBlock[] = opened([]);
  /** The event that last withdrew text; what is told now belongs behind it. */
  let epoch = 0;
  /**
   * What is told while a withdrawal is on its way to the rows: nobody may see it before. With it, how the answer reads once
   * all of it is taken.
   */
  let held: { readonly parts: RunPart[]; blocks: OpenBlock[]; citations: number } | null = null;
  const attempts: Omit<ModelAttempt, never>[] = [];
  const degraded = new Set<string>(run.degraded);
  /** Of the run. */
  let usage = usageOf(run);
  /** Of this attempt, for the ledger. */
  const tally = createTally();
  let profileId: string | null = null;
  const stepOrdinals = new Map<string, number>();
  /** The calls of tools, by their own ids. */
  const calls = new Map<string, ShownCall>();
  let steps = 0;
  let modelCalls = 0;
  let citations = kept?.citations ?? 0;
  let firstTokenMs = run.firstTokenMs ?? null;
  let cached = run.cached;
  /** Whether there is text, or another part of the run's row, that is not saved yet. */
  let unsaved = false;
  let saving: NodeJS.Timeout | null = null;
  let typingTimer: NodeJS.Timeout | null = null;
  let backlog: { readonly events: readonly NewEvent[]; readonly also?: (tx: Context) => Promise<void> }[] = [];
  let flushing: Promise<void> | null = null;
  let writing: Promise<unknown> = Promise.resolve();
  let broken: Error | null = null;

  const position = (): LoggedEvent['at'] => ({ messageId, ...textEnd(blocks) });

  /** Logs events, with the rows that belong to them, as soon as the ones before them are written. */
  function log(events: readonly NewEvent[], also?: (tx: Context) => Promise<void>): void {
    backlog.push({ events: events.map((event) => ({ at: position(), ...event })), ...(also && { also }) });
    flushing ??= flush();
  }

  async function flush(): Promise<void> {
    try {
      while (backlog.length > 0 && !broken) {
        const batch = backlog;
        backlog = [];
        await write(async (tx) => {
          for (const { also } of batch) await also?.(tx);
          return batch.flatMap(({ events }) => events);
        });
        // A withdrawal is the last of its batch: what came after it was held back.
        if (batch.some(({ events }) => events.some(isWithdrawal))) release();
      }
    } catch (error) {
      lose(error as Error);
    } finally {
      flushing = null;
    }
  }

  /** Nothing stands before what was held back any more. */
  function release(): void {
    const parts = held?.parts ?? [];
    held = null;
    for (const part of parts) record.take(part);
  }

  function lose(error: Error): void {
    broken ??= error;
    onLost(broken);
  }

  /** Work of this attempt in one transaction. Throws RunLostError when the attempt is over. */
  async function guarded<T>(work: (tx: Context) => Promise<T>): Promise<T> {
    return await transactional(ctx, async (tx) => {
      // The session before the run, as everybody does: who cancels holds the one and wants the other.
      await scoped(tx, ChatSession).select().select('id').where('id', '=', sessionId).forNoKeyUpdate().executeTakeFirst();
      const mine = await scoped(tx, Run)
        .select()
        .select('id')
        .where('id', '=', run.id)
        .where('attempt', '=', attempt)
        .where('leaseOwner', '=', lease.owner)
        .where('status', '=', 'RUNNING')
        .forUpdate()
        .executeTakeFirst();
      if (!mine) throw new RunLostError(`Run ${run.id} is not ours any more.`);
      return await work(tx);
    });
  }

  /** One after another: text is not saved beside its withdrawal. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = writing.then(work);
    writing = result.catch(() => undefined);
    return result;
  }

  /**
   * As `guarded`; what the work returns is logged, after the text before it. While the database is away it is tried again
   * for as long as the lease lasts; what was committed before the connection broke is not done twice.
   */
  const write = (work: (tx: Context) => Promise<NewEvent[]>): Promise<void> => inTurn(() => writeNow(work));

  async function writeNow(work: (tx: Context) => Promise<NewEvent[]>): Promise<void> {
    let sent: LoggedEvent[] = [];
    for (;;) {
      try {
        await guarded(async (tx) => {
          if (unsaved) await save(tx);
          const events = await work(tx);
          sent = events.length > 0 ? await append(tx, sessionId, events) : [];
          for (const event of sent) if (isWithdrawal(event)) await noteWithdrawal(tx, event);
        });
        break;
      } catch (error) {
        unsaved = true;
        if (sent.length > 0 && (await isLogged(sent).catch(() => false))) break;
        if (!isConnectionFailure(error) || !lease.held()) throw error;
        await sleep(retryMs);
      }
    }
    for (const event of sent) {
      if (!isWithdrawal(event)) continue;
      epoch = event.sequence;
      blocks = opened(cut(blocks, event.payload as unknown as TextPosition));
    }
    announce(app, sessionId, sent);
  }

  async function isLogged([first]: readonly LoggedEvent[]): Promise<boolean> {
    const { sequence, type, occurredAt } = first as LoggedEvent;
    const row = await scoped(createContext(app, { workspaceId }), ChatEvent).select().select(['type', 'occurredAt']).where('sessionId', '=', sessionId).where('sequence', '=', sequence).executeTakeFirst();
    return row?.type === type && +row.occurredAt === +occurredAt;
  }

  /** The text and the run's figures as they are now. */
  async function save(tx: Context): Promise<void> {
    unsaved = false;
    await saveBlocks(tx);
    await saveAttempts(tx);
    await saveUsage(tx);
    await scoped(tx, Run).update().set(figures()).where('id', '=', run.id).execute();
  }

  async function saveBlocks(tx: Context, text: readonly Block[] = blocks): Promise<void> {
    await kysely(tx.em, MessageBlock)
      .insertInto('message_block')
      .values(text.map(({ kind, text }, index) => ({ messageId, index, workspaceId, kind, text })))
      .onConflict((conflict) => conflict.columns(['messageId', 'index']).doUpdateSet({ kind: (eb) => eb.ref('excluded.kind'), text: (eb) => eb.ref('excluded.text') }))
      .execute();
  }

  async function saveAttempts(tx: Context): Promise<void> {
    if (attempts.length === 0) return;
    await kysely(tx.em, ModelAttempt).insertInto('model_attempt').values(attempts as never).onConflict((conflict) => conflict.doNothing()).execute();
  }

  async function saveUsage(tx: Context): Promise<void> {
    const spent = tally.sums();
    if (spent.length === 0) return;
    profileId ??= (await scoped(tx, ProfileVersion).select().select('profileId').where('id', '=', run.profileVersionId).executeTakeFirstOrThrow()).profileId;
    await book(tx, { userId: run.userId, profileId, run: { id: run.id, sessionId, attempt } }, spent);
  }

  function takeUsage(spent: Spent): void {
    usage = addUsage(usage, spent);
    tally.add(spent);
    unsaved = true;
    onSpent(usage);
  }

  /**
   * What was spent and not saved yet, when the attempt ends without an end of the run: it was paid, also where the run is
   * somebody else's by now, or gone. The ledger's entries are this attempt's own. Never throws.
   */
  async function settleAccount(): Promise<void> {
    try {
      await inTurn(() => guarded(save)).catch(async (error: unknown) => {
        if (!(error instanceof RunLostError)) throw error;
        await saveUsage(ctx);
      });
    } catch (error) {
      app.log.error({ err: error, runId: run.id, attempt, spent: tally.sums() }, 'what an attempt spent could not be booked');
    }
  }

  function saveSoon(): void {
    unsaved = true;
    saving ??= setTimeout(() => {
      saving = null;
      inTurn(async () => {
        if (!broken && unsaved) await guarded(save);
      }).catch((error: unknown) => {
        if (error instanceof RunLostError) return lose(error);
        app.log.warn({ err: error, runId: run.id }, 'a draft could not be saved; tried again');
        saveSoon();
      });
    }, saveIntervalMs);
  }

  function typing(isTyping: boolean): void {
    const since = new Date();
    app.bus.publish(sessionStream, sessionId, { type: 'typing', userId: null, isTyping, since, expiresAt: new Date(+since + typingMs) });
    if (typingTimer) clearTimeout(typingTimer);
    typingTimer = isTyping ? setTimeout(() => typing(lease.held()), typingIntervalMs).unref() : null;
  }

  function takeText(kind: BlockKind, text: string): void {
    const { blockIndex, offset } = addText(blocks, kind, text);
    firstTokenMs ??= Date.now() - +run.createdAt;
    const start = unitsOf(blocks.slice(0, -1));
    app.bus.publish(sessionStream, sessionId, { type: 'delta', messageId, epoch, blockIndex, kind, start, offset, text });
    saveSoon();
  }

  /** Another model goes on: what it says waits until it is written that what was shown does not hold. */
  function takeFallback({ from, to, errorCode, keep }: FellBackPart): void {
    const discardedChars = unitsOf(blocks) - unitsOf(cut(blocks, keep));
    const fellBack: NewEvent = { type: 'ModelFellBack', payload: { runId: run.id, from, to, errorCode, discardedChars } };
    if (discardedChars === 0 && citations === keep.citations) return log([fellBack]);
    citations = keep.citations;
    held = { parts: [], blocks: opened(cut(blocks, keep)), citations };
    const at = { messageId, blockIndex: keep.blockIndex, offset: keep.offset };
    log([truncated(keep, 'MODEL_FELL_BACK'), { ...fellBack, at }], (tx) => withdraw(tx, blocks, keep));
  }

  /** Keeps it for later, when it belongs behind a withdrawal that is not written yet. */
  function hold(part: RunPart): boolean {
    if (!held) return false;
    held.parts.push(part);
    if (part.type === 'text') addText(held.blocks, 'TEXT', part.text);
    else if (part.type === 'reasoning') addText(held.blocks, 'REASONING', part.text);
    else if (part.type === 'citation') held.citations++;
    else if (part.type === 'toolCall' && !held.blocks.some(({ callId }) => callId === part.callId)) addCall(held.blocks, part.callId);
    else if (part.type === 'fellBack') {
      held.blocks = opened(cut(held.blocks, part.keep));
      held.citations = part.keep.citations;
    }
    return true;
  }

  /** Cuts the saved text, and forgets the citations after that place. */
  async function withdraw(tx: Context, text: readonly Block[], keep: TextPosition & { readonly citations: number | null }): Promise<void> {
    const left = cut(text, keep);
    const kept = opened(left);
    await scoped(tx, MessageBlock).delete().where('messageId', '=', messageId).where('index', '>=', kept.length).execute();
    // The call itself stays known: the log speaks of it, and what has had its effect must have none again. Also the first block
    // may have been one, where an empty text stands now.
    await scoped(tx, ToolCall).update().set({ messageId: null, blockIndex: null }).where('messageId', '=', messageId).where('blockIndex', '>=', left.length).execute();
    await saveBlocks(tx, kept);
    if (keep.citations !== null) await scoped(tx, Citation).delete().where('messageId', '=', messageId).where('ordinal', '>=', keep.citations).execute();
  }

  function truncated({ blockIndex, offset }: TextPosition, cause: TruncationCause): NewEvent {
    return { type: 'MessageTruncated', payload: { messageId, blockIndex, offset, cause }, at: { messageId, blockIndex, offset } };
  }

  /** Beside the text that it explains. */
  async function noteWithdrawal(tx: Context, { sequence, payload }: LoggedEvent): Promise<void> {
    const noted = JSON.stringify([{ sequence, blockIndex: payload['blockIndex'], offset: payload['offset'] }]);
    await scoped(tx, Message).update().set({ withdrawals: sql`withdrawals || ${noted}::jsonb` }).where('id', '=', messageId).execute();
  }

  function takeCitation({ type: _type, ...citation }: CitationPart): void {
    const ordinal = citations++;
    log([{ type: 'CitationAdded', payload: { messageId, citation } }], async (tx) => {
      await kysely(tx.em, Citation).insertInto('citation').values({ ...citation, headingPath: [...citation.headingPath], messageId, ordinal, workspaceId }).execute();
    });
  }

  /** The first part of a call puts it behind what was said so far. */
  function takeToolCall({ type: _type, ...call }: ToolCallPart): void {
    const known = calls.get(call.callId);
    const blockIndex = known?.blockIndex ?? addCall(blocks, call.callId);
    const ended = call.status === 'SUCCEEDED' || call.status === 'FAILED' || call.status === 'REJECTED';
    const startedAt = known?.startedAt ?? (call.status === 'RUNNING' || ended ? new Date() : null);
    const shown = { id: known?.id ?? newId(), blockIndex, startedAt, call };
    calls.set(call.callId, shown);
    const durationMs = ended && startedAt ? Date.now() - +startedAt : null;
    const row = { ...call, id: shown.id, workspaceId, runId: run.id, messageId, blockIndex, startedAt, durationMs };
    unsaved = true;
    log([toolCallUpdated(row)], async (tx) => {
      await saveBlocks(tx);
      await kysely(tx.em, ToolCall)
        .insertInto('tool_call')
        .values({ ...row, arguments: JSON.stringify(row.arguments), result: JSON.stringify(row.result), createdAt: new Date() } as never)
        .onConflict((conflict) =>
          conflict.columns(['runId', 'callId']).doUpdateSet((eb) => ({
            messageId: eb.ref('excluded.messageId'),
            blockIndex: eb.ref('excluded.blockIndex'),
            name: eb.ref('excluded.name'),
            arguments: eb.ref('excluded.arguments'),
            status: eb.ref('excluded.status'),
            result: eb.ref('excluded.result'),
            error: eb.ref('excluded.error'),
            startedAt: eb.ref('excluded.startedAt'),
            durationMs: eb.ref('excluded.durationMs'),
          })))
        .execute();
    });
  }

  function takeStep({ type: _type, ...step }: Extract<RunPart, { type: 'step' }>): void {
    const ordinal = stepOrdinals.get(step.node) ?? steps++;
    // A node that starts again later is a step of its own.
    if (step.status === 'RUNNING') stepOrdinals.set(step.node, ordinal);
    else stepOrdinals.delete(step.node);
    const row = { ...step, runId: run.id, ordinal, workspaceId, durationMs: step.durationMs === null ? null : Math.round(step.durationMs) };
    log([{ type: 'RunStepUpdated', payload: { runId: run.id, step: { ...step, durationMs: row.durationMs } } }], async (tx) => {
      await kysely(tx.em, RunStep)
        .insertInto('run_step')
        .values(row)
        .onConflict((conflict) => conflict.columns(['runId', 'ordinal']).doUpdateSet({ status: row.status, durationMs: row.durationMs, error: row.error }))
        .execute();
    });
  }

  const figures = () => ({
    degraded: [...degraded],
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cachedTokens: usage.cachedTokens,
    costUsd: usage.costUsd,
    embeddingTokens: usage.embeddingTokens,
    usageEstimated: usage.estimated,
    firstTokenMs,
    cached,
  });

  /** Goes on after the last checkpoint of the attempt before, or of this one when it had stopped to ask: what came later no longer holds. */
  async function resume(tx: Context): Promise<NewEvent[]> {
    const saved = await scoped(tx, MessageBlock).select().select(['kind', 'text']).where('messageId', '=', messageId).orderBy('index').execute();
    // A cancelled run does not go on: all that was saved of it is kept.
    const keep = run.cancelRequestedAt ? { ...textEnd(opened(saved)), citations: null } : (kept ?? { blockIndex: 0, offset: 0, citations: 0 });
    await withdraw(tx, saved, keep);
    await resumeCalls(tx);
    blocks = opened(cut(saved, keep)).map((block, index) => ({ ...block, callId: calls.values().find(({ blockIndex }) => blockIndex === index)?.call.callId ?? null }));
    for (const spent of await bookedOn(tx, run)) tally.add(spent);
    const asked = await scoped(tx, Message).update().set({ status: 'STREAMING' }).where('id', '=', messageId).where('status', '=', 'INTERRUPTED').returning('id').executeTakeFirst();
    await scoped(tx, RunStep).delete().where('runId', '=', run.id).where('status', '=', 'RUNNING').execute();
    steps = 1 + ((await scoped(tx, RunStep).select().select('ordinal').where('runId', '=', run.id).orderBy('ordinal', 'desc').limit(1).executeTakeFirst())?.ordinal ?? -1);
    modelCalls = (await scoped(tx, ModelAttempt).select().select('ordinal').where('runId', '=', run.id).execute()).length;
    const going: NewEvent = { type: 'RunUpdated', payload: { runId: run.id, runStatus: 'RUNNING', attempt, error: null }, at: position() };
    const isWhole = blocks.length === saved.length && unitsOf(blocks) === unitsOf(saved);
    return asked && isWhole ? [going] : [going, truncated(textEnd(blocks), 'RUN_TAKEN_OVER')];
  }

  async function resumeCalls(tx: Context): Promise<void> {
    const rows = (await scoped(tx, ToolCall).select().selectAll().where('runId', '=', run.id).execute()) as ToolCall[];
    for (const { id, callId, blockIndex = null, startedAt = null, name, arguments: given, status, result = null, error = null } of rows) {
      calls.set(callId, { id, blockIndex, startedAt, call: { callId, name, arguments: given, status, result, error } });
    }
  }

  async function start(tx: Context): Promise<NewEvent[]> {
    if (run.enqueued) await putBelowLeaf(tx, run);
    tx.em.create(Message, { id: messageId, workspaceId, sessionId, parentId: run.inputMessageId, role: 'ASSISTANT', status: 'STREAMING', runId: run.id });
    await tx.em.flush();
    await saveBlocks(tx);
    await scoped(tx, Run).update().set({ outputMessageId: messageId }).where('id', '=', run.id).execute();
    await scoped(tx, ChatSession).update().set({ selectedLeafId: messageId }).where('id', '=', sessionId).execute();
    return [
      { type: 'RunUpdated', payload: { runId: run.id, runStatus: 'RUNNING', attempt, error: null } },
      { type: 'MessageCreated', payload: { messageId, streaming: true } },
    ];
  }

  /** Lets the run wait for answers; false when it was cancelled meanwhile, so that it ends. */
  async function wait(questions: readonly Question[]): Promise<boolean> {
    while (flushing) await flushing;
    if (broken) throw broken;
    unsaved = true;
    let waits = false;
    await write(async (tx) => {
      const { cancelRequestedAt } = await scoped(tx, Run).select().select('cancelRequestedAt').where('id', '=', run.id).executeTakeFirstOrThrow();
      waits = !cancelRequestedAt;
      if (!waits) return [];
      await scoped(tx, Run).update().set({ status: 'INTERRUPTED', leaseOwner: null, leaseUntil: null }).where('id', '=', run.id).execute();
      await scoped(tx, Message).update().set({ status: 'INTERRUPTED' }).where('id', '=', messageId).execute();
      const raised = await raise(tx, run.id, questions, new Map(calls.values().map(({ id, call }) => [call.callId, id])));
      const told: NewEvent[] = [...raised, { type: 'RunUpdated', payload: { runId: run.id, runStatus: 'INTERRUPTED', attempt, error: null } }];
      return told.map((event) => ({ at: position(), ...event }));
    });
    return waits;
  }

  const record: RunRecord = {
    answer: () => (held?.blocks ?? blocks).filter((block) => block.kind === 'TEXT').map((block) => block.text).join(''),
    said: () =>
      (held?.blocks ?? blocks).flatMap(({ kind, text, callId }): SaidPart[] => {
        if (kind === 'TEXT') return text === '' ? [] : [{ type: 'text', text }];
        const shown = callId === null ? undefined : calls.get(callId);
        return shown ? [{ type: 'toolCall', ...shown.call }] : [];
      }),
    written: () => ({ ...textEnd(held?.blocks ?? blocks), citations: held?.citations ?? citations }),
    async begin() {
      typing(true);
      await write(run.outputMessageId === null ? start : resume);
      run.outputMessageId = messageId;
    },
    take(part) {
      // Nobody is shown it, and it was paid even if the run has gone.
      if (part.type === 'spent') return takeUsage(part.spent);
      // Another process may have the run by now: whoever was asleep says nothing more.
      if (broken) return;
      if (!lease.held()) return lose(new RunLostError(`The lease on run ${run.id} has run out.`));
      if (hold(part)) return;
      if (part.type === 'text') takeText('TEXT', part.text);
      else if (part.type === 'reasoning') takeText('REASONING', part.text);
      else if (part.type === 'citation') takeCitation(part);
      else if (part.type === 'toolCall') takeToolCall(part);
      else if (part.type === 'fellBack') takeFallback(part);
      else if (part.type === 'step') takeStep(part);
      else {
        unsaved = true;
        if (part.type === 'degraded') degraded.add(part.reason);
        else if (part.type === 'cached') cached = modelCalls === 0;
        else {
          cached = false;
          const { type: _type, ...rest } = part;
          attempts.push({ ...rest, runId: run.id, ordinal: modelCalls++, workspaceId });
        }
      }
    },
    async once({ id: callId, name, arguments: given }: Call, effect) {
      return await guarded(async (tx) => {
        const known = await scoped(tx, ToolCall).select().select('effect').where('runId', '=', run.id).where('callId', '=', callId).executeTakeFirst();
        if (known?.effect) return known.effect.value;
        const result = await effect(tx);
        const had = { status: 'SUCCEEDED', result: JSON.stringify(result), effect: JSON.stringify({ value: result }) } as never;
        if (known) await scoped(tx, ToolCall).update().set(had).where('runId', '=', run.id).where('callId', '=', callId).execute();
        else {
          const id = calls.get(callId)?.id ?? newId();
          await kysely(tx.em, ToolCall).insertInto('tool_call').values({ id, workspaceId, runId: run.id, callId, name, arguments: JSON.stringify(given), createdAt: new Date(), ...(had as object) } as never).execute();
        }
        return result;
      });
    },
    answerTo: (key) => answerTo(ctx, run.id, key),
    async fence(query) {
      const mine = await query(
        `select 1 from run where id = $1 and attempt = $2 and lease_owner = $3 and status = 'RUNNING' for share`,
        [run.id, attempt, lease.owner],
      );
      if (mine.rows.length === 0) throw new RunLostError(`Run ${run.id} is not ours any more.`);
    },
    async settle() {
      // What is told but not yet asked for again may wait; text may not: the next attempt goes on behind it.
      if (unsaved || held) {
        while (flushing) await flushing;
        if (broken) throw broken;
        await write(async () => []);
      }
      return record.written();
    },
    async end(status, error) {
      while (flushing) await flushing;
      if (saving) clearTimeout(saving);
      if (broken) throw broken;
      unsaved = true;
      let outcome = status;
      await write(async (tx) => {
        const ending = await endRun(tx, run.id, status, error);
        outcome = ending.status;
        return ending.events;
      });
      typing(false);
      app.metrics.runs.inc({ status: outcome });
      await announceSession(app, sessionId, 'UPDATED');
    },
    async fail(thrown, signal) {
      const cause = signal.aborted ? signal.reason : thrown;
      let ended = false;
      try {
        if (cause instanceof RunLostError || broken) {
          app.log.warn({ err: broken ?? cause, runId: run.id, attempt }, 'a run was lost to another attempt');
          return false;
        }
        // Handed over: the lease is given up by the engine and another instance goes on.
        if (signal.aborted && !(cause instanceof RunCancelledError) && !(cause instanceof RunTimedOutError)) return false;
        if (cause instanceof RunInterruptedError && (await wait(cause.questions))) return false;
        if (cause instanceof RunCancelledError || cause instanceof RunInterruptedError) await record.end('CANCELLED', null);
        else if (cause instanceof RunTimedOutError) await record.end('TIMED_OUT', runError('TIMEOUT', 'The answer took longer than a run may. Ask again, or ask for less at once.', true, null, run.id));
        else await record.end('FAILED', explain(app, run, thrown));
        return (ended = true);
      } catch (error) {
        // The lease runs out and the run is taken over.
        if (!(error instanceof RunLostError)) app.log.error({ err: error, runId: run.id }, 'the end of a run could not be written');
        return false;
      } finally {
        if (!ended) await settleAccount();
        if (!broken) typing(false);
        if (typingTimer) clearTimeout(typingTimer);
        if (saving) clearTimeout(saving);
      }
    },
  };
  return record;
}

interface OpenBlock {
  kind: BlockKind;
  text: string;
  /** The call of a tool that stands there. */
  callId: string | null;
}

/** A call of a tool as it was last told; without a place where no message shows it any more. */
interface ShownCall {
  readonly id: string;
  readonly blockIndex: number | null;
  readonly startedAt: Date | null;
  readonly call: Omit<ToolCallPart, 'type'>;
}

/** Blocks that can be written on. */
function opened(blocks: readonly Block[]): OpenBlock[] {
  return blocks.length === 0 ? [{ kind: 'TEXT', text: '', callId: null }] : blocks.map((block) => ({ callId: null, ...block }));
}

/** Writes on; returns where the text begins. */
function addText(blocks: OpenBlock[], kind: BlockKind, text: string): TextPosition {
  let block = blocks.at(-1) as OpenBlock;
  if (block.kind !== kind) {
    if (isUnwritten(block)) block.kind = kind;
    else blocks.push((block = { kind, text: '', callId: null }));
  }
  const offset = block.text.length;
  block.text += text;
  return { blockIndex: blocks.length - 1, offset };
}

/** Gives a call its place; returns which. */
function addCall(blocks: OpenBlock[], callId: string): number {
  const block: OpenBlock = { kind: 'TOOL_CALL', text: '', callId };
  if (isUnwritten(blocks.at(-1) as OpenBlock)) blocks[blocks.length - 1] = block;
  else blocks.push(block);
  return blocks.length - 1;
}

function isUnwritten({ kind, text }: OpenBlock): boolean {
  return text === '' && kind !== 'TOOL_CALL';
}

function isWithdrawal({ type }: Pick<LoggedEvent, 'type'>): boolean {
  return type === 'MessageTruncated';
}

/** Puts the question of a run that waited below the leaf of the branch as it is now. */
async function putBelowLeaf(tx: Context, run: Run): Promise<void> {
  const { selectedLeafId } = await scoped(tx, ChatSession).select().select('selectedLeafId').where('id', '=', run.sessionId).executeTakeFirstOrThrow();
  // Somebody may have chosen the question itself, or what was sent below it: put there, it would be its own ancestor.
  if (!selectedLeafId || (await branchIds(tx, selectedLeafId)).includes(run.inputMessageId as string)) return;
  await scoped(tx, Message).update().set({ parentId: selectedLeafId }).where('id', '=', run.inputMessageId as string).execute();
}
