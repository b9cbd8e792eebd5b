// What can be asked of the passages: a search by a person, and the retrieval for an answer. Both rank by the same function.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { permit, type Context } from '../context.ts';
import { Document } from '../documents/entity.ts';
import type { PassageScope } from '../documents/passage-scope.ts';
import { chunksById, type ChunkRow } from '../documents/reading.ts';
import type { RetrievalSettings } from '../graph/scope.ts';
import { NotFoundError, unauthenticated, validate, ValidationError } from '../platform/errors.ts';
import { profileVersionForRun } from '../profiles/service.ts';
import { book } from '../usage/ledger.ts';
import { highlights, type Highlight } from './highlights.ts';
import { loadPassages, type Passage } from './passages.ts';
import type { EmbeddedQuestion } from './question-vectors.ts';
import { searchModes, type Ranked, type SearchDegradation, type SearchMode } from './ranking.ts';
import { rankOnce } from './search-cache.ts';

export interface SearchInput {
  readonly query: string;
  readonly profileId: string | null;
  readonly documentIds: readonly string[] | null;
  readonly mode: SearchMode;
  readonly minScore: number | null;
  readonly rerank: boolean;
  readonly tags: readonly string[] | null;
}

export interface SearchHit {
  readonly cursor: string;
  readonly chunk: ChunkRow;
  /** From 1. */
  readonly rank: number;
  readonly scores: Ranked;
  /** Offsets in the chunk's text. */
  readonly highlights: () => Highlight[];
}

