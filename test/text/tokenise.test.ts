import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxTermLength, tokenize, words } from '../../src/text/tokenise.ts';

const terms = (text: string): string[] => tokenize(text).map((token) => token.term);

/** Strings that break offsets: any code unit, ligatures, full-width forms, marks, joiners, right-to-left, lone surrogates. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit))).map((units) => units.join('')),
  fc.array(fc.constantFrom(
    'ﬁ', 'Ｆ', 'é', 'e\u0301', '\u0301', 'İ', 'ß', 'Σ', '½', '㎏', '™', '𝒜', '\ud800', '\udc00', '\0', '\u00ad', '\u200d', '\u202e', 'שָׁ',
    'مُ', 'ـ', '字', 'ｶ', 'ﾞ', '한', '\u1112', '\u1161', '\u11ab', 'ไทย', 'ก', ' ', '-', 'a', 'running', '7',
  ), { maxLength: 30 }).map((parts) => parts.join('')),
);

describe('the tokeniser', () => {
  test('points at the very characters a term was made of', () => {
    fc.assert(fc.property(hostile, (text) => {
      for (const { term, start, end } of words(text)) {
        const slice = text.slice(start, end);
        expect(words(slice).map((word) => word.term).join(' ')).toContain(term);
      }
    }), { numRuns: 2_000 });
  });

  test('gives ranges inside the text, in order, and terms that a database can store', () => {
    fc.assert(fc.property(hostile, (text) => {
      let previous = 0;
      for (const { term, start, end } of tokenize(text)) {
        expect(start).toBeGreaterThanOrEqual(previous);
        expect(end).toBeGreaterThan(start);
        expect(end).toBeLessThanOrEqual(text.length);
        expect(term.length).toBeGreaterThan(0);
        expect(term.length).toBeLessThanOrEqual(maxTermLength);
        expect(term.isWellFormed() && !term.includes('\0')).toBe(true);
        previous = start;
      }
    }), { numRuns: 2_000 });
  });

  test('finds the same terms wherever in a text they stand', () => {
    fc.assert(fc.property(hostile, hostile, (before, text) => {
      const shift = before.length + 1;
      const alone = tokenize(text).map(({ term, start, end }) => ({ term, start: start + shift, end: end + shift }));
      expect(tokenize(`${before}\n${text}`).slice(tokenize(before).length)).toEqual(alone);
    }), { numRuns: 1_000 });
  });

  test('keeps offsets right for ligatures, full-width letters, surrogate pairs, combining marks and soft hyphens', () => {
    const text = 'ﬁnal Ｆｕｌｌ 𝒜𝒷 cafe\u0301 in\u00adform';
    expect(tokenize(text).map(({ term, start, end }) => [term, text.slice(start, end)])).toEqual([
      ['final', 'ﬁnal'], ['full', 'Ｆｕｌｌ'], ['ab', '𝒜𝒷'], ['cafe', 'cafe\u0301'], ['inform', 'in\u00adform'],
    ]);
  });

  test('drops English stop words and reduces English words to their Porter stems', () => {
    expect(terms('The connections of the relational databases')).toEqual(['connect', 'relat', 'databas']);
    expect(terms('caresses ponies agreed motoring hopping filing happy generalizations oscillators')).toEqual(
      ['caress', 'poni', 'agre', 'motor', 'hop', 'file', 'happi', 'gener', 'oscil']);
  });

  test('finds a word whether or not its accents were typed', () => {
    expect(terms('Müller café Straße İstanbul')).toEqual(terms('muller cafe strasse istanbul'));
  });

  test('takes the article and common endings off Arabic words', () => {
    expect(terms('المكتبات')).toEqual(terms('مكتبات'));
  });

  test('makes pairs of Chinese, Japanese and Korean characters and dictionary words of Thai', () => {
    expect(terms('黑豹队 in 2016年')).toEqual(['黑豹', '豹队', '2016', '年']);
    expect(terms('ﾊﾞﾅﾅ')).toEqual(['バナ', 'ナナ']);
    expect(terms('서울시')).toEqual(['서울', '울시']);
    expect(terms('ประเทศไทยสวยงาม')).toEqual(['ประเทศไทย', 'สวยงาม']);
  });

  test('cuts endless words into terms that fit an index row', () => {
    expect(terms('x'.repeat(100_000)).every((term) => term.length <= maxTermLength)).toBe(true);
  });
});
