// Taking messages back: their rows go, and the log keeps its numbers but no longer speaks of them.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { sql } from '../platform/database.ts';
import { ChatEvent, ChatSession, Message, type Run } from './entity.ts';
import type { NewEvent } from './events.ts';
import { forgetConversation } from './history.ts';

/**
 * Deletes the question and the answer that a run brought and leaves the branch before them, if it stood on theirs; returns
 * the events to log. A question that was asked again is not the run's own and stays, with the answer it had.
 */
export async function forgetMessages(tx: Context, run: Run): Promise<NewEvent[]> {
  const own = await scoped(tx, Message).select().select(['id', 'parentId', 'role']).where('runId', '=', run.id).orderBy('id', 'desc').execute();
  const top = own.at(-1);
  if (!top) return [];
  const ids = own.map(({ id }) => id);
  const before = top.role === 'USER' ? top.parentId : ((await otherAnswer(tx, top)) ?? top.parentId);
  await scoped(tx, ChatSession).update().set({ selectedLeafId: before ?? null }).where('id', '=', run.sessionId).where('selectedLeafId', 'in', ids).execute();
  // What hangs below moves up, so that a message that waits is not deleted with them.
  await scoped(tx, Message).update().set({ parentId: before ?? null }).where('parentId', 'in', ids).where('id', 'not in', ids).execute();
  await scoped(tx, Message).delete().where('id', 'in', ids).execute();
  await forgetEvents(tx, run.sessionId, ids);
  // Nobody waits for it within the transaction: what stands in a conversation is asked of the rows.
  void forgetConversation(tx.app, run.sessionId);
  return ids.map((messageId) => ({ type: 'MessageDeleted', payload: { messageId } }));
}

/** The newest answer beside this one. */
async function otherAnswer(tx: Context, { id, parentId }: Pick<Message, 'id' | 'parentId'>): Promise<string | null> {
  const other = await scoped(tx, Message)
    .select()
    .select('id')
    .where('parentId', '=', parentId as string)
    .where('role', '=', 'ASSISTANT')
    .where('id', '<>', id)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return other?.id ?? null;
}

/** A replay must not speak of messages that are gone: each of their events becomes another MessageDeleted. */
async function forgetEvents(tx: Context, sessionId: string, messageIds: readonly string[]): Promise<void> {
  await scoped(tx, ChatEvent)
    .update()
    .set({ type: 'MessageDeleted', payload: sql`jsonb_build_object('messageId', payload->>'messageId')` as never })
    .where('sessionId', '=', sessionId)
    .where(sql<boolean>`payload->>'messageId' = any(${sql.val(messageIds)}::text[])`)
    .execute();
}
