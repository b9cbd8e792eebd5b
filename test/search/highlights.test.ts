import { describe, expect, it } from 'vitest';
import { highlights } from '../../src/search/highlights.ts';
import { tokenize } from '../../src/text/tokenise.ts';

const marked = (text: string, query: string): string[] =>
  highlights(text, new Set(tokenize(query).map(({ term }) => term))).map(({ startOffset, endOffset }) => text.slice(startOffset, endOffset));

describe('highlights', () => {
  it('mark every form of a word that the index takes for the same', () => {
    expect(marked('Returns are free. A returned item is refunded.', 'returning an item')).toEqual(['Returns', 'returned', 'item']);
  });

  it('leave function words alone', () => {
    expect(marked('the cat and the dog', 'the dog')).toEqual(['dog']);
  });

  it('join pairs of characters that overlap', () => {
    expect(marked('我们从海洋馆出发', '海洋馆')).toEqual(['海洋馆']);
  });

  it('point into the text as it is given, whatever its form', () => {
    expect(marked('Das CAFE\u0301 hat ﬁne Bücher', 'café fine bucher')).toEqual(['CAFE\u0301', 'ﬁne', 'Bücher']);
  });

  it('are none without a match', () => {
    expect(marked('nothing here', 'elsewhere')).toEqual([]);
  });
});
