// One order from two: words and vectors. How much a vector may say depends on how good its embedder is.
//
// HASHED vectors (the offline embedder) know spellings, not meanings, and are noisy: they add a little to BM25, which
// helps languages with compounds and inflections. Measured as nDCG@10 on Cranfield and XQuAD en, zh, de, ar: BM25 alone
// .384 .968 .966 .933 .920; with a share of .15 .381 .969 .967 .936 .923; reciprocal rank fusion .359 .966 .953 .933 .919.
// LEARNED vectors (a real model) get more than half: a convex combination of both scores, each divided by the best of its
// list, which keeps distances that rank fusion throws away and is robust over models (Bruch, Gai & Ingber, An Analysis of
// Fusion Functions for Hybrid Retrieval, 2023). Evaluate before changing a share.
import type { KeywordRanking } from './bm25.ts';

/** What kind of embedder made the vectors. */
export type EmbedderKind = 'HASHED' | 'LEARNED';

/** Similarity by chunk id, nearest first: a cosine, or the inner product of hashed vectors. */
export interface VectorRanking {
  readonly embedder: EmbedderKind;
  readonly scores: ReadonlyMap<string, number>;
}

/** A passage with its scores; `fused` is 0..1, the others are as they were measured, null where a passage was not found so. */
export interface Fused {
  readonly chunkId: string;
  readonly fused: number;
  readonly keyword: number | null;
  readonly vector: number | null;
}

/** The part of the fused score that vectors decide. */
const vectorShare: Readonly<Record<EmbedderKind, number>> = { HASHED: 0.15, LEARNED: 0.6 };

/** Passages by their words alone: 1 is a passage with all of the question. */
export function byKeywords(keyword: KeywordRanking): Fused[] {
  const highest = Math.max(keyword.ideal, best(keyword.scores));
  return order([...keyword.scores].map(([chunkId, score]) => ({ chunkId, fused: score / highest, keyword: score, vector: null })));
}

/** Passages by their vectors alone: 1 is a vector that points as the question's. Of a passage with several the nearest counts. */
export function byVectors(vectors: readonly VectorRanking[], termCount: number): Fused[] {
  const found = new Map<string, Fused>();
  for (const { embedder, scores } of vectors) {
    for (const [chunkId, score] of scores) {
      const fused = likeness(embedder, score, termCount);
      if (fused > (found.get(chunkId)?.fused ?? 0)) found.set(chunkId, { chunkId, fused, keyword: null, vector: score });
    }
  }
  return order([...found.values()]);
}

/**
 * Passages by both. Each score counts relative to the best of its list, so that shares mean the same for every question;
 * the whole is then scaled by how much of the question the best passage has, so that a score can be compared with a
 * limit: 1 is a passage with all of the question, .2 one with a fifth of what matters in it.
 */
export function byBoth(keyword: KeywordRanking, vectors: readonly VectorRanking[], termCount: number): Fused[] {
  const bestKeyword = best(keyword.scores);
  const vector = new Map<string, { score: number; relative: number }>();
  let level = bestKeyword === 0 ? 0 : bestKeyword / Math.max(keyword.ideal, bestKeyword);
  let share = 0;
  for (const { embedder, scores } of vectors) {
    if (scores.size === 0) continue;
    const highest = best(scores);
    share = Math.max(share, vectorShare[embedder]);
    if (embedder === 'LEARNED' || bestKeyword === 0) level = Math.max(level, likeness(embedder, highest, termCount));
    const from = embedder === 'LEARNED' ? 0 : noiseLevel(scores);
    for (const [chunkId, score] of scores) {
      if (score <= from && !keyword.scores.has(chunkId)) continue;
      const relative = Math.max(0, score) / Math.max(Number.EPSILON, highest);
      if (relative >= (vector.get(chunkId)?.relative ?? 0)) vector.set(chunkId, { score, relative });
    }
  }
  // A passage beyond the end of the list of vectors is at most as near as the last one on it.
  const beyond = Math.min(...[...vector.values()].map(({ relative }) => relative), 1);
  return order([...new Set([...keyword.scores.keys(), ...vector.keys()])].map((chunkId) => {
    const score = keyword.scores.get(chunkId);
    const near = vector.get(chunkId);
    const relative = (1 - share) * (bestKeyword === 0 ? 0 : (score ?? 0) / bestKeyword) + share * (near?.relative ?? (vector.size === 0 ? 0 : beyond));
    return { chunkId, fused: level * relative, keyword: score ?? null, vector: near?.score ?? null };
  }));
}

/** How near a vector is to the question's, 0..1. Hashed: a passage with each of n words has about √n. */
function likeness(embedder: EmbedderKind, score: number, termCount: number): number {
  return Math.min(1, Math.max(0, embedder === 'LEARNED' ? score : score / Math.sqrt(Math.max(1, termCount))));
}

/** What hashed vectors reach by chance: features that share a slot give every passage some similarity to every question. */
function noiseLevel(scores: ReadonlyMap<string, number>): number {
  const values = [...scores.values()];
  if (values.length < fewPassages) return usualNoise;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return mean + 3 * deviation;
}

/** Too few to tell what is chance by the scores themselves. */
const fewPassages = 30;
/** Three standard deviations of what passages of a hundred different words have in common with any question. */
const usualNoise = 0.9;

function best(scores: ReadonlyMap<string, number>): number {
  let highest = 0;
  for (const score of scores.values()) if (score > highest) highest = score;
  return highest;
}

/** Best first; equal scores in the order of ids, so that pages are stable. */
function order(passages: Fused[]): Fused[] {
  return passages.sort((a, b) => b.fused - a.fused || (a.chunkId < b.chunkId ? -1 : 1));
}
