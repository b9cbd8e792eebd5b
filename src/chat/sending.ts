// Sending: a message, an edited one, or the same one again; each starts a run. And cancelling a run.
import { createHash } from 'node:crypto';
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { assertTakesWork, permit, transactional, type Context, type Viewer } from '../context.ts';
import { ConflictError, GenericError, NotFoundError, validate } from '../platform/errors.ts';
import { idempotencyKey } from '../platform/idempotency.ts';
import { timeZoneName } from '../platform/time-zone.ts';
import { profileVersionForRun } from '../profiles/service.ts';
import { taskProfileId } from '../tasks/profile.ts';
import { changeRetrieval, rulesOf, type RetrievalChange } from '../profiles/settings.ts';
import { encodeCursor } from './cursor.ts';
import { endRun } from './ending.ts';
import { ChatSession, Message, MessageBlock, Run } from './entity.ts';
import { announce, append, newId, type NewEvent } from './events.ts';
import { tellEngines } from './run-changed.ts';
import { createChatSession } from './service.ts';
import { announceSession, lockSession, visibleSessions } from './sessions.ts';
import type { LoggedEvent } from './walk.ts';

export const concurrencyPolicies = ['REJECT', 'ENQUEUE', 'INTERRUPT', 'ROLLBACK'] as const;
export type ConcurrencyPolicy = (typeof concurrencyPolicies)[number];

/** A run that was started, or found by its idempotency key. */
export interface Sent {
  readonly run: Run;
  readonly userMessageId: string | null;
  /** The log position before the run's first event. */
  readonly cursor: string;
}

/** What every way of sending has in common. */
interface RunRequest {
  readonly sessionId: string;
  readonly idempotencyKey: string;
  readonly ifRunning: ConcurrencyPolicy;
  readonly retrieval: RetrievalChange | null;
  readonly timeZone: string;
  readonly modelId: string | null;
  /** Another profile than the session's. */
  readonly profileId?: string;
  readonly dryRun?: boolean;
  /** What makes the request this one: the same key with another is a conflict. */
  readonly identity: readonly unknown[];
  /** Puts the question in place, in the transaction; returns its id and what to log. */
  question(tx: Context, session: ChatSession, runId: string): Promise<{ id: string; isNew: boolean }>;
}

/** Sends a message below the selected leaf, or below `parentMessageId`. */
export async function sendMessage(
  ctx: Context,
  input: { sessionId: string; text: string; parentMessageId: string | null; idempotencyKey: string; ifRunning: ConcurrencyPolicy; retrieval: RetrievalChange | null; timeZone: string | null },
): Promise<Sent> {
  const viewer = permit(ctx, 'CHAT');
  const text = messageText(ctx, input.text);
  const timeZone = validate(timeZoneName, input.timeZone ?? 'UTC', ['timeZone']);
  return await startRun(ctx, viewer, {
    ...input,
    timeZone,
    modelId: null,
    identity: ['send', input.sessionId, text, input.parentMessageId, input.retrieval, timeZone],
    question: async (tx, session, runId) => {
      if (input.parentMessageId !== null) await assertMessage(tx, session.id, input.parentMessageId, ['parentMessageId']);
      return { id: await insertQuestion(tx, viewer, session.id, input.parentMessageId ?? session.selectedLeafId ?? null, text, runId), isNew: true };
    },
  });
}

/** Sends an edited version of a user message: a sibling of it, with an answer of its own. */
export async function editMessage(ctx: Context, input: { messageId: string; text: string; idempotencyKey: string }): Promise<Sent> {
  const viewer = permit(ctx, 'CHAT');
  const text = messageText(ctx, input.text);
  const original = await visibleMessage(ctx, input.messageId);
  if (original.role !== 'USER') throw new GenericError('VALIDATION_FAILED', 'Only messages of people can be edited. Use regenerateMessage for answers.', ['messageId']);
  return await startRun(ctx, viewer, {
    ...defaults,
    sessionId: original.sessionId,
    idempotencyKey: input.idempotencyKey,
    identity: ['edit', input.messageId, text],
    question: async (tx, session, runId) => {
      const id = await insertQuestion(tx, viewer, session.id, original.parentId ?? null, text, runId);
      await scoped(tx, Message).update().set({ editedAt: new Date() }).where('id', '=', id).execute();
      return { id, isNew: true };
    },
  });
}

