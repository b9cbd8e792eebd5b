// A tail: what one instance knows of the live end of one session. It feeds every local reader, who only keeps a position,
// so that nothing grows per reader and a reader that stops reading costs nothing. Memory: a bounded ring of logged events
// and the texts of the messages that end within it.
import type { App } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { ChatSession, Message, Run } from './entity.ts';
import { readEvents, sessionStream, type StreamMessage } from './events.ts';
import { readBlocks } from './messages.ts';
import { createTypists, type Typists } from './typing.ts';
import { walk, endOf, type Block, type LoggedEvent, type Step } from './walk.ts';
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
  draft(): { readonly messageId: string; readonly blocks: readonly Block[] } | null;
  /** The next step after a position, `undefined` when it lies behind this memory, null when there is nothing yet. */
  step(position: Position): Step | null | undefined;
  /** Who is typing. */
  readonly typists: Omit<Typists, 'set' | 'close'>;
  readonly deleted: boolean;
  /** Calls `on` after every change; returns its own ending. */
  listen(on: () => void): () => void;
}

/** The tails of this instance; each is open as long as somebody holds it. */
export interface Tails {
  /** Opens or shares the session's tail; null when there is no such session. `release` it once. */
  hold(sessionId: string): Promise<{ readonly tail: Tail; release(): Promise<void> } | null>;
  peek(sessionId: string): Tail | undefined;
}

declare module '../context.ts' {
  interface App {
    readonly tails: Tails;
  }
}

/** No tails yet. */
export function createTails(app: () => App): Tails {
  const open = new Map<string, { holders: number; opening: Promise<OpenTail | null>; tail?: OpenTail | null }>();
  return {
    peek: (sessionId) => open.get(sessionId)?.tail ?? undefined,
    async hold(sessionId) {
      const entry = open.get(sessionId) ?? { holders: 0, opening: openTail(app(), sessionId) };
      open.set(sessionId, entry);
      entry.holders++;
      let released = false;
      const release = async (): Promise<void> => {
        if (released) return;
        released = true;
        if (--entry.holders > 0) return;
        if (open.get(sessionId) === entry) open.delete(sessionId);
        await entry.tail?.close();
      };
      try {
        entry.tail = await entry.opening;
      } catch (error) {
        await release();
        throw error;
      }
      if (entry.tail) return { tail: entry.tail, release };
      await release();
      return null;
    },
  };
}

type OpenTail = Tail & { close(): Promise<void> };

