// Rankings kept for equal questions. The key is everything that a ranking follows from: the question, how it is asked, the
// scope, the models that take part and where they are, and a stamp of what the scope holds, read from the rows each time. So
// a ranking is never served for other passages than it was made of, whatever message was lost. Degraded ones are not kept.
// Measured over 1,000 passages (`npm run bench:cache`): a hit takes a fifth to a tenth of the time of a search, nearly all
// of it for the stamp and the page. The stamp makes a miss about a tenth longer.
import type { Context } from '../context.ts';
import { scopeStamp, type ScopeStamp } from '../documents/passage-scope.ts';
import { modelIdentity } from '../models/identity.ts';
import { cacheKind, keyFrom } from '../platform/cache.ts';
import { modelsOf } from '../providers/catalog.ts';
import { rankPassages, termsOf, type Question, type Ranked, type Ranking } from './ranking.ts';

interface Kept {
  readonly passages: readonly Ranked[];
  readonly total: number;
  readonly openings: boolean;
}

const rankings = cacheKind<Kept>({ name: 'search', version: 1, ttlSeconds: 3_600, maxEntries: 2_000, maxBytes: 32 * 1024 ** 2 });

/** The best passages of a ranking that are kept: a page, or all that an answer can use. Who pages on has it ranked again. */
const keptDepth = 100;

/** A ranking of which perhaps only the best passages are there. */
export interface KeptRanking extends Ranking {
  /** Passages of the whole ranking. */
  readonly total: number;
  /** Whether it was kept from an equal question over equal passages. */
  readonly cached: boolean;
}

/** As rankPassages, for whoever needs the `depth` best. */
export async function rankOnce(ctx: Context, question: Question, depth: number): Promise<KeptRanking> {
  const { cache } = ctx.app;
  const stamp = await scopeStamp(ctx.em, question.scope);
  const key = await keyOf(ctx, question, stamp);
  const kept = await cache.get(rankings, key);
  if (kept && Math.min(depth, kept.total) <= kept.passages.length) return { ...kept, degraded: [], terms: termsOf(question.text), cached: true };
  const ranking = await rankPassages(ctx, question);
  const { passages, openings } = ranking;
  // Nobody waits for Redis; in memory it is at once. What was published or attached since the stamp was read may be among
  // these: it has another stamp by now, and the old one never comes back.
  if (ranking.degraded.length === 0) void cache.set(rankings, key, { passages: passages.slice(0, keptDepth), total: passages.length, openings }, { ttlSeconds: rankings.ttlSeconds });
  return { ...ranking, total: passages.length, cached: false };
}

async function keyOf(ctx: Context, { text, scope, mode, minScore, rerank, rerankModelId }: Question, { hash, embeddingModelIds }: ScopeStamp): Promise<string> {
  const models = await modelsOf(ctx);
  const embedders = [...embeddingModelIds].sort().map((id) => modelIdentity(models, id));
  const reranker = rerankModelId === null ? null : modelIdentity(models, rerankModelId);
  return keyFrom([scope, hash, embedders, text, mode, minScore, rerank, reranker]);
}
