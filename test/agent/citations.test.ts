import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCitations } from '../../src/agent/citations.ts';

const passages = [
  { n: 1, text: 'The harbour was built in 1902. It was widened after the flood of 1953, when the old quay broke.' },
  { n: 2, text: 'Ferries leave every hour. The last one leaves at eleven in the evening.' },
];
const read = (answer: string) => {
  const { citations, invented } = findCitations(answer, passages);
  return {
    cited: citations.map((found) => [found.index, answer.slice(found.answerStart, found.answerEnd), passages[found.index - 1]?.text.slice(found.quoteStart, found.quoteEnd)]),
    invented: invented.map(({ index }) => index),
  };
};

describe('a marker [n]', () => {
  it('cites the claim before it word for word where the passage has it so', () => {
    expect(read('Ferries leave every hour. [2]')).toEqual({ cited: [[2, 'Ferries leave every hour.', 'Ferries leave every hour.']], invented: [] });
  });

  it('cites the sentence that says the same in other words', () => {
    expect(read('They widened the harbour after the 1953 flood [1].').cited).toEqual([
      [1, 'They widened the harbour after the 1953 flood', 'It was widened after the flood of 1953, when the old quay broke.'],
    ]);
  });

  it('belongs to the last sentence before it, and several share one claim', () => {
    expect(read('That is long ago. The last one leaves at eleven in the evening [2] [1].')).toEqual({
      cited: [[2, 'The last one leaves at eleven in the evening', 'The last one leaves at eleven in the evening']],
      invented: [1],
    });
  });

  it('is invented when there is no such passage, no claim, or nothing in the passage bears it out', () => {
    expect(read('[1] Bananas grow in Iceland [2]. And so on [7].')).toEqual({ cited: [], invented: [1, 2, 7] });
  });

  it('never quotes what does not stand there, whatever the answer', () => {
    const piece = fc.oneof(fc.constantFrom('[1]', '[2]', '[12]', ' ', '. ', 'The harbour was built', 'Ferries leave', '[', ']', '\n'), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const answer = pieces.join('');
        const { citations, invented } = findCitations(answer, passages);
        for (const found of citations) {
          const { text } = passages[found.index - 1] as { text: string };
          expect(found.quoteStart).toBeGreaterThanOrEqual(0);
          expect(found.quoteEnd).toBeGreaterThan(found.quoteStart);
          expect(found.quoteEnd).toBeLessThanOrEqual(text.length);
          expect(found.answerEnd).toBeGreaterThan(found.answerStart);
        }
        expect(citations.length + invented.length).toBe([...answer.matchAll(/\[\d{1,3}\]/g)].length);
      }),
      { numRuns: 300 },
    );
  });
});