async function openTail(app: App, sessionId: string): Promise<OpenTail | null> {
  const ring: LoggedEvent[] = [];
  const texts = new Map<string, Block[]>();
  const listeners = new Set<() => void>();
  let lastSequence = 0;
  let clearedSequence = 0;
  let streaming: { messageId: string; attempt: number } | null = null;
  let deleted = false;
  let filling: Promise<void> | null = null;
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
    clearedSequence = sequence;
    ring.length = 0;
    texts.clear();
    streaming = null;
    lastSequence = Math.max(lastSequence, sequence);
  }

  function receiveEvents(events: readonly LoggedEvent[]): void {
    for (const event of events) {
      if (event.sequence <= lastSequence) continue;
      // A hole: an announcement was lost or overtaken. The rows have it.
      if (event.sequence > lastSequence + 1) return void fill();
      take(event);
    }
  }

  function take(event: LoggedEvent): void {
    lastSequence = event.sequence;
    ring.push(event);
    const messageId = event.payload['messageId'] as string | undefined;
    if (event.type === 'MessageCreated' && event.payload['streaming'] === true && messageId) {
      streaming = { messageId, attempt: 1 };
      texts.set(messageId, texts.get(messageId) ?? []);
    }
    if (messageId && messageId === streaming?.messageId) {
      if (event.type === 'MessageTruncated') truncate(messageId, event.payload);
      if (event.type === 'MessageCompleted' || event.type === 'MessageDeleted') streaming = null;
    }
    if (event.type === 'MessageDeleted') forget(messageId as string);
    while (ring.length > ringSize) {
      const gone = ring.shift() as LoggedEvent;
      if (gone.type === 'MessageCompleted' || gone.type === 'MessageDeleted') texts.delete(gone.payload['messageId'] as string);
    }
  }

  /** As the rows do: what spoke of a message that is gone becomes another MessageDeleted. */
  function forget(messageId: string): void {
    for (const [index, event] of ring.entries()) {
      if (event.payload['messageId'] === messageId) ring[index] = { ...event, type: 'MessageDeleted', payload: { messageId } };
    }
    texts.delete(messageId);
  }

  function truncate(messageId: string, payload: LoggedEvent['payload']): void {
    const blocks = texts.get(messageId) ?? [];
    const blockIndex = payload['blockIndex'] as number;
    const kept = blocks.slice(0, blockIndex);
    const cut = blocks[blockIndex];
    if (cut) kept.push({ kind: cut.kind, text: cut.text.slice(0, payload['offset'] as number) });
    texts.set(messageId, kept);
    if (streaming) streaming.attempt = (payload['attempt'] as number | undefined) ?? streaming.attempt;
  }

  function receiveDelta(delta: Extract<StreamMessage, { type: 'delta' }>): void {
    if (delta.messageId !== streaming?.messageId || delta.attempt < streaming.attempt) return;
    // A new attempt whose withdrawal of the old text was not heard: the rows have it.
    if (delta.attempt > streaming.attempt) return void fill();
    const blocks = texts.get(delta.messageId) as Block[];
    while (blocks.length <= delta.blockIndex) blocks.push({ kind: delta.kind, text: '' });
    const { text } = blocks[delta.blockIndex] as Block;
    // A hole in the text: the saved draft has it, or will have it within its saving interval.
    if (delta.offset > text.length) return void fill();
    const fresh = delta.text.slice(text.length - delta.offset);
    if (fresh !== '') blocks[delta.blockIndex] = { kind: delta.kind, text: text + fresh };
  }

  /** Reads from rows what messages did not bring. One at a time. */
  function fill(): Promise<void> {
    filling ??= (async () => {
      try {
        for (;;) {
          const events = await readEvents(app, sessionId, lastSequence, ringSize);
          for (const event of events) if (event.sequence === lastSequence + 1) take(event);
          if (events.length < ringSize) break;
        }
        if (streaming) await loadDraft(streaming.messageId);
      } catch (error) {
        app.log.error({ err: error, sessionId }, 'a tail could not read its rows');
      } finally {
        filling = null;
      }
      wake();
    })();
    return filling;
  }

  async function loadDraft(messageId: string): Promise<void> {
    const saved = await readBlocks(app, messageId);
    const known = texts.get(messageId) ?? [];
    texts.set(messageId, saved.map((block, index) => ((known[index]?.text.length ?? 0) > block.text.length ? (known[index] as Block) : block)));
  }

  const unsubscribe = await app.bus.subscribe(sessionStream, sessionId, receive);
  const close = async (): Promise<void> => {
    typists.close();
    await unsubscribe();
  };
  try {
    const state = await readState(app, sessionId);
    if (!state) {
      await close();
      return null;
    }
    ({ lastSequence, clearedSequence } = state);
    if (state.streaming) {
      streaming = { messageId: state.streaming.messageId, attempt: state.streaming.attempt };
      texts.set(streaming.messageId, await readBlocks(app, streaming.messageId));
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
    end: () => endOf(lastSequence, streaming?.messageId ?? null, streaming ? (texts.get(streaming.messageId) ?? []) : []),
    draft: () => streaming && { messageId: streaming.messageId, blocks: texts.get(streaming.messageId) ?? [] },
    step(position) {
      const firstKept = lastSequence - ring.length + 1;
      if (position.sequence + 1 < firstKept) return undefined;
      const blocks = position.messageId === null ? [] : texts.get(position.messageId);
      if (!blocks) return undefined;
      return walk(position, ring[position.sequence + 1 - firstKept], blocks);
    },
    typists,
    get deleted() {
      return deleted;
    },
    listen(on) {
      listeners.add(on);
      return () => void listeners.delete(on);
    },
    close,
  };
}

async function readState(app: App, sessionId: string): Promise<{ lastSequence: number; clearedSequence: number; streaming: { messageId: string; attempt: number } | null } | null> {
  const row = await kysely(app.database.fork(), ChatSession, Message, Run)
    .selectFrom('chat_session')
    .leftJoin('message', (join) => join.onRef('message.sessionId', '=', 'chat_session.id').on('message.status', '=', 'STREAMING'))
    .leftJoin('run', 'run.id', 'message.runId')
    .select(['chat_session.lastSequence', 'chat_session.clearedSequence', 'message.id as messageId', 'run.attempt as attempt'])
    .where('chat_session.id', '=', sessionId)
    .executeTakeFirst();
  if (!row) return null;
  return { lastSequence: row.lastSequence, clearedSequence: row.clearedSequence, streaming: row.messageId ? { messageId: row.messageId, attempt: row.attempt ?? 1 } : null };
}