/** Asks the same question again, optionally of another model: the new answer is a sibling of the old one. */
export async function regenerateMessage(ctx: Context, input: { messageId: string; modelId: string | null; idempotencyKey: string }): Promise<Sent> {
  const viewer = permit(ctx, 'CHAT');
  const message = await visibleMessage(ctx, input.messageId);
  const questionId = message.role === 'USER' ? message.id : message.parentId;
  if (!questionId) throw new GenericError('VALIDATION_FAILED', 'This message answers no question.', ['messageId']);
  return await startRun(ctx, viewer, {
    ...defaults,
    sessionId: message.sessionId,
    idempotencyKey: input.idempotencyKey,
    modelId: input.modelId,
    identity: ['regenerate', input.messageId, input.modelId],
    question: async () => ({ id: questionId, isNew: false }),
  });
}

/**
 * Asks the task assistant, in a session of its own unless one is given; with `dryRun` nothing is changed, and the answer says
 * what would be. The same key finds the same run, and the same session.
 */
export async function runTaskAssistant(
  ctx: Context,
  input: { text: string; sessionId: string | null; timeZone: string; dryRun: boolean; idempotencyKey: string },
): Promise<Sent> {
  const viewer = permit(ctx, 'CHAT');
  permit(ctx, 'TASK');
  const text = messageText(ctx, input.text);
  const timeZone = validate(timeZoneName, input.timeZone, ['timeZone']);
  const key = validate(idempotencyKey, input.idempotencyKey, ['idempotencyKey']);
  assertTakesWork(ctx);
  const profileId = await taskProfileId(ctx);
  const ownKey = createHash('sha256').update(`task assistant ${key}`).digest('hex');
  const sessionId = input.sessionId ?? (await createChatSession(ctx, { profileId, title: null, visibility: 'PRIVATE', idempotencyKey: ownKey }));
  return await startRun(ctx, viewer, {
    ...defaults,
    sessionId,
    idempotencyKey: key,
    timeZone,
    profileId,
    dryRun: input.dryRun,
    identity: ['tasks', input.sessionId, text, timeZone, input.dryRun],
    question: async (tx, session, runId) => ({ id: await insertQuestion(tx, viewer, session.id, session.selectedLeafId ?? null, text, runId), isNew: true }),
  });
}

/** Cancels a run, from any device: what it has written stays, and it will end as CANCELLED. Throws RUN_NOT_ACTIVE when it has ended. */
export async function cancelRun(ctx: Context, runId: string): Promise<Run> {
  permit(ctx, 'CHAT');
  const { run, logged } = await transactional(ctx, async (tx) => {
    const found = await scoped(tx, Run).select().select('sessionId').where('id', '=', runId).where('workspaceId', '=', tx.workspaceId as string).executeTakeFirst();
    if (!found) throw new NotFoundError('Run', runId, ['runId']);
    await lockSession(tx, found.sessionId, ['runId']);
    return await requestCancel(tx, runId);
  });
  announce(ctx.app, run.sessionId, logged);
  tellEngines(ctx.app, runId, 'cancelled');
  tellEngines(ctx.app, runId, 'queued');
  return run;
}

const defaults = { ifRunning: 'REJECT', retrieval: null, timeZone: 'UTC', modelId: null } as const;

async function startRun(ctx: Context, viewer: Viewer, request: RunRequest): Promise<Sent> {
  assertTakesWork(ctx);
  const key = validate(idempotencyKey, request.idempotencyKey, ['idempotencyKey']);
  const requestHash = createHash('sha256').update(JSON.stringify(request.identity)).digest('hex');
  const runId = newId();
  let started: Sent | Started;
  try {
    started = await transactional(ctx, async (tx) => {
      const session = await lockSession(tx, request.sessionId, ['sessionId']);
      // Of many that ask at once one has the lock first; the others find its run, whatever their policy.
      return (await findSent(tx, viewer, key, requestHash)) ?? (await insertRun(tx, viewer, session, request, { runId, key, requestHash }));
    });
  } catch (error) {
    // Asked at the same time in another session.
    const other = error instanceof UniqueConstraintViolationException ? await findSent(ctx, viewer, key, requestHash) : null;
    if (other) return other;
    throw error;
  }
  if ('cursor' in started) return started;
  const { run, logged, cancelled } = started;
  announce(ctx.app, run.sessionId, logged);
  for (const id of cancelled) tellEngines(ctx.app, id, 'cancelled');
  tellEngines(ctx.app, run.id, 'queued');
  await announceSession(ctx.app, run.sessionId, 'UPDATED');
  return sent(run);
}

