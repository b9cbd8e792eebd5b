// Ranking by vectors: the question's vector, made by the model that made the passages', and its neighbours.
import type { Context } from '../context.ts';
import { publishedVersionIds, type PassageScope } from '../documents/passage-scope.ts';
import type { VectorMetric } from '../documents/vector-store.ts';
import { searchPatienceMs } from '../models/calls.ts';
import type { Models } from '../models/catalog.ts';
import type { OfflineEmbeddings } from '../models/offline-embeddings.ts';
import { modelsOf } from '../providers/catalog.ts';
import type { EmbedderKind, VectorRanking } from './fusion.ts';
import { questionVector, type EmbeddedQuestion } from './question-vectors.ts';

export interface VectorQuestion {
  readonly text: string;
  readonly scope: PassageScope;
  /** How rare each of the question's terms is in the scope; hashed vectors weigh terms by it. */
  readonly idf: ReadonlyMap<string, number>;
  readonly passageCount: number;
  /** The models of the passages' vectors. */
  readonly modelIds: readonly string[];
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly spent: EmbeddedQuestion['spent'];
}

export interface VectorAnswer {
  /** One per model that answered. */
  readonly rankings: readonly VectorRanking[];
  readonly degraded: readonly ('VECTOR_UNAVAILABLE' | 'EMBEDDER_UNAVAILABLE')[];
}

/** The nearest passages by each model; what could not be asked is in `degraded`. Throws when `signal` aborts. */
export async function rankByVectors(ctx: Context, question: VectorQuestion): Promise<VectorAnswer> {
  const { vectors } = ctx.app;
  if (!vectors.available) return { rankings: [], degraded: ['VECTOR_UNAVAILABLE'] };
  const rankings: VectorRanking[] = [];
  const models = await modelsOf(ctx);
  let failed = false;
  for (const modelId of question.modelIds) {
    const embedder = embedderKind(models, modelId);
    const vector = await embedQuestion(ctx, models, modelId, question);
    if (vector === null) {
      failed = true;
      continue;
    }
    const { scope, passageCount, limit } = question;
    const scores = await vectors.query(ctx.em, { modelId, metric: metrics[embedder], vector, limit, scope, versionIds: () => publishedVersionIds(ctx.em, scope), passageCount });
    rankings.push({ embedder, scores });
  }
  return { rankings, degraded: failed ? ['EMBEDDER_UNAVAILABLE'] : [] };
}

const metrics: Readonly<Record<EmbedderKind, VectorMetric>> = { HASHED: 'INNER_PRODUCT', LEARNED: 'COSINE' };

function embedderKind(models: Models, modelId: string): EmbedderKind {
  const model = models.find(modelId);
  const provider = models.providers().find(({ id }) => id === model?.providerId);
  return provider?.kind === 'OFFLINE' ? 'HASHED' : 'LEARNED';
}

/** The question's vector; null when the embedder failed or took too long, which is logged. */
async function embedQuestion(ctx: Context, models: Models, modelId: string, { text, idf, signal, spent }: VectorQuestion): Promise<readonly number[] | null> {
  signal.throwIfAborted();
  try {
    if (embedderKind(models, modelId) === 'HASHED') return await (models.embeddings(modelId) as OfflineEmbeddings).embedQuery(text, (stem) => idf.get(stem) ?? 0);
    return await questionVector(ctx, models, { modelId, text, spent, signal: AbortSignal.any([signal, AbortSignal.timeout(searchPatienceMs)]) });
  } catch (error) {
    signal.throwIfAborted();
    ctx.log.warn({ err: error, modelId }, 'the question could not be embedded; it is searched by its words');
    return null;
  }
}
