// A reader of a session's stream: a position that walks the log. It replays what was missed from rows, says that it has
// caught up, and goes on live from the tail; the consumer pulls, so a slow one holds nothing but its position.
import type { App } from '../context.ts';
import { encodeCursor, origin, type Position } from './cursor.ts';
import { readEvents } from './events.ts';
import { readMessageText } from './messages.ts';
import type { Tail } from './tail.ts';
import type { Typing } from './typing.ts';
import { noText, walk, type Block, type Delta, type LoggedEvent, type MessageText, type Step } from './walk.ts';

/** Logged events read from rows at once. */
const pageSize = 100;

/** What a reader yields; `cursor` names the position after it. */
export type StreamItem =
  | { readonly kind: 'event'; readonly event: LoggedEvent; readonly cursor: string; readonly replayed: boolean }
  | { readonly kind: 'delta'; readonly delta: Delta; readonly sequence: number; readonly cursor: string; readonly replayed: boolean; readonly occurredAt: Date }
  | { readonly kind: 'typing'; readonly typing: Typing }
  | { readonly kind: 'caughtUp'; readonly cursor: string; readonly replayedCount: number }
  | { readonly kind: 'reset'; readonly cursor: string; readonly reason: 'CURSOR_EXPIRED' | 'SLOW_CONSUMER'; readonly messageId: string | null; readonly blocks: readonly Block[] };

export interface FollowOptions {
  readonly app: App;
  readonly tail: Tail;
  /** Called once, when the reader ends. */
  readonly release: () => Promise<void>;
  /** Where to go on; null starts at the live end, with the text so far of a streaming message. */
  readonly after: Position | null;
  /** Asked before each logged event that may end access; rejects to end the stream with that error. */
  readonly assertAccess: (event: LoggedEvent) => Promise<void> | null;
}

/** Follows a session. Closing it (return) ends a waiting `next`, also before the first one. */
export function follow({ app, tail, release, after, assertAccess }: FollowOptions): AsyncIterableIterator<StreamItem> {
  const window = app.config.limits.replayWindowEvents;
  const target = tail.end();
  let position = after ?? startOf(target);
  let expired = after !== null && (after.sequence < tail.clearedSequence || after.sequence > target.sequence || target.sequence - after.sequence > window);
  let caughtUp = false;
  let replayedCount = 0;
  let typingVersion = 0;
  let typing: Typing[] = [];
  let page: LoggedEvent[] = [];
  let ended: { readonly messageId: string; readonly text: MessageText } | null = null;
  let open = true;
  let wake: (() => void) | null = null;
  const unlisten = tail.listen(() => wake?.());

  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    wake?.();
    unlisten();
    await release();
  };

  /** The next step, from memory where it can be, else from rows. */
  async function step(): Promise<Step | null> {
    const fromMemory = tail.step(position);
    if (fromMemory !== undefined) {
      page = [];
      return fromMemory;
    }
    while ((page[0]?.sequence ?? Infinity) <= position.sequence) page.shift();
    if (page.length === 0) page = await readEvents(app, tail.sessionId, position.sequence, pageSize);
    return walk(position, page[0], await textAt(position.messageId));
  }

  async function textAt(messageId: string | null): Promise<MessageText> {
    if (messageId === null) return noText;
    const draft = tail.draft();
    if (draft?.messageId === messageId) return draft;
    // Ended messages do not change: what was read once holds for the rest of the replay.
    if (ended?.messageId !== messageId) ended = { messageId, text: await readMessageText(app, messageId) };
    return ended.text;
  }

  function reset(reason: 'CURSOR_EXPIRED' | 'SLOW_CONSUMER'): StreamItem {
    expired = false;
    position = tail.end();
    const draft = tail.draft();
    return { kind: 'reset', cursor: encodeCursor(tail.sessionId, position), reason, messageId: draft?.messageId ?? null, blocks: draft?.blocks ?? [] };
  }

  async function produce(): Promise<StreamItem | null> {
    while (open) {
      if (tail.deleted) return null;
      if (expired || position.sequence < tail.clearedSequence) return reset('CURSOR_EXPIRED');
      if (caughtUp && tail.lastSequence - position.sequence > window) return reset('SLOW_CONSUMER');
      const already = typing.shift();
      if (already) return { kind: 'typing', typing: already };
      const changed = caughtUp ? tail.typists.after(typingVersion) : null;
      if (changed) {
        typingVersion = changed.version;
        return { kind: 'typing', typing: changed.typing };
      }
      if (!caughtUp && reached(position, target)) return catchUp();
      const next = await step();
      if (next) return await deliver(next);
      if (!caughtUp) return catchUp();
      await new Promise<void>((resolve) => {
        wake = resolve;
        // Something may have come while rows were read.
        if (!open || tail.deleted || tail.step(position) !== null || tail.typists.version > typingVersion) resolve();
      });
      wake = null;
    }
    return null;
  }

  function catchUp(): StreamItem {
    caughtUp = true;
    typing = [...tail.typists.now()];
    typingVersion = tail.typists.version;
    return { kind: 'caughtUp', cursor: encodeCursor(tail.sessionId, position), replayedCount };
  }

  async function deliver(next: Step): Promise<StreamItem> {
    if (next.kind === 'event') await assertAccess(next.event);
    position = next.position;
    const replayed = !caughtUp;
    if (replayed) replayedCount++;
    const cursor = encodeCursor(tail.sessionId, position);
    return next.kind === 'event'
      ? { kind: 'event', event: next.event, cursor, replayed }
      : { kind: 'delta', delta: next.delta, sequence: position.sequence, cursor, replayed, occurredAt: new Date() };
  }

  const reader: AsyncIterableIterator<StreamItem> = {
    async next() {
      try {
        const value = await produce();
        if (value) return { value, done: false };
      } catch (error) {
        await close();
        throw error;
      }
      await close();
      return { value: undefined, done: true };
    },
    async return() {
      await close();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => reader,
  };
  return reader;
}

/** The live end, but before the text of the message that streams there. */
function startOf(end: Position): Position {
  return end.messageId === null ? end : { ...origin, sequence: end.sequence, messageId: end.messageId };
}

function reached(position: Position, target: Position): boolean {
  if (position.sequence !== target.sequence) return position.sequence > target.sequence;
  if (target.messageId === null || position.messageId !== target.messageId) return true;
  return position.blockIndex > target.blockIndex || (position.blockIndex === target.blockIndex && position.offset >= target.offset);
}
