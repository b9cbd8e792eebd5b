// The streaming protocol's one algorithm: what a reader at a position gets next. Replay from rows and live delivery from
// memory walk the same way, so a stream that was interrupted anywhere adds up to the same events and the same text.
// Pure: no I/O, no clock.
import type { BlockKind } from './entity.ts';
import type { Position } from './cursor.ts';

/** A block of a message as far as it is known; a call of a tool has no text. */
export interface Block {
  readonly kind: BlockKind;
  readonly text: string;
}

/** A place in a message's text: UTF-16 units of one of its blocks. */
export interface TextPosition {
  readonly blockIndex: number;
  readonly offset: number;
}

/** That text after a place no longer holds, since the event of this number. */
export interface Withdrawal extends TextPosition {
  readonly sequence: number;
}

/** A message's text as far as it is known, and what was withdrawn of it before it came to read so, in order. */
export interface MessageText {
  readonly blocks: readonly Block[];
  readonly withdrawals: readonly Withdrawal[];
}

/** Text before anything is written. */
export const noText: MessageText = { blocks: [], withdrawals: [] };

/** UTF-16 units of all blocks. */
export function unitsOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { text }) => sum + text.length, 0);
}

/** Names the text between two withdrawals, within which it only grows: the number of the event that began it, 0 for the first. */
export function epochOf({ withdrawals }: Pick<MessageText, 'withdrawals'>): number {
  return withdrawals.at(-1)?.sequence ?? 0;
}

/** The blocks as far as a place, which stands before a call of a tool that has its index. */
export function cut(blocks: readonly Block[], { blockIndex, offset }: TextPosition): Block[] {
  const last = blocks[blockIndex];
  const kept = blocks.slice(0, blockIndex);
  return last && last.kind !== 'TOOL_CALL' ? [...kept, { kind: last.kind, text: last.text.slice(0, offset) }] : kept;
}

/** The place after all blocks: where a call of a tool stands nothing can be written on, so that what follows begins a block. */
export function textEnd(blocks: readonly Block[]): TextPosition {
  const last = blocks.at(-1);
  return last && last.kind !== 'TOOL_CALL' ? { blockIndex: blocks.length - 1, offset: last.text.length } : { blockIndex: blocks.length, offset: 0 };
}

/** How far a text of this epoch and a later one are the same; null for as far as it goes. */
export function commonEnd(epoch: number, { withdrawals }: Pick<MessageText, 'withdrawals'>): TextPosition | null {
  let end: TextPosition | null = null;
  for (const withdrawal of withdrawals) if (withdrawal.sequence > epoch && (end === null || isBefore(withdrawal, end))) end = withdrawal;
  return end;
}

/** Whether one place comes before another. */
export function isBefore(one: TextPosition, other: TextPosition): boolean {
  return one.blockIndex < other.blockIndex || (one.blockIndex === other.blockIndex && one.offset < other.offset);
}

/** An entry of a session's log. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** How far the streaming message's text stood when this was logged; null when none was streaming. */
  readonly at: ({ readonly messageId: string } & TextPosition) | null;
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
 * The next step of a reader at `position`: `next` is the logged event after it, if there is one; `text` is what is known
 * of the message that streams at the position, no older than the position. Null when there is nothing yet.
 */
export function walk(position: Position, next: LoggedEvent | undefined, text: MessageText): Step | null {
  const delta = position.messageId === null ? null : nextDelta(position, text.blocks, limitAt(position.sequence, textBefore(next, position.messageId), text));
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

/** Before a withdrawal the text of after it is not there yet, except what it kept. */
function limitAt(sequence: number, limit: TextPosition, text: MessageText): TextPosition {
  const common = commonEnd(sequence, text);
  return common && isBefore(common, limit) ? common : limit;
}

/** How much text belongs before `next`: all of it before the end and when nothing is logged yet, none before a withdrawal. */
function textBefore(next: LoggedEvent | undefined, messageId: string): TextPosition {
  const all = { blockIndex: Number.MAX_SAFE_INTEGER, offset: 0 };
  if (!next) return all;
  if (next.type === 'MessageCompleted' && next.payload['messageId'] === messageId) return all;
  if (next.type === 'MessageTruncated' || next.at?.messageId !== messageId) return { blockIndex: 0, offset: 0 };
  return next.at;
}

function nextDelta(position: Position, blocks: readonly Block[], limit: TextPosition): Delta | null {
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
    const { blockIndex, offset } = payload as unknown as TextPosition;
    if (isBefore({ blockIndex, offset }, position)) return { sequence, messageId, blockIndex, offset };
  }
  return { ...position, sequence };
}
