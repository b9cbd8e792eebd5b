import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDraft, type DeltaMessage, type Draft } from '../../src/chat/draft.ts';
import { cut, type Block, type MessageText, type Withdrawal } from '../../src/chat/walk.ts';

const messageId = 'm';

/** What a writer did: said a piece, or withdrew; and how the text then was saved. */
type Written = ({ readonly type: 'delta'; readonly delta: DeltaMessage } | { readonly type: 'withdrawal'; readonly withdrawal: Withdrawal }) & { readonly saved: MessageText };

/** A text of some blocks, written piece by piece and withdrawn now and then. */
const written = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('TEXT' as const, 'REASONING' as const), text: fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }) }) },
      // To its beginning, or to somewhere within it; what follows may begin as what was withdrawn.
      { weight: 1, arbitrary: fc.record({ to: fc.oneof(fc.constant(0), fc.nat(50)), again: fc.boolean() }) },
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((pieces): Written[] => {
    let blocks: Block[] = [{ kind: 'TEXT', text: '' }];
    const withdrawals: Withdrawal[] = [];
    const all: Written[] = [];
    const saved = (): MessageText => ({ blocks: [...blocks], withdrawals: [...withdrawals] });
    const say = (kind: Block['kind'], text: string): void => {
      if (text === '') return;
      const last = blocks.at(-1) as Block;
      if (last.text === '') blocks[blocks.length - 1] = { kind, text: '' };
      else if (last.kind !== kind) blocks.push({ kind, text: '' });
      const blockIndex = blocks.length - 1;
      const offset = (blocks[blockIndex] as Block).text.length;
      const start = blocks.slice(0, -1).reduce((sum, block) => sum + block.text.length, 0);
      blocks[blockIndex] = { kind, text: (blocks[blockIndex] as Block).text + text };
      all.push({ type: 'delta', delta: { messageId, epoch: withdrawals.at(-1)?.sequence ?? 0, blockIndex, kind, start, offset, text }, saved: saved() });
    };
    for (const piece of pieces) {
      if ('text' in piece) {
        say(piece.kind, piece.text);
        continue;
      }
      const blockIndex = piece.to % blocks.length;
      const { kind, text } = blocks[blockIndex] as Block;
      const withdrawal = { sequence: 10 * (withdrawals.length + 1), blockIndex, offset: piece.to % (text.length + 1) };
      blocks = cut(blocks, withdrawal);
      withdrawals.push(withdrawal);
      all.push({ type: 'withdrawal', withdrawal, saved: saved() });
      if (piece.again) say(kind, text.slice(withdrawal.offset, withdrawal.offset + 2));
    }
    return all;
  });

const flat = (blocks: readonly Block[]): string => blocks.filter(({ text }) => text !== '').map(({ kind, text }) => `${kind}:${text}`).join('|');

/** Whether a draft's text is a beginning of the text as it read in the draft's epoch. */
function isBeginning(draft: Draft, all: readonly Written[]): boolean {
  const whole = all.findLast(({ saved }) => (saved.withdrawals.at(-1)?.sequence ?? 0) === draft.epoch)?.saved.blocks ?? [];
  const last = draft.blocks.findLastIndex(({ text }) => text !== '');
  return draft.blocks.every(({ kind, text }, index) => text === '' || (whole[index]?.kind === kind && (index < last ? whole[index].text === text : whole[index].text.startsWith(text))));
}

it('what a draft holds is a true beginning of the text, whatever deltas are lost, repeated, late or of another epoch, and however old or new the saved text is; with that it is all of it', () => {
  fc.assert(
    fc.property(written, fc.array(fc.record({ what: fc.constantFrom('hear' as const, 'load' as const, 'withdraw' as const), index: fc.nat(29) }), { maxLength: 60 }), (all, news) => {
      const draft = createDraft(messageId);
      // Withdrawals are logged events: a tail takes them one after another.
      const withdrawals = all.flatMap((each) => (each.type === 'withdrawal' ? [each.withdrawal] : []));
      for (const { what, index } of news) {
        const each = all[index % all.length] as Written;
        if (what === 'load') draft.load(each.saved);
        else if (what === 'hear' && each.type === 'delta') draft.take(each.delta);
        else if (what === 'withdraw' && withdrawals.length > 0) draft.withdraw(withdrawals.shift() as Withdrawal);
        expect(isBeginning(draft, all)).toBe(true);
      }
      const savedAt = (news[0]?.index ?? 0) % all.length;
      for (const withdrawal of withdrawals) {
        draft.withdraw(withdrawal);
        expect(isBeginning(draft, all)).toBe(true);
      }
      // From here on every delta arrives: with the saved draft nothing is missing.
      draft.load((all[savedAt] as Written).saved);
      for (const each of all.slice(savedAt)) if (each.type === 'delta') draft.take(each.delta);
      expect(isBeginning(draft, all)).toBe(true);
      draft.load((all.at(-1) as Written).saved);
      expect(flat(draft.blocks)).toBe(flat((all.at(-1) as Written).saved.blocks));
    }),
    { numRuns: 5000 },
  );
});

it('without a withdrawal the saved draft and the deltas after it are the whole text', () => {
  fc.assert(
    fc.property(written.filter((all) => all.every(({ type }) => type === 'delta')), fc.nat(29), (all, at) => {
      const draft = createDraft(messageId);
      draft.load((all[at % all.length] as Written).saved);
      for (const each of all.slice(at % all.length)) if (each.type === 'delta') draft.take(each.delta);
      expect(flat(draft.blocks)).toBe(flat((all.at(-1) as Written).saved.blocks));
    }),
  );
});

const delta = (offset: number, text: string, epoch = 0): DeltaMessage => ({ messageId, epoch, blockIndex: 0, kind: 'TEXT', start: 0, offset, text });
const text = (of: string, ...withdrawals: Withdrawal[]): MessageText => ({ blocks: [{ kind: 'TEXT', text: of }], withdrawals });

it('deltas that come after a hole wait for the saved text, and stand once it is there', () => {
  const draft = createDraft(messageId);
  expect(draft.take(delta(0, 'one '))).toBe(true);
  expect(draft.take(delta(8, 'three '))).toBe(false);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'one ' }]);
  draft.load(text('one two '));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'one two three ' }]);
});

it('deltas of an earlier epoch are dropped, those of a later one wait for the withdrawal', () => {
  const draft = createDraft(messageId);
  draft.take(delta(0, 'kept, broken'));
  expect(draft.take(delta(5, 'whole', 7))).toBe(false);
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept, broken' }]);
  draft.withdraw({ sequence: 7, blockIndex: 0, offset: 5 });
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,whole' }]);
  draft.take(delta(12, ' and more'));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,whole' }]);
});

it('saved text of a later epoch brings only what was not withdrawn, saved text of an earlier one nothing', () => {
  const draft = createDraft(messageId);
  const withdrawal = { sequence: 7, blockIndex: 0, offset: 5 };
  draft.take(delta(0, 'ke'));
  draft.load(text('kept, whole', withdrawal));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,' }]);
  draft.withdraw(withdrawal);
  draft.load(text('kept, broken and long'));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept,' }]);
  draft.load(text('kept, whole', withdrawal));
  expect(draft.blocks).toEqual([{ kind: 'TEXT', text: 'kept, whole' }]);
});
