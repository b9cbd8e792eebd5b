// Ranking again without a model: maximal marginal relevance (Carbonell & Goldstein, 1998) takes the passage that is
// relevant and unlike those taken before, so that an answer is not made from five copies of one paragraph.
import { tokenize } from '../text/tokenise.ts';

/** What counts for relevance, the rest for novelty. */
const relevanceShare = 0.7;

export interface Candidate {
  readonly chunkId: string;
  readonly text: string;
  /** 0..1. */
  readonly relevance: number;
}

/** The candidates in their new order, with what decided: relevance less likeness to the nearest passage before, never rising. */
export function rerank(candidates: readonly Candidate[]): { readonly chunkId: string; readonly score: number }[] {
  const highest = Math.max(...candidates.map(({ relevance }) => relevance), Number.EPSILON);
  const left = candidates.map(({ chunkId, text, relevance }) => ({ chunkId, terms: termsOf(text), relevance: relevance / highest, likeness: 0 }));
  const ranked: { chunkId: string; score: number }[] = [];
  while (left.length > 0) {
    const scores = left.map(({ relevance, likeness }) => relevanceShare * relevance - (1 - relevanceShare) * likeness);
    const at = scores.indexOf(Math.max(...scores));
    const [taken] = left.splice(at, 1);
    if (!taken) break;
    ranked.push({ chunkId: taken.chunkId, score: scores[at] ?? 0 });
    for (const other of left) other.likeness = Math.max(other.likeness, likeness(taken.terms, other.terms));
  }
  return ranked;
}

const termsOf = (text: string): ReadonlySet<string> => new Set(tokenize(text).map(({ term }) => term));

/** Cosine of two sets of terms, 0..1. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 || b.size === 0) return 0;
  let common = 0;
  for (const term of a) if (b.has(term)) common++;
  return common / Math.sqrt(a.size * b.size);
}