/** A run that was made, with what is to be announced of it and of those that it ends. */
interface Started {
  readonly run: Run;
  readonly logged: readonly LoggedEvent[];
  readonly cancelled: readonly string[];
}

async function insertRun(
  tx: Context,
  viewer: Viewer,
  session: ChatSession,
  request: RunRequest,
  { runId, key, requestHash }: { runId: string; key: string; requestHash: string },
): Promise<Started> {
  const version = await profileVersionForRun(tx, request.profileId ?? session.profileId);
  const active = (await scoped(tx, Run).select().selectAll().where('sessionId', '=', session.id).where('status', 'in', ['QUEUED', 'RUNNING', 'INTERRUPTED']).orderBy('createdAt').execute()) as Run[];
  const events: NewEvent[] = [];
  const cancelled: string[] = [];
  const [first] = active;
  if (first && request.ifRunning === 'REJECT') {
    throw new ConflictError('An answer is still being written. Wait for it, cancel its run, or choose another ifRunning.', ['ifRunning'], { type: 'Run', id: first.id }, 'RUN_IN_PROGRESS');
  }
  if (request.ifRunning === 'INTERRUPT' || request.ifRunning === 'ROLLBACK') {
    for (const run of active) {
      events.push(...(await cancelInside(tx, run, request.ifRunning === 'ROLLBACK')));
      cancelled.push(run.id);
    }
  }
  const enqueued = active.length > 0;
  // What was taken back moved the leaf.
  const { selectedLeafId } = cancelled.length === 0 ? session : await scoped(tx, ChatSession).select().select('selectedLeafId').where('id', '=', session.id).executeTakeFirstOrThrow();
  const question = await request.question(tx, { ...session, selectedLeafId: selectedLeafId ?? null }, runId);
  const titled = session.title === null && question.isNew && !session.selectedLeafId;
  await scoped(tx, ChatSession)
    .update()
    .set({ ...(!enqueued && { selectedLeafId: question.id }), updatedAt: new Date() })
    .where('id', '=', session.id)
    .execute();
  const startSequence = session.lastSequence + events.length;
  const run = tx.em.create(Run, {
    id: runId,
    workspaceId: viewer.workspaceId,
    sessionId: session.id,
    userId: viewer.userId,
    profileVersionId: version.id,
    inputMessageId: question.id,
    status: 'QUEUED',
    idempotencyKey: key,
    requestHash,
    startSequence,
    modelId: request.modelId,
    retrieval: request.retrieval ? changeRetrieval(await rulesOf(tx), version.retrieval, request.retrieval, ['retrieval']) : {},
    timeZone: request.timeZone,
    dryRun: request.dryRun ?? false,
    enqueued: enqueued && question.isNew,
    degraded: [],
  });
  await tx.em.flush();
  if (question.isNew) events.push({ type: 'MessageCreated', payload: { messageId: question.id, streaming: false } });
  events.push({ type: 'RunUpdated', payload: { runId, runStatus: 'QUEUED', attempt: 1, error: null } });
  if (titled) events.push(await titleAfter(tx, session, question.id));
  return { run, cancelled, logged: await append(tx, session.id, events) };
}

/** Asks for the end of a run whose session is locked. */
async function requestCancel(tx: Context, runId: string): Promise<{ run: Run; logged: LoggedEvent[] }> {
  const select = () => scoped(tx, Run).select().selectAll().where('id', '=', runId).executeTakeFirstOrThrow() as Promise<Run>;
  const run = await select();
  if (!['QUEUED', 'RUNNING', 'INTERRUPTED'].includes(run.status)) {
    throw new GenericError('RUN_NOT_ACTIVE', `This run has ended (${run.status}). There is nothing to cancel.`, ['runId']);
  }
  const events = await cancelInside(tx, run, false);
  const logged = events.length > 0 ? await append(tx, run.sessionId, events) : [];
  return { run: await select(), logged };
}

