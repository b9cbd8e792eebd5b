// The text of one message as one instance knows it: deltas as they arrive, and the saved draft for those that did not.
// Messages between instances may be lost, repeated or late; what stands here is always a true beginning of the text.
// Pure: no I/O, no clock.
import type { BlockKind } from './entity.ts';
import type { Block } from './walk.ts';

/** A piece of text on its way: where it belongs, and which attempt at the run wrote it. */
export interface DeltaMessage {
  readonly messageId: string;
  readonly attempt: number;
  readonly blockIndex: number;
  readonly kind: BlockKind;
  /** UTF-16 units of the blocks before this one. */
  readonly start: number;
  /** UTF-16 units of the block before this piece. */
  readonly offset: number;
  readonly text: string;
}

/** A place in a message's text. */
export interface TextPosition {
  readonly blockIndex: number;
  readonly offset: number;
}

/** A message's text so far. */
export interface Draft {
  readonly messageId: string;
  readonly attempt: number;
  readonly blocks: readonly Block[];
  /** Adds a piece; false when something before it is missing: it is kept until `load` has brought that. */
  take(delta: DeltaMessage): boolean;
  /** Takes over the saved text where it goes further. */
  load(saved: readonly Block[]): void;
  /** Withdraws what stands after the position; from now on `attempt` writes. */
  truncate(to: TextPosition, attempt: number): void;
  /** Whether the text reaches as far as the position. */
  reaches(position: TextPosition): boolean;
}

/** Pieces kept that wait for what is missing before them; beyond it the saved draft has to bring them, too. */
const maxWaiting = 4096;

/** The draft of a message of which `saved` is known. */
export function createDraft(messageId: string, attempt: number, saved: readonly Block[] = []): Draft {
  let blocks: Block[] = [...saved];
  let current = attempt;
  let waiting: DeltaMessage[] = [];

  function join(delta: DeltaMessage): boolean {
    if (delta.attempt < current) return true;
    if (delta.attempt > current || delta.start + delta.offset > length(blocks)) return false;
    const text = blocks[delta.blockIndex]?.text ?? '';
    const fresh = delta.text.slice(text.length - delta.offset);
    if (fresh !== '' && text.length >= delta.offset) blocks[delta.blockIndex] = { kind: delta.kind, text: text + fresh };
    return true;
  }

  /** What waited may fit now. */
  function joinWaiting(): void {
    if (waiting.length > 0) waiting = waiting.filter((delta) => !join(delta));
  }

  return {
    messageId,
    get attempt() {
      return current;
    },
    get blocks() {
      return blocks;
    },
    take(delta) {
      if (join(delta)) {
        joinWaiting();
        return true;
      }
      waiting.push(delta);
      if (waiting.length > maxWaiting) waiting.shift();
      return false;
    },
    load(saved) {
      if (length(saved) > length(blocks)) blocks = [...saved];
      joinWaiting();
    },
    truncate({ blockIndex, offset }, attempt) {
      const cut = blocks[blockIndex];
      blocks = blocks.slice(0, blockIndex);
      if (cut) blocks.push({ kind: cut.kind, text: cut.text.slice(0, offset) });
      current = Math.max(current, attempt);
      joinWaiting();
    },
    reaches({ blockIndex, offset }) {
      return blocks.length - 1 > blockIndex || (blocks[blockIndex]?.text.length ?? 0) >= offset;
    },
  };
}

function length(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.text.length, 0);
}
