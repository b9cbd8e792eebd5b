import { describe, expect, it } from 'vitest';
import { byRelevanceAndNovelty } from '../../src/search/rerank.ts';

describe('ranking again', () => {
  it('keeps the most relevant passage first and puts its copies behind what is new', () => {
    const ranked = byRelevanceAndNovelty([
      { chunkId: 'a', relevance: 0.9, text: 'The tower was built in stone by sailors.' },
      { chunkId: 'b', relevance: 0.88, text: 'The tower was built in stone by sailors!' },
      { chunkId: 'c', relevance: 0.7, text: 'Its lamp turns at night.' },
    ]);
    expect(ranked.map(({ chunkId }) => chunkId)).toEqual(['a', 'c', 'b']);
  });

  it('keeps the order of passages that are all different', () => {
    const ranked = byRelevanceAndNovelty([
      { chunkId: 'a', relevance: 0.9, text: 'alpha' },
      { chunkId: 'b', relevance: 0.5, text: 'beta' },
      { chunkId: 'c', relevance: 0.1, text: '' },
    ]);
    expect(ranked.map(({ chunkId }) => chunkId)).toEqual(['a', 'b', 'c']);
  });

  it('gives scores that never rise', () => {
    const ranked = byRelevanceAndNovelty(Array.from({ length: 12 }, (_, index) => ({ chunkId: String(index), relevance: 1 / (index + 1), text: `word${index % 3} other${index % 5}` })));
    for (const [index, { score }] of ranked.entries()) expect(score).toBeLessThanOrEqual((ranked[index - 1]?.score ?? Infinity) + 1e-12);
    expect(new Set(ranked.map(({ chunkId }) => chunkId)).size).toBe(12);
  });

  it('of nothing is nothing', () => {
    expect(byRelevanceAndNovelty([])).toEqual([]);
  });
});
