// Ranking the best passages again: by a model that judges each of them, or without one by maximal marginal relevance
// (Carbonell & Goldstein, 1998), which takes the passage that is relevant and unlike those taken before, so that an answer is
// not made from five copies of one paragraph.
import type { Context } from '../context.ts';
import { searchPatienceMs } from '../models/calls.ts';
import { modelsOf } from '../providers/catalog.ts';
import { tokenize } from '../text/tokenise.ts';
import { spentOnReranking } from '../usage/ledger.ts';
import type { Passage } from './passages.ts';
import type { Question, SearchDegradation } from './ranking.ts';

/** Candidates in their new order, with what decided: the model's score, or relevance less likeness to passages before. */
export interface Reordered {
  readonly order: readonly { readonly chunkId: string; readonly score: number }[];
  readonly degraded: readonly SearchDegradation[];
}

/** Ranks again; by the built-in ranking, and saying so, where the model does not answer. Throws when `signal` aborts. */
export async function rerank(ctx: Context, question: Question, candidates: readonly (Candidate & Pick<Passage, 'documentName' | 'headingPath'>)[]): Promise<Reordered> {
  if (candidates.length === 0) return { order: [], degraded: [] };
  if (question.rerankModelId === null) return { order: byRelevanceAndNovelty(candidates), degraded: [] };
  const scores = await judge(ctx, { ...question, modelId: question.rerankModelId }, candidates.map(({ documentName, headingPath, text }) => `${[documentName, ...headingPath].join(' › ')}\n${text}`));
  if (scores === null) return { order: byRelevanceAndNovelty(candidates), degraded: ['RERANKER_UNAVAILABLE'] };
  const judged = candidates.map(({ chunkId }, index) => ({ chunkId, score: scores[index] ?? 0 }));
  // Those that it holds for equally good stay as they were.
  return { order: judged.sort((a, b) => b.score - a.score), degraded: [] };
}

/** The model's scores; null when it failed or took too long, which is logged. */
async function judge(ctx: Context, { modelId, text, signal, spent }: Question & { readonly modelId: string }, texts: readonly string[]): Promise<readonly number[] | null> {
  signal.throwIfAborted();
  const models = await modelsOf(ctx);
  try {
    const { scores, usage } = await models.rerank({ modelId, query: text, texts, signal: AbortSignal.any([signal, AbortSignal.timeout(searchPatienceMs)]) });
    await spent(spentOnReranking(usage));
    return scores;
  } catch (error) {
    signal.throwIfAborted();
    ctx.log.warn({ err: error, modelId }, 'the passages could not be ranked again by the model; the built-in ranking did it');
    return null;
  }
}

/** What counts for relevance, the rest for novelty. */
const relevanceShare = 0.7;

export interface Candidate {
  readonly chunkId: string;
  readonly text: string;
  /** 0..1. */
  readonly relevance: number;
}

/** The candidates in their new order, with what decided: relevance less likeness to the nearest passage before, never rising. */
export function byRelevanceAndNovelty(candidates: readonly Candidate[]): { readonly chunkId: string; readonly score: number }[] {
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
