// What can be done with chats: sessions, typing, and following a session's stream. Sending messages is in sending.ts.
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { permit, renewContext, transactional, type Context } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { ConflictError, ForbiddenError, GenericError, NotFoundError, validate } from '../platform/errors.ts';
import { idempotencyKey } from '../platform/idempotency.ts';
import { profileVersionForRun } from '../profiles/service.ts';
import { decodeCursor } from './cursor.ts';
import { ChatEvent, ChatSession, DeletedSession, Message, MessageBlock, Run, Citation, ToolCall, type FeedbackRating, type Visibility } from './entity.ts';
import { announce, append, newId, sessionStream, type NewEvent } from './events.ts';
import { follow, type StreamItem } from './follow.ts';
import { forgetConversation } from './history.ts';
import { branchIds } from './messages.ts';
import { announceSession, assertVisible, lockSession } from './sessions.ts';
import type { LoggedEvent } from './walk.ts';

/** Somebody who types is shown for so long after the last sign of it. */
const typingMs = 6_000;
/** A deleted session is remembered for so long, for lists on instances that look at the rows once a second. */
const deletedMs = 3_600_000;
const title = z
  .string()
  .trim()
  .min(1, 'The title is empty; leave it out for none.')
  .max(200, 'The title has more than 200 characters.')
  .refine((text) => !text.includes('\0'), 'The title holds a NUL character, which cannot be stored.');
const sessionUpdated: NewEvent = { type: 'SessionUpdated', payload: {} };

/** Makes a session; the same idempotency key returns the same session. */
export async function createChatSession(
  ctx: Context,
  input: { profileId: string; title: string | null; visibility: Visibility; idempotencyKey: string | null },
): Promise<string> {
  const viewer = permit(ctx, 'CHAT');
  const named = input.title === null ? null : validate(title, input.title, ['title']);
  const key = input.idempotencyKey === null ? null : validate(idempotencyKey, input.idempotencyKey, ['idempotencyKey']);
  await profileVersionForRun(ctx, input.profileId);
  const existing = async (): Promise<string | null> => {
    if (key === null) return null;
    const row = await scoped(renewContext(ctx), ChatSession).findOne({ ownerId: viewer.userId, idempotencyKey: key });
    if (row && row.profileId !== input.profileId) throw new ConflictError('This idempotency key made another session. Use a new key.', ['idempotencyKey'], { type: 'ChatSession', id: row.id });
    return row?.id ?? null;
  };
  const before = await existing();
  if (before) return before;
  const id = newId();
  try {
    await transactional(ctx, async (tx) => {
      tx.em.create(ChatSession, { id, workspaceId: viewer.workspaceId, ownerId: viewer.userId, profileId: input.profileId, title: named, visibility: input.visibility, idempotencyKey: key });
    });
  } catch (error) {
    const other = error instanceof UniqueConstraintViolationException ? await existing() : null;
    if (other) return other;
    throw error;
  }
  await announceSession(ctx.app, id, 'CREATED');
  return id;
}

/** Changes title or visibility; only the owner may change who sees it. */
export async function updateChatSession(ctx: Context, input: { id: string; title?: string | null; visibility?: Visibility | null }): Promise<void> {
  const viewer = permit(ctx, 'CHAT');
  const changes = {
    ...(input.title !== undefined && { title: input.title === null ? null : validate(title, input.title, ['title']) }),
    ...(input.visibility && { visibility: input.visibility }),
  };
  const logged = await transactional(ctx, async (tx) => {
    const session = await lockSession(tx, input.id);
    if (input.visibility && input.visibility !== session.visibility && session.ownerId !== viewer.userId) throw new ForbiddenError('CHAT');
    if (Object.keys(changes).length > 0) await scoped(tx, ChatSession).update().set(changes).where('id', '=', input.id).execute();
    return await append(tx, input.id, [sessionUpdated]);
  });
  announce(ctx.app, input.id, logged);
  await announceSession(ctx.app, input.id, 'UPDATED');
}

