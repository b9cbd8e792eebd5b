// A session's log: append-only rows whose `sequence` has no gap, and the message that tells tails of them.
import { randomUUIDv7 } from 'node:crypto';
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { kysely, sql } from '../platform/database.ts';
import { NotFoundError } from '../platform/errors.ts';
import type { DeltaMessage } from './draft.ts';
import { ChatEvent, ChatSession } from './entity.ts';
import type { LoggedEvent } from './walk.ts';

/** What is about to be logged. */
export interface NewEvent {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly at?: LoggedEvent['at'];
}

/** Live news of one session; every part of it is also, or will soon be, a row. */
export type StreamMessage =
  | { readonly type: 'events'; readonly events: readonly LoggedEvent[] }
  | ({ readonly type: 'delta' } & DeltaMessage)
  | { readonly type: 'typing'; readonly userId: string | null; readonly isTyping: boolean; readonly since: Date; readonly expiresAt: Date }
  | { readonly type: 'cleared'; readonly sequence: number }
  | { readonly type: 'deleted' };

/** Live news, keyed by session id. Text may wait behind the news of other sessions. */
export const sessionStream = topic<StreamMessage>('chat.stream', {
  isBulk: (message) => message.type === 'delta',
  revive(json) {
    const message = json as StreamMessage;
    if (message.type === 'events') return { ...message, events: message.events.map((event) => ({ ...event, occurredAt: new Date(event.occurredAt) })) };
    if (message.type !== 'typing') return message;
    // Clocks differ: here it lasts from now on as long as it was to last there.
    const since = new Date();
    return { ...message, since, expiresAt: new Date(+since + +new Date(message.expiresAt) - +new Date(message.since)) };
  },
});

/**
 * Appends to a session's log inside the transaction of `tx`. Taking the numbers locks the session's row until commit, so
 * that they become visible in their order. Call `announce` with the result after commit.
 */
export async function append(tx: Context, sessionId: string, events: readonly NewEvent[]): Promise<LoggedEvent[]> {
  const taken = await scoped(tx, ChatSession)
    .update()
    .set({ lastSequence: sql<number>`last_sequence + ${events.length}`, updatedAt: new Date() })
    .where('id', '=', sessionId)
    .returning(['lastSequence', 'workspaceId'])
    .executeTakeFirst();
  if (!taken) throw new NotFoundError('ChatSession', null, ['sessionId']);
  const first = taken.lastSequence - events.length + 1;
  const occurredAt = new Date();
  const logged = events.map((event, index): LoggedEvent => ({ ...event, at: event.at ?? null, sequence: first + index, occurredAt }));
  await kysely(tx.em, ChatEvent)
    .insertInto('chat_event')
    .values(
      logged.map((event) => ({
        sessionId,
        sequence: event.sequence,
        workspaceId: taken.workspaceId,
        type: event.type,
        payload: event.payload,
        messageId: event.at?.messageId ?? null,
        blockIndex: event.at?.blockIndex ?? null,
        textOffset: event.at?.offset ?? null,
        occurredAt,
      })) as never,
    )
    .execute();
  return logged;
}

/** Tells tails of events that are committed. */
export function announce(app: App, sessionId: string, events: readonly LoggedEvent[]): void {
  if (events.length > 0) app.bus.publish(sessionStream, sessionId, { type: 'events', events });
}

/** Logged events after `sequence`, at most `limit`, in order. */
export async function readEvents(app: App, sessionId: string, sequence: number, limit: number): Promise<LoggedEvent[]> {
  const rows = await kysely(app.database.fork(), ChatEvent)
    .selectFrom('chat_event')
    .selectAll()
    .where('sessionId', '=', sessionId)
    .where('sequence', '>', sequence)
    .orderBy('sequence')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    type: row.type,
    payload: row.payload,
    at: row.messageId === null ? null : { messageId: row.messageId as string, blockIndex: row.blockIndex ?? 0, offset: row.textOffset ?? 0 },
    occurredAt: row.occurredAt,
  }));
}

/** A new id for a row of this room; ordered by time. */
export const newId = (): string => randomUUIDv7();
