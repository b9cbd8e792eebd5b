// Question → ranked passages: what search and the retrieval node have in common.
import type { Context } from '../context.ts';
import { publishedVersions, type PassageScope } from '../documents/passage-scope.ts';
import { kysely, sql } from '../platform/database.ts';
import { asksAboutTheWhole } from '../text/asking.ts';
import { tokenize } from '../text/tokenise.ts';
import { rankByKeywords } from './bm25.ts';
import { byBoth, byKeywords, byVectors, type Fused } from './fusion.ts';
import { loadPassages } from './passages.ts';
import type { EmbeddedQuestion } from './question-vectors.ts';
import { rerank } from './rerank.ts';
import { refreshStatistics } from './statistics.ts';
import { rankByVectors } from './vectors.ts';

export const searchModes = ['SEMANTIC', 'KEYWORD', 'HYBRID'] as const;
export type SearchMode = (typeof searchModes)[number];

/** What a search had to do without. */
export const searchDegradations = ['VECTOR_UNAVAILABLE', 'EMBEDDER_UNAVAILABLE', 'RERANKER_UNAVAILABLE', 'RETRIEVAL_FAILED'] as const;
export type SearchDegradation = (typeof searchDegradations)[number];

export interface Question {
  readonly text: string;
  readonly scope: PassageScope;
  readonly mode: SearchMode;
  /** Passages whose fused score is less are left out, 0..1. */
  readonly minScore: number;
  /** Whether, and by which model; with `rerankModelId` null by the built-in ranking. */
  readonly rerank: boolean;
  readonly rerankModelId: string | null;
  readonly signal: AbortSignal;
  readonly spent: EmbeddedQuestion['spent'];
}

/** A passage with its scores; `rerank` is null where the passage was not ranked again. */
export interface Ranked extends Fused {
  readonly rerank: number | null;
}

export interface Ranking {
  /** Best first, at most `searchDepth`. */
  readonly passages: readonly Ranked[];
  readonly degraded: readonly SearchDegradation[];
  /** The question's index terms. */
  readonly terms: ReadonlySet<string>;
  /** Whether nothing matched a question about the whole, and these are what the documents begin with; they have no score. */
  readonly openings: boolean;
}

/** Passages that one search ranks at most; what is beyond cannot be paged to. */
export const searchDepth = 1_000;
/** Passages that a document's opening has. */
const openingLength = 3;
/** The best passages of a search, among which re-ranking changes the order. */
const rerankDepth = 50;

/** The index terms of a question. */
export function termsOf(text: string): Set<string> {
  return new Set(tokenize(text).map(({ term }) => term));
}

/** Ranks the passages of the scope. Without vectors it ranks by words and says so; throws when `signal` aborts. */
export async function rankPassages(ctx: Context, question: Question): Promise<Ranking> {
  const { text, scope, mode, minScore, signal, spent } = question;
  const terms = tokenize(text).map(({ term }) => term);
  signal.throwIfAborted();
  // Also where only vectors count: how rare the terms are, and how many passages there are, is part of that question.
  const keyword = await rankByKeywords(ctx.em, { scope, terms, limit: mode === 'SEMANTIC' && ctx.app.vectors.available ? 0 : searchDepth });
  void refreshStatistics(ctx.app, keyword.passageCount);
  const { rankings, degraded } = mode === 'KEYWORD'
    ? { rankings: [], degraded: [] as const }
    : await rankByVectors(ctx, { text, scope, signal, spent, idf: keyword.idf, passageCount: keyword.passageCount, modelIds: keyword.embeddingModelIds, limit: searchDepth });
  const termCount = new Set(terms).size;
  const found = await fuse();
  // Nothing matches "What is this about?"; what the documents begin with answers it.
  const whole = found.length === 0 && mode !== 'KEYWORD' && asksAboutTheWhole(text);
  const kept = whole ? await openings(ctx, scope) : found.filter((passage) => passage.fused >= minScore).slice(0, searchDepth);
  const again = question.rerank ? await rankAgain(ctx, question, kept) : { passages: kept.map((passage) => ({ ...passage, rerank: null })), degraded: [] };
  return { passages: again.passages, degraded: [...degraded, ...again.degraded], terms: new Set(terms), openings: whole };

  async function fuse(): Promise<Fused[]> {
    if (mode === 'HYBRID') return byBoth(keyword, rankings, termCount);
    if (mode === 'SEMANTIC' && degraded.length === 0) return byVectors(rankings, termCount);
    // Instead of nothing: passages that have the words.
    return byKeywords(keyword.scores.size > 0 || !ctx.app.vectors.available ? keyword : await rankByKeywords(ctx.em, { scope, terms, limit: searchDepth }));
  }
}

/** The first passages of the newest documents, without a score. */
async function openings(ctx: Context, scope: PassageScope): Promise<Fused[]> {
  const rows = await sql<{ id: string }>`
    select chunk.id from (select version.id, document.created_at, document.id as document_id from ${publishedVersions(scope)}) version
    join lateral (select id, ordinal from document_chunk where version_id = version.id order by ordinal limit ${openingLength}) chunk on true
    order by version.created_at desc, version.document_id, chunk.ordinal limit ${rerankDepth}`.execute(kysely(ctx.em));
  return rows.rows.map(({ id }) => ({ chunkId: id, fused: 0, keyword: null, vector: null }));
}

/** The best passages in their new order, the others behind them. */
async function rankAgain(ctx: Context, question: Question, passages: readonly Fused[]): Promise<Pick<Ranking, 'passages' | 'degraded'>> {
  const byId = new Map(passages.slice(0, rerankDepth).map((passage) => [passage.chunkId, passage]));
  const candidates = (await loadPassages(ctx, [...byId.keys()])).map((passage) => ({ ...passage, relevance: byId.get(passage.chunkId)?.fused ?? 0 }));
  const { order, degraded } = await rerank(ctx, question, candidates);
  const others = passages.slice(rerankDepth).map((passage) => ({ ...passage, rerank: null }));
  return { passages: [...order.map(({ chunkId, score }) => ({ ...(byId.get(chunkId) as Fused), rerank: score })), ...others], degraded };
}
