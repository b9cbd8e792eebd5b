import { describe, expect, it } from 'vitest';
import type { KeywordRanking } from '../../src/search/bm25.ts';
import { byBoth, byKeywords, byVectors, type VectorRanking } from '../../src/search/fusion.ts';

const words = (scores: Record<string, number>, ideal = 10): KeywordRanking => ({
  scores: new Map(Object.entries(scores)), idf: new Map(), ideal, passageCount: 100, embeddingModelIds: ['m'],
});
const vectors = (embedder: VectorRanking['embedder'], scores: Record<string, number>): VectorRanking => ({ embedder, scores: new Map(Object.entries(scores)) });
const ids = (passages: readonly { chunkId: string }[]) => passages.map(({ chunkId }) => chunkId);

describe('fused scores', () => {
  it('say how much of the question the best passage has', () => {
    expect(byKeywords(words({ a: 5, b: 2 })).map(({ fused }) => fused)).toEqual([0.5, 0.2]);
    expect(byBoth(words({ a: 5 }), [vectors('HASHED', { a: 2 })], 4)[0]?.fused).toBeCloseTo(0.5);
    expect(byBoth(words({ a: 20 }), [vectors('HASHED', { a: 2 })], 4)[0]?.fused).toBe(1);
  });

  it('are those of the words where there are no vectors', () => {
    expect(byBoth(words({ a: 5, b: 2 }), [], 4)).toEqual(byKeywords(words({ a: 5, b: 2 })));
    expect(byBoth(words({ a: 5, b: 2 }), [vectors('HASHED', {})], 4)).toEqual(byKeywords(words({ a: 5, b: 2 })));
  });

  it('follow the words more than hashed vectors, and learned vectors more than the words', () => {
    const keyword = words({ a: 10, b: 6 });
    expect(ids(byBoth(keyword, [vectors('HASHED', { b: 4, a: 1 })], 4))).toEqual(['a', 'b']);
    expect(ids(byBoth(keyword, [vectors('LEARNED', { b: 0.9, a: -0.9 })], 4))).toEqual(['b', 'a']);
  });

  it('let hashed vectors decide between passages with equal words', () => {
    expect(ids(byBoth(words({ a: 5, b: 5 }), [vectors('HASHED', { b: 3, a: 1 })], 4))).toEqual(['b', 'a']);
  });

  it('list a passage without the words only when its vector is learned or stands out', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x${index}`, (index % 10) / 10]));
    expect(ids(byBoth(words({ a: 5 }), [vectors('HASHED', { ...many, a: 1 })], 4))).toEqual(['a']);
    expect(ids(byBoth(words({ a: 5 }), [vectors('HASHED', { ...many, a: 1, y: 4 })], 4))).toEqual(['a', 'y']);
    expect(ids(byBoth(words({}), [vectors('LEARNED', { y: 0.8 })], 4))).toEqual(['y']);
  });

  it('take the vectors of several models together', () => {
    const both = byBoth(words({}), [vectors('LEARNED', { a: 0.9 }), vectors('HASHED', { b: 4 })], 4);
    expect(ids(both).sort()).toEqual(['a', 'b']);
  });

  it('are those of the vectors where only they count', () => {
    expect(byVectors([vectors('LEARNED', { a: 0.8, b: 0.3, c: -0.2 })], 4).map(({ chunkId, fused }) => [chunkId, fused])).toEqual([['a', 0.8], ['b', 0.3]]);
    expect(byVectors([vectors('HASHED', { a: 1 })], 4)[0]?.fused).toBe(0.5);
    // A passage on its way from one model to another has a vector of each.
    expect(byVectors([vectors('LEARNED', { a: 0.2, b: 0.3 }), vectors('LEARNED', { a: 0.7 })], 4).map(({ chunkId, fused }) => [chunkId, fused])).toEqual([['a', 0.7], ['b', 0.3]]);
  });

  it('stay within 0 and 1 and order equals by id', () => {
    const passages = byBoth(words({ b: 50, a: 50, c: 1 }), [vectors('HASHED', { a: 9, b: 9, c: -3 })], 2);
    expect(ids(passages)).toEqual(['a', 'b', 'c']);
    for (const { fused } of passages) expect(fused >= 0 && fused <= 1).toBe(true);
  });
});
