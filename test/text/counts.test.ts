import { countTokens as reference } from 'gpt-tokenizer/encoding/o200k_base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countTokens, wordCount } from '../../src/text/counts.ts';
import { language } from '../../src/text/language.ts';

describe('counts', () => {
  test('words are what a reader would count, with or without spaces', () => {
    expect(wordCount("It's the café, isn't it?")).toBe(5);
    expect(wordCount('  \n')).toBe(0);
    expect(wordCount('我们喜欢北京')).toBe(3);
  });

  test('tokens of ordinary text are those of the model, however long the text', () => {
    const text = 'The quick brown fox jumps over the lazy dog, 2023.\n'.repeat(500);
    expect(countTokens(text)).toBe(reference(text));
    expect(countTokens('<|endoftext|>')).toBeGreaterThan(1);
    expect(countTokens('')).toBe(0);
  });

  test('counting takes time in proportion to the length of endless words', () => {
    for (const unit of ['a', ' ', '字', '\u0300', '\ud800']) {
      const once = countTokens(unit.repeat(100_000));
      expect(countTokens(unit.repeat(200_000)) / once).toBeCloseTo(2, 1);
    }
  }, 10_000);

  test('no string makes counting fail', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
      expect(countTokens(text)).toBeGreaterThanOrEqual(0);
      expect(wordCount(text)).toBeGreaterThanOrEqual(0);
      language(text);
    }));
  });
});

describe('the language of a text', () => {
  test('is named by its ISO 639 code', () => {
    expect(language('The committee met on Tuesday and agreed that the bridge across the river should be repaired before winter.')).toBe('en');
    expect(language('Der Ausschuss traf sich am Dienstag und beschloss, dass die Brücke über den Fluss vor dem Winter repariert wird.')).toBe('de');
    expect(language('黑豹队的防守只丢了三百多分，在联赛中排名第六。')).toBe('zh');
  });

  test('is unknown rather than guessed for short or empty text', () => {
    expect(language('')).toBeNull();
    expect(language('Hotel 42')).toBeNull();
    expect(language('12345 67890 !!! https')).toBeNull();
  });
});
