// The text of one message as one instance knows it: deltas as they arrive, and the saved draft for those that did not.
// Messages between instances may be lost, repeated or late; what stands here is always a true beginning of the text as it
// read between two withdrawals.
// Pure: no I/O, no clock.
import type { BlockKind } from './entity.ts';
import { commonEnd, cut, epochOf, noText, unitsOf, type Block, type MessageText, type TextPosition, type Withdrawal } from './walk.ts';

/** A piece of text on its way: where it belongs, and in which epoch of the text. */
export interface DeltaMessage {
  readonly messageId: string;
  readonly epoch: number;
  readonly blockIndex: number;
  readonly kind: BlockKind;
  /** UTF-16 units of the blocks before this one. */
  readonly start: number;
  /** UTF-16 units of the block before this piece. */
  readonly offset: number;
  readonly text: string;
}

/** A message's text so far. */
export interface Draft extends MessageText {
  readonly messageId: string;
  readonly epoch: number;
  /** Adds a piece; false when something before it is missing: it is kept until `load` or `withdraw` has brought that. */
  take(delta: DeltaMessage): boolean;
  /** Puts a block without text at this place. */
  open(blockIndex: number, kind: BlockKind): void;
  /** Takes over saved text where it goes further; of a later epoch only what was not withdrawn in between. */
  load(saved: MessageText): void;
  /** Withdraws what stands after a place, and begins another epoch. */
  withdraw(withdrawal: Withdrawal): void;
  /** Whether the text reaches as far as the place. */
  reaches(position: TextPosition): boolean;
}

/** Pieces kept that wait for what is missing before them; beyond it the saved draft has to bring them, too. */
const maxWaiting = 4096;

/** The draft of a message of which `saved` is known. */
export function createDraft(messageId: string, saved: MessageText = noText): Draft {
  let blocks: Block[] = [...saved.blocks];
  const withdrawals = [...saved.withdrawals];
  let epoch = epochOf(saved);
  let waiting: DeltaMessage[] = [];

  function join(delta: DeltaMessage): boolean {
    if (delta.epoch < epoch) return true;
    if (delta.epoch > epoch || delta.start + delta.offset > unitsOf(blocks) || delta.blockIndex > blocks.length) return false;
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
    withdrawals,
    get epoch() {
      return epoch;
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
    open(blockIndex, kind) {
      if (blockIndex <= blocks.length && !blocks[blockIndex]?.text) blocks[blockIndex] = { kind, text: '' };
      joinWaiting();
    },
    load(saved) {
      if (epochOf(saved) < epoch) return;
      const end = commonEnd(epoch, saved);
      const known = end ? cut(saved.blocks, end) : [...saved.blocks];
      if (unitsOf(known) > unitsOf(blocks) || known.length > blocks.length) blocks = known;
      joinWaiting();
    },
    withdraw({ sequence, blockIndex, offset }) {
      // Saved text may have come with it.
      if (sequence <= epoch) return;
      blocks = cut(blocks, { blockIndex, offset });
      withdrawals.push({ sequence, blockIndex, offset });
      epoch = sequence;
      joinWaiting();
    },
    reaches: ({ blockIndex, offset }) => blocks.length - 1 > blockIndex || (blocks[blockIndex]?.text.length ?? 0) >= offset,
  };
}
