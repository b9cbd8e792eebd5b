import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunk, type Chunk } from '../../src/documents/chunk.ts';
import { countTokens } from '../../src/text/counts.ts';

const plain = (text: string) => ({ text, pages: null, headings: [] });
const words = (text: string) => text.match(/[\p{L}\p{N}]+/gu) ?? [];
const sentencesOf = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `Sentence number ${from + index} says a thing about the matter.`).join(' ');

/** What holds for the chunks of any text. */
function expectSound(text: string, chunks: readonly Chunk[], size: number): void {
  let covered = 0;
  chunks.forEach((one, index) => {
    expect(one.ordinal).toBe(index);
    expect(one.text).toBe(text.slice(one.start, one.end));
    expect(one.text).toMatch(/[\p{L}\p{N}]/u);
    expect(one.text.isWellFormed()).toBe(true);
    expect(one.tokenCount).toBe(countTokens(one.text));
    expect(one.tokenCount).toBeLessThanOrEqual(size);
    if (index > 0) expect(one.start).toBeGreaterThan(chunks[index - 1]!.start);
    expect(one.end).toBeGreaterThan(covered);
    if (one.start > covered) expect(text.slice(covered, one.start)).not.toMatch(/[\p{L}\p{N}]/u);
    covered = one.end;
  });
  expect(text.slice(covered)).not.toMatch(/[\p{L}\p{N}]/u);
}

describe('for every text', () => {
  const fragment = fc.oneof(
    fc.lorem({ maxCount: 30 }),
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.constantFrom('\n', '\n\n', ' ', '. ', '----------', '家是一个地方。', '👩‍👩‍👧', 'ก็ดี', '# A\n', 'e\u0301\u0323', '\t'),
  );
  const document = fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join('').toWellFormed());

  test('chunks are verbatim, in order, within their size, and hold every word', () => {
    fc.assert(fc.property(document, fc.integer({ min: 16, max: 120 }), fc.integer({ min: 0, max: 60 }), (text, chunkSize, chunkOverlap) => {
      expectSound(text, chunk(plain(text), { chunkSize, chunkOverlap }), chunkSize);
    }), { numRuns: 150 });
  }, 60_000);

  test('headings and pages cut it and change none of that', () => {
    const cuts = fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), level: fc.integer({ min: 1, max: 4 }) }), { maxLength: 12 });
    fc.assert(fc.property(document, cuts, (text, places) => {
      const starts = places.map(({ at }) => Math.floor(at * text.length)).toSorted((a, b) => a - b).filter((at) => text.slice(0, at).isWellFormed());
      const headings = starts.map((start, index) => ({ start, title: `H${index}`, level: places[index]!.level }));
      const pages = [0, ...starts.filter((_, index) => index % 2 === 1)].map((start, index) => ({ page: index + 1, start }));
      const chunks = chunk({ text, headings, pages }, { chunkSize: 40, chunkOverlap: 10 });
      expectSound(text, chunks, 40);
      for (const { start, end, page } of chunks) {
        expect(pages.findLast((one) => one.start <= start)?.page).toBe(page);
        expect(pages.some((one) => one.start > start && one.start < end)).toBe(false);
      }
    }), { numRuns: 100 });
  }, 60_000);
});