export interface SearchResults {
  readonly hits: readonly SearchHit[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** Passages found, at most `searchDepth`. */
  readonly totalCount: number;
  readonly tookMs: number;
  readonly cached: boolean;
  readonly degraded: readonly SearchDegradation[];
}

const searchRules = z.object({
  query: z
    .string()
    .max(2_000, 'The query has more than 2,000 characters. Ask for less at once.')
    .refine((query) => query.trim() !== '', { error: 'The query is empty. Say what to look for.', params: { constraint: 'minLength' } })
    .refine((query) => query.isWellFormed(), { error: 'The query contains half of a surrogate pair, which is no character.', params: { constraint: 'characters' } }),
  documentIds: z.array(z.string()).max(1_000, 'A search takes at most 1,000 documentIds.').nullable(),
  mode: z.enum(searchModes),
  minScore: z.number().min(0, 'minScore is at least 0.').max(1, 'minScore is at most 1.').nullable(),
  tags: z
    .array(z.string().max(50, 'A tag has at most 50 characters.').refine((tag) => tag.isWellFormed() && !tag.includes('\0'), { error: 'No document can have this tag.', params: { constraint: 'characters' } }))
    .max(20, 'A search takes at most 20 tags.')
    .nullable(),
});

/** One page of the passages that answer a query, best first; throws VALIDATION_FAILED, and NotFoundError for ids of the input. */
export async function search(ctx: Context, input: SearchInput, page: { first: number; after: string | null }): Promise<SearchResults> {
  const started = performance.now();
  const viewer = permit(ctx, 'DOCUMENT_READ');
  const { query, mode, minScore, tags, documentIds } = validate(searchRules, input);
  const { profileId } = input;
  const digest = digestOf([viewer.workspaceId, query, mode, minScore, tags, documentIds, profileId, input.rerank]);
  const from = readPage(page, digest);
  const profile = profileId === null ? null : await profileVersionForRun(ctx, profileId);
  if (documentIds !== null) await assertDocuments(ctx, documentIds);
  const scope: PassageScope = { workspaceId: viewer.workspaceId, profileId, documentIds, tags };
  const spent: EmbeddedQuestion['spent'] = (spent) => book(ctx, { userId: viewer.userId, profileId }, [spent]);
  const { passages, degraded, terms, total, cached } = await rankOnce(ctx, { text: query, scope, mode, minScore: minScore ?? 0, rerank: input.rerank, rerankModelId: profile?.retrieval.rerankModelId ?? null, signal: ctx.signal, spent }, from + page.first);
  const wanted = passages.slice(from, from + page.first);
  const chunks = new Map((await chunksById(ctx, wanted.map(({ chunkId }) => chunkId))).map((chunk) => [chunk.id, chunk]));
  const hits = wanted.flatMap((scores, index): SearchHit[] => {
    // Another version may have been published since the passages were ranked.
    const chunk = chunks.get(scores.chunkId);
    const rank = from + index + 1;
    return chunk ? [{ cursor: writeCursor(digest, rank), chunk, rank, scores, highlights: () => highlights(chunk.text, terms) }] : [];
  });
  return {
    hits,
    hasNextPage: from + page.first < total,
    hasPreviousPage: from > 0,
    totalCount: total,
    tookMs: Math.round(performance.now() - started),
    cached,
    degraded,
  };
}

export interface Retrieval {
  /** Best first; together within the settings' topK and maxContextTokens. */
  readonly passages: readonly (Passage & { readonly scores: Ranked })[];
  readonly degraded: readonly SearchDegradation[];
  /** Whether nothing matched a question about the whole, and these are what the documents begin with; they have no score. */
  readonly openings: boolean;
}

export interface RetrievalQuestion {
  readonly question: string;
  /** Only documents of this profile. */
  readonly profileId: string | null;
  readonly settings: RetrievalSettings;
  readonly signal: AbortSignal;
  readonly spent: EmbeddedQuestion['spent'];
}

/** The passages for an answer, for whoever the context acts; `settings.mode` is not looked at. Throws when `signal` aborts. */
export async function retrieve(ctx: Context, { question, profileId, settings, signal, spent }: RetrievalQuestion): Promise<Retrieval> {
  if (ctx.workspaceId === null) throw unauthenticated();
  const scope: PassageScope = { workspaceId: ctx.workspaceId, profileId, documentIds: null, tags: null };
  const { searchMode, topK, minScore, maxContextTokens, rerank, rerankModelId } = settings;
  const text = question.slice(0, longestQuestion).toWellFormed();
  const ranking = await rankOnce(ctx, { text, scope, mode: searchMode, minScore, rerank, rerankModelId, signal, spent }, topK * 2);
  // More than topK, because a passage that is too long for what is left makes room for the next.
  const best = ranking.passages.slice(0, topK * 2);
  const loaded = new Map((await loadPassages(ctx, best.map(({ chunkId }) => chunkId))).map((passage) => [passage.chunkId, passage]));
  const passages: (Passage & { scores: Ranked })[] = [];
  let tokensLeft = maxContextTokens;
  for (const scores of best) {
    const passage = loaded.get(scores.chunkId);
    if (!passage || passage.tokenCount > tokensLeft || passages.length === topK) continue;
    tokensLeft -= passage.tokenCount;
    passages.push({ ...passage, scores });
  }
  return { passages, degraded: ranking.degraded, openings: ranking.openings };
}

/** UTF-16 code units of a message that are looked for; nobody asks for more at once, and each term costs time. */
const longestQuestion = 2_000;


async function assertDocuments(ctx: Context, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const found = await scoped(ctx, Document).select().select('id').where('id', 'in', [...ids]).where('status', '!=', 'DELETING').execute();
  const known = new Set(found.map((row) => row.id));
  const missing = ids.findIndex((id) => !known.has(id));
  if (missing >= 0) throw new NotFoundError('Document', null, ['documentIds', String(missing)]);
}

// ---------- cursors: a rank in the results of one query ----------

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16);
}

function writeCursor(digest: string, rank: number): string {
  return Buffer.from(`${digest}:${rank}`).toString('base64url');
}

/** How many results precede the page. */
function readPage({ first, after }: { first: number; after: string | null }, digest: string): number {
  if (first < 1 || first > 100) throw new ValidationError(`"first" is ${first}; ask for 1 to 100 at once and page on with cursors.`, ['first'], 'range');
  if (after === null) return 0;
  const [, of, rank] = /^([\w-]{16}):(\d{1,4})$/.exec(Buffer.from(after, 'base64url').toString()) ?? [];
  if (of !== digest) throw new ValidationError('"after" is not a cursor of this search. Pass an endCursor with the same input that gave it.', ['after'], 'cursor');
  return Number(rank);
}
