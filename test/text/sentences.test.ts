import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sentences } from '../../src/text/sentences.ts';

const split = (text: string): string[] => sentences(text).map(({ start, end }) => text.slice(start, end));

describe('sentences', () => {
  test('do not end at abbreviations, initials and decimals', () => {
    expect(split('Dr. Smith met J. R. Jones of the U.S. Navy at 3.5 km, see Fig. 3. He left. It was vitamin C. The end.')).toEqual([
      'Dr. Smith met J. R. Jones of the U.S. Navy at 3.5 km, see Fig. 3.', 'He left.', 'It was vitamin C.', 'The end.',
    ]);
    expect(split('Er kam am 3. Oktober, z. B. mit Dr. Meier. Um 200 v. Chr. war das anders. Ende.')).toEqual([
      'Er kam am 3. Oktober, z. B. mit Dr. Meier.', 'Um 200 v. Chr. war das anders.', 'Ende.',
    ]);
  });

  test('keep a spoken question and the note behind a sentence with it', () => {
    expect(split('"Why?" she asked. Wells are deep.[citation needed] Rivers are not.')).toEqual([
      '"Why?" she asked.', 'Wells are deep.[citation needed]', 'Rivers are not.',
    ]);
  });

  test('do not end inside an address', () => {
    expect(split('See https://example.org/issues?q=open&x=1! Then go on.')).toEqual(['See https://example.org/issues?q=open&x=1!', 'Then go on.']);
  });

  test('end at Chinese and Arabic marks', () => {
    expect(split('黑豹队排名第六。他说什么？然后走了。')).toEqual(['黑豹队排名第六。', '他说什么？', '然后走了。']);
    expect(split('ما هذا؟ هذا بيت.')).toEqual(['ما هذا؟', 'هذا بيت.']);
  });

  test('are headings, list items and table rows of their own', () => {
    expect(split('# Heading\nIntro\n\n- one\n- two. More.\n1. First\n| a | b |\n| c | d |')).toEqual([
      '# Heading', 'Intro', '- one', '- two.', 'More.', '1. First', '| a | b |', '| c | d |',
    ]);
  });

  test('go on over a line that the page wrapped', () => {
    const wrapped = 'This is a long line of a paragraph that the page has\nwrapped here. The next one is\nshort.';
    expect(split(wrapped)).toEqual(['This is a long line of a paragraph that the page has\nwrapped here.', 'The next one is\nshort.']);
  });

  test('of tokenised lower-case text end at the lone point', () => {
    expect(split('a wing in a slipstream . an experimental study .')).toEqual(['a wing in a slipstream .', 'an experimental study .']);
  });

  test('cover every visible character once, in order, whatever the text', () => {
    const parts = fc.array(fc.constantFrom(
      'Dr.', 'A.', 'end.', '.', '?', '!"', '。', ' ', '\n', '\r\n', '- ', '1. ', '# ', '[x]', '\0', '\ud800', 'word', '\u202e', 'a . b', '3.'));
    fc.assert(fc.property(fc.oneof(parts.map((all) => all.join('')), fc.string({ unit: 'binary' })), (text) => {
      const ranges = sentences(text);
      let rest = '';
      let last = 0;
      for (const { start, end } of ranges) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        rest += text.slice(last, start);
        last = end;
      }
      expect((rest + text.slice(last)).trim()).toBe('');
    }), { numRuns: 2_000 });
  });
});
