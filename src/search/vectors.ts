// Ranking by vectors: the question's vector, made by the model that made the passages', and its neighbours.
import type { Context } from '../context.ts';
import type { PassageScope } from '../documents/passage-scope.ts';
import type { VectorMetric } from '../documents/vector-store.ts';
import { OfflineEmbeddings } from '../models/offline-embeddings.ts';
import type { EmbedderKind, VectorRanking } from './fusion.ts';

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
}

export interface VectorAnswer {
  /** One per model that answered. */
  readonly rankings: readonly VectorRanking[];
  readonly degraded: readonly ('VECTOR_UNAVAILABLE' | 'EMBEDDER_UNAVAILABLE')[];
}

/** Milliseconds after which search goes on without the embedder. */
const embedderTimeoutMs = 10_000;

/** The nearest passages by each model; what could not be asked is in `degraded`. Throws when `signal` aborts. */
export async function rankByVectors(ctx: Context, question: VectorQuestion): Promise<VectorAnswer> {
  const { vectors } = ctx.app;
  if (!vectors.available) return { rankings: [], degraded: ['VECTOR_UNAVAILABLE'] };
  const rankings: VectorRanking[] = [];
  let failed = false;
  for (const modelId of question.modelIds) {
    const embedder = embedderKind(ctx, modelId);
    const vector = await embedQuestion(ctx, modelId, question);
    if (vector === null) {
      failed = true;
      continue;
    }
    const { scope, passageCount, limit } = question;
    const scores = await vectors.query(ctx.em, { modelId, metric: metrics[embedder], vector, limit, scope, passageCount });
    rankings.push({ embedder, scores });
  }
  return { rankings, degraded: failed ? ['EMBEDDER_UNAVAILABLE'] : [] };
}

const metrics: Readonly<Record<EmbedderKind, VectorMetric>> = { HASHED: 'INNER_PRODUCT', LEARNED: 'COSINE' };

function embedderKind({ app }: Context, modelId: string): EmbedderKind {
  const model = app.models.find(modelId);
  const provider = app.models.providers().find(({ id }) => id === model?.providerId);
  return provider?.kind === 'OFFLINE' ? 'HASHED' : 'LEARNED';
}

/** The question's vector; null when the embedder failed or took too long, which is logged. */
async function embedQuestion(ctx: Context, modelId: string, { text, idf, signal }: VectorQuestion): Promise<number[] | null> {
  signal.throwIfAborted();
  try {
    const embedder = ctx.app.models.embeddings(modelId);
    const asked = embedder instanceof OfflineEmbeddings ? embedder.embedQuery(text, (stem) => idf.get(stem) ?? 0) : embedder.embedQuery(text);
    return await within(asked, signal);
  } catch (error) {
    signal.throwIfAborted();
    ctx.log.warn({ err: error, modelId }, 'the question could not be embedded; it is searched by its words');
    return null;
  }
}

/** What `work` gives, unless the time is up or nobody waits any more; then it is left to itself. */
async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(embedderTimeoutMs)]);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(over.reason as Error);
  over.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    over.removeEventListener('abort', abort);
    work.catch(() => undefined);
  }
}
