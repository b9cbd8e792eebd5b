// A tail: what one instance knows of the live end of one session. It feeds every local reader, who only keeps a position,
// so that nothing grows per reader and a reader that stops reading costs nothing. Memory: a bounded ring of logged events
// and the texts of the messages that end within it. Messages bring news at once; what they do not bring is read from rows.
import type { App } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { createDraft, type DeltaMessage, type Draft } from './draft.ts';
import { ChatSession, Message } from './entity.ts';
import { readEvents, sessionStream, type StreamMessage } from './events.ts';
import { readMessageText } from './messages.ts';
import { createTypists, type Typists } from './typing.ts';
import { walk, endOf, epochOf, noText, type LoggedEvent, type MessageText, type Step, type TextPosition } from './walk.ts';
import type { Position } from './cursor.ts';

/** Logged events kept in memory for each session that is followed. */
const ringSize = 256;

/** The live end of a session. */
export interface Tail {
  readonly sessionId: string;
  /** The newest logged event's number. */
  readonly lastSequence: number;
  /** Events up to this one are gone. */
  readonly clearedSequence: number;
  /** Where a reader stands that has everything. */
  end(): Position;
  /** The text so far of the message that streams, if one does. */
  draft(): ({ readonly messageId: string } & MessageText) | null;
  /** The next step after a position, `undefined` when it lies behind this memory, null when there is nothing yet. */
  step(position: Position): Step | null | undefined;
  /** Who is typing. */
  readonly typists: Omit<Typists, 'set' | 'close'>;
  readonly deleted: boolean;
  /** Calls `on` after every change; returns its own ending. */
  listen(on: () => void): () => void;
}

/** A tail as its holder sees it. */
export interface OpenTail extends Tail {
  /** Compares with the session's row as it is now (null: it is gone) and reads what is missing. */
  compare(row: SessionState | null): void;
  /** The message whose text has not moved since the last call: its saved draft may know more. */
  quiet(): string | null;
  /** Takes over saved text of the message that streams. */
  load(messageId: string, saved: MessageText): void;
  close(): Promise<void>;
}

/** What a session's row says of its log. */
export interface SessionState {
  readonly lastSequence: number;
  readonly clearedSequence: number;
}

