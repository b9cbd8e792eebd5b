// Taking messages back: their rows go, and the log keeps its numbers but no longer speaks of them.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { sql } from '../platform/database.ts';
import { ChatEvent, ChatSession, Message, type Run } from './entity.ts';
import type { NewEvent } from './events.ts';
import { forgetConversation } from './history.ts';

/** Deletes a run's question and answer and selects the branch before them; returns the events to log. */
export async function forgetMessages(tx: Context, run: Run): Promise<NewEvent[]> {
  const ids = [run.outputMessageId, run.inputMessageId].filter((id): id is string => id !== null);
  const input = await scoped(tx, Message).select().select('parentId').where('id', '=', run.inputMessageId as string).executeTakeFirst();
  await scoped(tx, ChatSession).update().set({ selectedLeafId: input?.parentId ?? null }).where('id', '=', run.sessionId).execute();
  // What hangs below moves up, so that a message that waits is not deleted with them.
  await scoped(tx, Message).update().set({ parentId: input?.parentId ?? null }).where('parentId', 'in', ids).where('id', 'not in', ids).execute();
  await scoped(tx, Message).delete().where('id', 'in', ids).execute();
  await forgetEvents(tx, run.sessionId, ids);
  // Nobody waits for it within the transaction: what stands in a conversation is asked of the rows.
  void forgetConversation(tx.app, run.sessionId);
  return ids.map((messageId) => ({ type: 'MessageDeleted', payload: { messageId } }));
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
