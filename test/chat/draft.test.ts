import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDraft, type DeltaMessage } from '../../src/chat/draft.ts';
import type { Block } from '../../src/chat/walk.ts';

const messageId = 'm';

/** A text of some blocks, written piece by piece: the pieces, and what stood after each. */
const written = fc
  .array(fc.record({ kind: fc.constantFrom('TEXT' as const, 'REASONING' as const), text: fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }) }), { minLength: 1, maxLength: 30 })
  .map((pieces) => {
    const blocks: Block[] = [];
    return pieces.map(({ kind, text }): { delta: DeltaMessage; after: Block[] } => {
      if (blocks.at(-1)?.kind !== kind) blocks.push({ kind, text: '' });
      const blockIndex = blocks.length - 1;
      const before = blocks[blockIndex] as Block;
      const start = blocks.slice(0, -1).reduce((sum, block) => sum + block.text.length, 0);
      blocks[blockIndex] = { kind, text: before.text + text };
      return { delta: { messageId, attempt: 1, blockIndex, kind, start, offset: before.text.length, text }, after: [...blocks] };
    });
  });

const flat = (blocks: readonly Block[]): string => blocks.map(({ kind, text }) => `${kind}:${text}`).join('|');

it('what a draft holds is a true beginning of the text, whatever deltas are lost, repeated or late; with the saved text it is all of it', () => {
  fc.assert(
    fc.property(written, fc.array(fc.nat(29), { maxLength: 60 }), fc.nat(29), (pieces, heard, savedAt) => {
      const whole = pieces.at(-1)!.after;
      const draft = createDraft(messageId, 1);
      const isBeginning = (): boolean => draft.blocks.every((block, index) => {
        const { kind, text } = whole[index] as Block;
        return block.kind === kind && (index < draft.blocks.length - 1 ? block.text === text : text.startsWith(block.text));
      });
      for (const index of heard) {
        draft.take(pieces[index % pieces.length]!.delta);
        expect(isBeginning()).toBe(true);
      }
      draft.load(pieces[savedAt % pieces.length]!.after);
      expect(isBeginning()).toBe(true);
      // From here on every delta arrives: with the saved draft nothing is missing.
      for (const { delta } of pieces.slice(savedAt % pieces.length)) draft.take(delta);
      expect(flat(draft.blocks)).toBe(flat(whole));
    }),
    { numRuns: 2000 },
  );
});

it('deltas that come after a hole wait for the saved text, and stand once it is there', () => {
  const delta = (offset: number, text: string, attempt = 1): DeltaMessage => ({ messageId, attempt, blockIndex: 0, kind: 'TEXT', start: 0, offset, text });
  const draft = createDraft(messageId, 1);
  expect(draft.take(delta(0, 'one '))).toBe(true);
  expect(draft.take(delta(8, 'three '))).toBe(false);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'one ' }]);
  draft.load([{ kind: 'TEXT', text: 'one two ' }]);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'one two three ' }]);
});

it('deltas of an earlier attempt are dropped, those of a later one wait for the withdrawal', () => {
  const delta = (offset: number, text: string, attempt: number): DeltaMessage => ({ messageId, attempt, blockIndex: 0, kind: 'TEXT', start: 0, offset, text });
  const draft = createDraft(messageId, 1);
  draft.take(delta(0, 'kept, broken', 1));
  expect(draft.take(delta(5, 'whole', 2))).toBe(false);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept, broken' }]);
  draft.truncate({ blockIndex: 0, offset: 5 }, 2);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,whole' }]);
  draft.take(delta(12, ' and more', 1));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,whole' }]);
});
