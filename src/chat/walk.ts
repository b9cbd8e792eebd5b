// The streaming protocol's one algorithm: what a reader at a position gets next. Replay from rows and live delivery from
// memory walk the same way, so a stream that was interrupted anywhere adds up to the same events and the same text.
// Pure: no I/O, no clock.
import type { BlockKind } from './entity.ts';
import type { Position } from './cursor.ts';

/** A block of a message's text as far as it is known. */
export interface Block {
  readonly kind: BlockKind;
  readonly text: string;
}

/** An entry of a session's log. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** How far the streaming message's text stood when this was logged; null when none was streaming. */
  readonly at: { readonly messageId: string; readonly blockIndex: number; readonly offset: number } | null;
  readonly occurredAt: Date;
}

/** A range of a block's text. */
export interface Delta {
  readonly messageId: string;
  readonly blockIndex: number;
  readonly kind: BlockKind;
  readonly offset: number;
  readonly text: string;
}

export type Step =
  | { readonly kind: 'event'; readonly event: LoggedEvent; readonly position: Position }
  | { readonly kind: 'delta'; readonly delta: Delta; readonly position: Position };

/**
 * The next step of a reader at `position`: `next` is the logged event after it, if there is one; `blocks` is the text
 * known of the message that streams at the position. Null when there is nothing yet.
 */
export function walk(position: Position, next: LoggedEvent | undefined, blocks: readonly Block[]): Step | null {
  const delta = position.messageId === null ? null : nextDelta(position, blocks, textBefore(next, position.messageId));
  if (delta) {
    return { kind: 'delta', delta, position: { ...position, blockIndex: delta.blockIndex, offset: delta.offset + delta.text.length } };
  }
  return next ? { kind: 'event', event: next, position: after(position, next) } : null;
}

/** Where a reader stands that has all of a log up to `sequence` and of the text of the message that streams there. */
export function endOf(sequence: number, messageId: string | null, blocks: readonly Block[]): Position {
  const last = Math.max(0, blocks.length - 1);
  return messageId === null
    ? { sequence, messageId, blockIndex: 0, offset: 0 }
    : { sequence, messageId, blockIndex: last, offset: blocks[last]?.text.length ?? 0 };
}

/** How much text belongs before `next`: all of it before the end and when nothing is logged yet, none before a withdrawal. */
function textBefore(next: LoggedEvent | undefined, messageId: string): { blockIndex: number; offset: number } {
  const all = { blockIndex: Number.MAX_SAFE_INTEGER, offset: 0 };
  if (!next) return all;
  if (next.type === 'MessageCompleted' && next.payload['messageId'] === messageId) return all;
  if (next.type === 'MessageTruncated' || next.at?.messageId !== messageId) return { blockIndex: 0, offset: 0 };
  return next.at;
}

function nextDelta(position: Position, blocks: readonly Block[], limit: { blockIndex: number; offset: number }): Delta | null {
  for (let blockIndex = position.blockIndex; blockIndex < blocks.length && blockIndex <= limit.blockIndex; blockIndex++) {
    const block = blocks[blockIndex] as Block;
    const offset = blockIndex === position.blockIndex ? position.offset : 0;
    const end = blockIndex === limit.blockIndex ? Math.min(limit.offset, block.text.length) : block.text.length;
    if (end > offset) return { messageId: position.messageId as string, blockIndex, kind: block.kind, offset, text: block.text.slice(offset, end) };
  }
  return null;
}

function after(position: Position, { sequence, type, payload }: LoggedEvent): Position {
  const messageId = payload['messageId'] as string | undefined;
  if (type === 'MessageCreated' && payload['streaming'] === true) return { sequence, messageId: messageId as string, blockIndex: 0, offset: 0 };
  if (messageId === undefined || messageId !== position.messageId) return { ...position, sequence };
  if (type === 'MessageCompleted' || type === 'MessageDeleted') return { sequence, messageId: null, blockIndex: 0, offset: 0 };
  if (type === 'MessageTruncated') {
    const blockIndex = payload['blockIndex'] as number;
    const offset = payload['offset'] as number;
    if (position.blockIndex > blockIndex || (position.blockIndex === blockIndex && position.offset > offset)) return { sequence, messageId, blockIndex, offset };
  }
  return { ...position, sequence };
}