describe('a chunk', () => {
  test('is the whole of a short text', () => {
    expect(chunk(plain('  One line. \n'), { chunkSize: 100, chunkOverlap: 10 })).toEqual([
      { ordinal: 0, text: 'One line.', start: 2, end: 11, page: null, headingPath: [], tokenCount: 3 },
    ]);
  });

  test('ends with a sentence, and repeats whole sentences of the one before', () => {
    const text = sentencesOf(60);
    const chunks = chunk(plain(text), { chunkSize: 120, chunkOverlap: 30 });
    for (const [index, { text: part, start }] of chunks.entries()) {
      expect(part).toMatch(/^Sentence.*matter\.$/s);
      if (index > 0) expect(start).toBeLessThan(chunks[index - 1]!.end);
    }
    expect(words(chunks[1]!.text)[2]).toBe(words(chunks[0]!.text.split('. ').at(-2)!)[2]);
  });

  test('does not begin where the one before began, when that began with white space', () => {
    const text = '𐀀𐀀ආ𐀀 \n # A\n૰𐀀𐀀e\u0323\u0301';
    for (let size = 16; size < 24; size++) expectSound(text, chunk(plain(text), { chunkSize: size, chunkOverlap: 3 }), size);
  });

  test('prefers to end with a paragraph', () => {
    const text = [sentencesOf(7), sentencesOf(7, 7), sentencesOf(7, 14)].join('\n\n');
    expect(chunk(plain(text), { chunkSize: 120, chunkOverlap: 0 }).map((one) => one.text)).toEqual(text.split('\n\n'));
  });

  test('knows the headings above it', () => {
    const text = `# A\n\n${sentencesOf(8)}\n\n## B\n\n${sentencesOf(8)}\n\n# C\n\n${sentencesOf(8)}`;
    const headings = [['A', 1], ['B', 2], ['C', 1]].map(([title, level]) => ({ title: String(title), level: Number(level), start: text.indexOf(`# ${title}`) - Number(level) + 1 }));
    expect(chunk({ text, pages: null, headings }, { chunkSize: 200, chunkOverlap: 0 }).map((one) => one.headingPath)).toEqual([['A'], ['A', 'B'], ['C']]);
  });

  test('joins short sections of one parent under the heading they share', () => {
    const titles = ['One', 'Two', 'Three', 'Four'];
    const text = `Top\n${titles.join('\n')}`;
    const headings = [{ title: 'Top', level: 1, start: 0 }, ...titles.map((title) => ({ title, level: 2, start: text.indexOf(title) }))];
    const [only, ...others] = chunk({ text, pages: null, headings }, { chunkSize: 200, chunkOverlap: 20 });
    expect(others).toEqual([]);
    expect(only).toMatchObject({ text, headingPath: ['Top'] });
  });

  test('takes a bare heading along with the subsection below it', () => {
    const text = `Part\n\nChapter\n\n${sentencesOf(40)}`;
    const headings = [{ title: 'Part', level: 1, start: 0 }, { title: 'Chapter', level: 2, start: 6 }];
    const [first] = chunk({ text, pages: null, headings }, { chunkSize: 100, chunkOverlap: 0 });
    expect(first).toMatchObject({ start: 0, headingPath: ['Part', 'Chapter'] });
  });
});

describe('hostile texts are cut in time that grows with their length', () => {
  const timed = (text: string) => {
    // Of this thread alone, whatever else the machine does.
    const before = process.threadCpuUsage();
    const chunks = chunk(plain(text), { chunkSize: 400, chunkOverlap: 50 });
    return { chunks, ms: process.threadCpuUsage(before).user / 1_000 };
  };

  test('half a million empty lines hold nothing', () => {
    expect(timed('\n'.repeat(500_000)).chunks).toEqual([]);
  });

  test('half a million empty lines between two words stay out of the chunks', () => {
    expect(timed(`one${' \n'.repeat(250_000)}two`).chunks.map((one) => one.text)).toEqual(['one', 'two']);
  });

  test('a long rule is left out', () => {
    expect(timed(`one\n\n${'-='.repeat(100_000)}\n\ntwo`).chunks.map((one) => one.text)).toEqual(['one', 'two']);
  });

  test.each([
    ['letters without a space', 'abcdefghij'],
    ['one letter', 'a'],
    ['ideographs', '漢字仮名'],
    ['pictures', 'x👩‍👩‍👧'],
    ['letters under towers of marks', `a${'\u0301'.repeat(2_000)}`],
  ])('two megabytes are not much more than ten times a fifth of one: %s', (_, unit) => {
    const text = (length: number) => 'a' + unit.repeat(Math.floor(length / unit.length));
    timed(text(50_000));
    const short = timed(text(100_000));
    const long = timed(text(1_000_000));
    expect(long.chunks.length).toBeGreaterThan(short.chunks.length * 8);
    expect(long.ms).toBeLessThan(short.ms * 40 + 500);
    for (const one of short.chunks) expect(one.tokenCount).toBeLessThanOrEqual(400);
  }, 60_000);
});