/** A run that waits ends at once; one that runs is ended by the engine that has it, as the cancelled run that it is from now on. */
async function cancelInside(tx: Context, run: Run, rollback: boolean): Promise<NewEvent[]> {
  const asked = await scoped(tx, Run)
    .update()
    .set({ cancelRequestedAt: new Date(), ...(rollback && { rollback }) })
    .where('id', '=', run.id)
    .where('status', 'in', ['QUEUED', 'RUNNING', 'INTERRUPTED'])
    .returning('status')
    .executeTakeFirst();
  return !asked || asked.status === 'RUNNING' ? [] : (await endRun(tx, run.id, 'CANCELLED', null)).events;
}

async function findSent(ctx: Context, viewer: Viewer, key: string, requestHash: string): Promise<Sent | null> {
  const run = await scoped(ctx, Run).select().selectAll().where('userId', '=', viewer.userId).where('idempotencyKey', '=', key).executeTakeFirst();
  if (!run) return null;
  if (run.requestHash !== requestHash) {
    throw new ConflictError('This idempotency key was used for another request. Use a new key for each message.', ['idempotencyKey'], { type: 'Run', id: run.id });
  }
  return sent(run as Run);
}

/** A run as the answer of a mutation. */
export function sent(run: Run): Sent {
  return { run, userMessageId: run.inputMessageId ?? null, cursor: encodeCursor(run.sessionId, { sequence: run.startSequence, messageId: null, blockIndex: 0, offset: 0 }) };
}

/** A session without a title takes it from its first message. */
async function titleAfter(tx: Context, session: ChatSession, messageId: string): Promise<NewEvent> {
  const row = await scoped(tx, MessageBlock).select().select('text').where('messageId', '=', messageId).executeTakeFirst();
  const words = (row?.text ?? '').replace(/\s+/g, ' ').trim();
  const title = words.length <= 60 ? words : `${words.slice(0, 60).replace(/\s+\S*$/, '')}…`;
  await scoped(tx, ChatSession).update().set({ title }).where('id', '=', session.id).execute();
  return { type: 'SessionUpdated', payload: {} };
}

async function insertQuestion(tx: Context, viewer: Viewer, sessionId: string, parentId: string | null, text: string, runId: string): Promise<string> {
  const id = newId();
  tx.em.create(Message, { id, workspaceId: viewer.workspaceId, sessionId, parentId, role: 'USER', status: 'COMPLETE', authorId: viewer.userId, runId });
  tx.em.create(MessageBlock, { messageId: id, index: 0, workspaceId: viewer.workspaceId, kind: 'TEXT', text });
  await tx.em.flush();
  return id;
}

async function assertMessage(tx: Context, sessionId: string, messageId: string, field: readonly string[]): Promise<void> {
  const found = await scoped(tx, Message).select().select('id').where('id', '=', messageId).where('sessionId', '=', sessionId).executeTakeFirst();
  if (!found) throw new NotFoundError('Message', messageId, field);
}

async function visibleMessage(ctx: Context, messageId: string): Promise<Message> {
  const message = await scoped(ctx, Message).select().selectAll().where('id', '=', messageId).where('workspaceId', '=', ctx.workspaceId as string).executeTakeFirst();
  const visible = message && (await visibleSessions(ctx).select('id').where('id', '=', message.sessionId).executeTakeFirst());
  if (!visible) throw new NotFoundError('Message', messageId, ['messageId']);
  return message as Message;
}

function messageText(ctx: Context, text: string): string {
  const { maxMessageChars } = ctx.app.config.limits;
  return validate(
    z
      .string()
      .max(maxMessageChars, `The message has ${text.length} characters; at most ${maxMessageChars} are allowed. Upload longer texts as documents.`)
      .refine((value) => value.trim() !== '', { message: 'The message is empty.' })
      .refine((value) => !value.includes('\0'), { message: 'The message holds a NUL character, which cannot be stored.' }),
    text,
    ['text'],
  );
}