/** Empties a session: messages, runs and log are gone; readers get StreamReset. Refused while a run is active. */
export async function clearChatSession(ctx: Context, id: string): Promise<void> {
  permit(ctx, 'CHAT');
  const logged = await transactional(ctx, async (tx) => {
    await lockSession(tx, id);
    await assertIdle(tx, id);
    await scoped(tx, Message).delete().where('sessionId', '=', id).execute();
    await scoped(tx, Run).delete().where('sessionId', '=', id).execute();
    await scoped(tx, ChatEvent).delete().where('sessionId', '=', id).execute();
    const events = await append(tx, id, [sessionUpdated]);
    await scoped(tx, ChatSession)
      .update()
      .set({ selectedLeafId: null, summary: null, clearedSequence: (events[0] as LoggedEvent).sequence })
      .where('id', '=', id)
      .execute();
    return events;
  });
  ctx.app.bus.publish(sessionStream, id, { type: 'cleared', sequence: (logged[0] as LoggedEvent).sequence });
  await forgetConversation(ctx.app, id);
  announce(ctx.app, id, logged);
  await announceSession(ctx.app, id, 'UPDATED');
}

/** Deletes a session with all it holds; its streams complete. Only the owner may. */
export async function deleteChatSession(ctx: Context, id: string): Promise<void> {
  const viewer = permit(ctx, 'CHAT');
  const session = await transactional(ctx, async (tx) => {
    const found = await lockSession(tx, id);
    if (found.ownerId !== viewer.userId) throw new ForbiddenError('CHAT');
    await scoped(tx, ChatSession).delete().where('id', '=', id).execute();
    await scoped(tx, DeletedSession).delete().where('deletedAt', '<', new Date(Date.now() - deletedMs)).execute();
    tx.em.create(DeletedSession, { id, workspaceId: found.workspaceId, ownerId: found.ownerId, visibility: found.visibility });
    return found;
  });
  ctx.app.bus.publish(sessionStream, id, { type: 'deleted' });
  await forgetConversation(ctx.app, id);
  await announceSession(ctx.app, id, 'DELETED', session);
}

/** A new session that begins with a copy of the branch up to a message. */
export async function forkChatSession(ctx: Context, input: { sessionId: string; fromMessageId: string; title: string | null }): Promise<string> {
  const viewer = permit(ctx, 'CHAT');
  const named = input.title === null ? null : validate(title, input.title, ['title']);
  const id = newId();
  await transactional(ctx, async (tx) => {
    const source = await lockSession(tx, input.sessionId, ['sessionId']);
    const ids = await branchIds(tx, input.fromMessageId);
    const messages = await scoped(tx, Message).select().selectAll().where('id', 'in', ids.length > 0 ? ids : [input.fromMessageId]).where('sessionId', '=', source.id).execute();
    if (messages.length === 0) throw new NotFoundError('Message', input.fromMessageId, ['fromMessageId']);
    if (messages.some(({ status }) => status === 'STREAMING' || status === 'INTERRUPTED')) throw new ConflictError('The answer is still being written. Fork from it once it is complete.', ['fromMessageId']);
    const copies = new Map(ids.map((old) => [old, newId()]));
    tx.em.create(ChatSession, {
      id,
      workspaceId: viewer.workspaceId,
      ownerId: viewer.userId,
      profileId: source.profileId,
      title: named ?? source.title,
      visibility: 'PRIVATE',
      selectedLeafId: copies.get(input.fromMessageId) ?? null,
    });
    await tx.em.flush();
    for (const old of ids) {
      const message = messages.find((row) => row.id === old);
      if (!message) continue;
      const copy = copies.get(old) as string;
      await kysely(tx.em, Message).insertInto('message').values({ ...message, id: copy, sessionId: id, parentId: message.parentId ? (copies.get(message.parentId) ?? null) : null, runId: null }).execute();
      await copyRows(tx, old, copy);
    }
    const events = ids.flatMap((old): NewEvent[] => {
      const payload = { messageId: copies.get(old) as string, streaming: false };
      return [{ type: 'MessageCreated', payload }];
    });
    await append(tx, id, events);
  });
  await announceSession(ctx.app, id, 'CREATED');
  return id;
}

/** Shows another branch: the one that ends in `leafId`. */
export async function selectBranch(ctx: Context, input: { sessionId: string; leafId: string }): Promise<void> {
  permit(ctx, 'CHAT');
  const logged = await transactional(ctx, async (tx) => {
    await lockSession(tx, input.sessionId, ['sessionId']);
    const leaf = await scoped(tx, Message).select().select('id').where('id', '=', input.leafId).where('sessionId', '=', input.sessionId).executeTakeFirst();
    if (!leaf) throw new NotFoundError('Message', input.leafId, ['leafId']);
    await scoped(tx, ChatSession).update().set({ selectedLeafId: leaf.id }).where('id', '=', input.sessionId).execute();
    return await append(tx, input.sessionId, [sessionUpdated]);
  });
  announce(ctx.app, input.sessionId, logged);
}

