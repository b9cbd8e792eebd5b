import { describe, expect, it } from 'vitest';
import { inBatches } from '../../src/documents/batches.ts';
import { measureChunks, postingsOf } from '../../src/documents/store.ts';
import { textPieces } from '../../src/documents/text.ts';

describe('rows in batches', () => {
  it('are all written once, in order, in slices that shrink when they are slow', async () => {
    const rows = Array.from({ length: 1000 }, (_, index) => index);
    const written: number[] = [];
    const sizes: number[] = [];
    await inBatches(rows, async (batch, done) => {
      expect(done).toBe(written.length);
      written.push(...batch);
      sizes.push(batch.length);
      // Blocks as the embedded database does, a millisecond for each row, in the second half.
      const until = performance.now() + (done > 300 ? batch.length : 0);
      while (performance.now() < until);
    });
    expect(written).toEqual(rows);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
    expect(sizes.at(-2)).toBeLessThanOrEqual(23);
  });

  it('stop at the first that cannot be written', async () => {
    const seen: number[] = [];
    const failing = inBatches([1, 2, 3], async ([row]) => {
      seen.push(row as number);
      if (row === 2) throw new Error('full');
    }, 1);
    await expect(failing).rejects.toThrow('full');
    expect(seen).toEqual([1, 2]);
  });
});

describe('a text in pieces', () => {
  it('is the same text, and no character stands across two', () => {
    const text = `x${'😀'.repeat(40_000)}${'abc '.repeat(10_000)}`;
    const pieces = textPieces(text);
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.every((piece) => piece.text.isWellFormed() && piece.text.length === piece.endOffset - piece.startOffset)).toBe(true);
    expect(pieces.length).toBeGreaterThan(3);
    expect(textPieces('')).toEqual([]);
  });
});

describe('a stored chunk', () => {
  const chunk = (text: string, headingPath: string[] = []) => ({ ordinal: 0, text, start: 0, end: text.length, page: null, headingPath, tokenCount: 1 });

  it('has one index row for each of its terms, with how often it stands there', async () => {
    const [measured] = await measureChunks([chunk('Rains and rain, raining on the plain')]);
    const rows = postingsOf([measured!]);
    expect(rows.map(({ term, frequency }) => [term, frequency])).toEqual([['rain', 3], ['plain', 1]]);
    expect(measured?.termCount).toBe(4);
  });

  it('is recognised by its text and headings', async () => {
    const [one, same, elsewhere, other] = await measureChunks([chunk('a b', ['H']), chunk('a b', ['H']), chunk('a b', ['I']), chunk('a c', ['H'])]);
    expect(one?.checksum).toBe(same?.checksum);
    expect(new Set([one, elsewhere, other].map((measured) => measured?.checksum)).size).toBe(3);
  });
});