/** Opens the tail of a session; null when there is no such session. */
export async function openTail(app: App, sessionId: string): Promise<OpenTail | null> {
  const ring: LoggedEvent[] = [];
  const drafts = new Map<string, Draft>();
  const listeners = new Set<() => void>();
  let lastSequence = 0;
  let clearedSequence = 0;
  let streaming: Draft | null = null;
  let deleted = false;
  let filling: Promise<void> | null = null;
  let moved = false;
  let early: StreamMessage[] | null = [];

  const wake = (): void => {
    for (const on of listeners) on();
  };

  const typists = createTypists(wake);

  const receive = (message: StreamMessage): void => {
    if (early) {
      early.push(message);
      return;
    }
    if (message.type === 'events') receiveEvents(message.events);
    else if (message.type === 'delta') receiveDelta(message);
    else if (message.type === 'typing') typists.set(message);
    else if (message.type === 'cleared') clear(message.sequence);
    else deleted = true;
    wake();
  };

  /** The log up to `sequence` is gone: readers behind it must be reset. */
  function clear(sequence: number): void {
    if (sequence <= clearedSequence) return;
    clearedSequence = sequence;
    ring.length = 0;
    drafts.clear();
    streaming = null;
    lastSequence = Math.max(lastSequence, sequence);
    wake();
  }

  function receiveEvents(events: readonly LoggedEvent[]): void {
    for (const event of events) {
      if (event.sequence <= lastSequence) continue;
      // A hole: an announcement, or text that belongs before it, was lost or overtaken. The rows have it.
      if (event.sequence > lastSequence + 1 || lacksText(event)) return void fill();
      take(event);
    }
  }

  function receiveDelta(delta: DeltaMessage): void {
    if (delta.messageId !== streaming?.messageId) return;
    // Text that waits for what is missing before it has not moved.
    moved = streaming.take(delta);
    // The withdrawal before it was not heard: the rows have it.
    if (delta.epoch > streaming.epoch) void fill();
  }

  /** Whether text that was there when this was logged is not known here. */
  function lacksText({ at, type }: LoggedEvent): boolean {
    return at !== null && type !== 'MessageTruncated' && at.messageId === streaming?.messageId && !streaming.reaches(at);
  }

  function take(event: LoggedEvent): void {
    lastSequence = event.sequence;
    ring.push(event);
    const messageId = event.payload['messageId'] as string | undefined;
    if (event.type === 'MessageCreated' && event.payload['streaming'] === true && messageId) {
      streaming = createDraft(messageId);
      drafts.set(messageId, streaming);
    }
    if (messageId && messageId === streaming?.messageId) {
      if (event.type === 'ToolCallUpdated') streaming.open(event.payload['blockIndex'] as number, 'TOOL_CALL');
      if (event.type === 'MessageTruncated') streaming.withdraw({ ...(event.payload as unknown as TextPosition), sequence: event.sequence });
      if (event.type === 'MessageCompleted' || event.type === 'MessageDeleted') streaming = null;
    }
    if (event.type === 'MessageDeleted') forget(messageId as string);
    while (ring.length > ringSize) {
      const gone = ring.shift() as LoggedEvent;
      if (gone.type === 'MessageCompleted' || gone.type === 'MessageDeleted') drafts.delete(gone.payload['messageId'] as string);
    }
  }

  /** As the rows do: what spoke of a message that is gone becomes another MessageDeleted. */
  function forget(messageId: string): void {
    for (const [index, event] of ring.entries()) {
      if (event.payload['messageId'] === messageId) ring[index] = { ...event, type: 'MessageDeleted', payload: { messageId } };
    }
    drafts.delete(messageId);
  }

  /** Reads from rows what messages did not bring. One at a time. */
  function fill(): Promise<void> {
    filling ??= (async () => {
      try {
        for (;;) {
          const events = await readEvents(app, sessionId, lastSequence, ringSize);
          for (const event of events) {
            // Text is saved with every event that it belongs before.
            if (lacksText(event)) streaming?.load(await readMessageText(app, streaming.messageId));
            if (event.sequence === lastSequence + 1) take(event);
          }
          if (events.length === ringSize) continue;
          if (!streaming) break;
          const saved = await readMessageText(app, streaming.messageId);
          load(streaming.messageId, saved);
          // Else something was withdrawn meanwhile, whose event must be read first.
          if (epochOf(saved) <= lastSequence) break;
        }
      } catch (error) {
        app.log.error({ err: error, sessionId }, 'a tail could not read its rows');
      } finally {
        filling = null;
      }
      wake();
    })();
    return filling;
  }

  function load(messageId: string, saved: MessageText): void {
    if (streaming?.messageId === messageId) streaming.load(saved);
  }

  const unsubscribe = await app.bus.subscribe(sessionStream, sessionId, receive);
  const close = async (): Promise<void> => {
    typists.close();
    await unsubscribe();
  };
  try {
    for (;;) {
      const state = await readState(app, sessionId);
      if (!state) {
        await close();
        return null;
      }
      const { messageId } = state;
      const saved = messageId === null ? noText : await readMessageText(app, messageId);
      // Else something was withdrawn between the two statements, and the log that we know does not say so.
      if (epochOf(saved) > state.lastSequence) continue;
      ({ lastSequence, clearedSequence } = state);
      if (messageId !== null) drafts.set(messageId, (streaming = createDraft(messageId, saved)));
      break;
    }
  } catch (error) {
    await close();
    throw error;
  }
  const missed = early;
  early = null;
  for (const message of missed) receive(message);

  return {
    sessionId,
    get lastSequence() {
      return lastSequence;
    },
    get clearedSequence() {
      return clearedSequence;
    },
    end: () => endOf(lastSequence, streaming?.messageId ?? null, streaming?.blocks ?? []),
    draft: () => streaming,
    step(position) {
      const firstKept = lastSequence - ring.length + 1;
      if (position.sequence + 1 < firstKept) return undefined;
      const text = position.messageId === null ? noText : drafts.get(position.messageId);
      if (!text) return undefined;
      return walk(position, ring[position.sequence + 1 - firstKept], text);
    },
    typists,
    get deleted() {
      return deleted;
    },
    listen(on) {
      listeners.add(on);
      return () => void listeners.delete(on);
    },
    compare(row) {
      if (!row) {
        deleted = true;
        return wake();
      }
      clear(row.clearedSequence);
      if (row.lastSequence > lastSequence) void fill();
    },
    quiet() {
      const asleep = streaming && !moved ? streaming.messageId : null;
      moved = false;
      return asleep;
    },
    load(messageId, saved) {
      load(messageId, saved);
      wake();
    },
    close,
  };
}

/** As the row is now, with the id of the message that streams. */
async function readState(app: App, sessionId: string): Promise<(SessionState & { messageId: string | null }) | undefined> {
  return await kysely(app.database.fork(), ChatSession, Message)
    .selectFrom('chat_session')
    .leftJoin('message', (join) => join.onRef('message.sessionId', '=', 'chat_session.id').on('message.status', 'in', ['STREAMING', 'INTERRUPTED']))
    .select(['chat_session.lastSequence', 'chat_session.clearedSequence', 'message.id as messageId'])
    .where('chat_session.id', '=', sessionId)
    .executeTakeFirst();
}