/** Rates an answer, or takes the rating back with null. */
export async function rateMessage(ctx: Context, input: { messageId: string; rating: FeedbackRating | null; comment: string | null }): Promise<void> {
  permit(ctx, 'CHAT');
  const comment = input.comment === null ? null : validate(z.string().max(4_000, 'The comment has more than 4,000 characters.'), input.comment, ['comment']);
  await transactional(ctx, async (tx) => {
    const message = await scoped(tx, Message).findOne({ id: input.messageId });
    if (!message) throw new NotFoundError('Message', input.messageId, ['messageId']);
    await lockSession(tx, message.sessionId, ['messageId']);
    if (message.role !== 'ASSISTANT') throw new GenericError('VALIDATION_FAILED', 'Only answers can be rated.', ['messageId']);
    message.rating = input.rating;
    message.ratingComment = input.rating === null ? null : comment;
  });
}

/** Shows others that the viewer is typing; it ends by itself a few seconds after the last call. */
export async function setTyping(ctx: Context, input: { sessionId: string; isTyping: boolean }): Promise<void> {
  const viewer = permit(ctx, 'CHAT');
  await assertVisible(ctx, input.sessionId, ['sessionId']);
  const since = new Date();
  ctx.app.bus.publish(sessionStream, input.sessionId, {
    type: 'typing',
    userId: viewer.userId,
    isTyping: input.isTyping,
    since,
    expiresAt: new Date(+since + typingMs),
  });
}

/** Everything that happens in a session, after a cursor or from now. Ends with the session, or with FORBIDDEN when access is lost. */
export async function followSession(ctx: Context, sessionId: string, after: string | null): Promise<AsyncIterableIterator<StreamItem>> {
  permit(ctx, 'CHAT');
  await assertVisible(ctx, sessionId, ['sessionId']);
  const position = after === null ? null : decodeCursor(sessionId, after);
  const held = await ctx.app.tails.hold(sessionId);
  if (!held) throw new NotFoundError('ChatSession', sessionId, ['sessionId']);
  try {
    return follow({ app: ctx.app, tail: held.tail, release: held.release, after: position, assertAccess: (event) => (event.type === 'SessionUpdated' ? assertStillVisible(ctx, sessionId) : null) });
  } catch (error) {
    await held.release();
    throw error;
  }
}

/** Throws RUN_IN_PROGRESS while a run of the session is active. */
export async function assertIdle(tx: Context, sessionId: string): Promise<void> {
  const active = await scoped(tx, Run).select().select('id').where('sessionId', '=', sessionId).where('status', 'in', ['QUEUED', 'RUNNING', 'INTERRUPTED']).executeTakeFirst();
  if (active) throw new ConflictError('An answer is still being written. Wait for it, answer what it asks, or cancel its run.', null, { type: 'Run', id: active.id }, 'RUN_IN_PROGRESS');
}

async function assertStillVisible(ctx: Context, sessionId: string): Promise<void> {
  try {
    await assertVisible({ ...ctx, em: ctx.app.database.fork() }, sessionId);
  } catch (error) {
    if (error instanceof NotFoundError) throw new GenericError('FORBIDDEN', 'This session is no longer shared with you.');
    throw error;
  }
}

async function copyRows(tx: Context, from: string, to: string): Promise<void> {
  const blocks = await scoped(tx, MessageBlock).select().selectAll().where('messageId', '=', from).execute();
  if (blocks.length > 0) await kysely(tx.em, MessageBlock).insertInto('message_block').values(blocks.map((block) => ({ ...block, messageId: to }))).execute();
  const calls = await scoped(tx, ToolCall).select().selectAll().where('messageId', '=', from).execute();
  for (const { id: _id, effect: _effect, ...call } of calls) tx.em.create(ToolCall, { ...(call as ToolCall), runId: null, messageId: to });
  await tx.em.flush();
  const citations = await scoped(tx, Citation).select().selectAll().where('messageId', '=', from).execute();
  if (citations.length > 0) await kysely(tx.em, Citation).insertInto('citation').values(citations.map((citation) => ({ ...citation, messageId: to }))).execute();
}

