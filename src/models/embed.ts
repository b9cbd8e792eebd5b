// Texts to vectors, by an embedding model: complete and of one size, or a failure in our own words.
import type { Embeddings } from '@langchain/core/embeddings';
import { countTokens } from '../text/counts.ts';
import { insist, underSignal, waitedForMs, type CalledModel, type CallParts } from './calls.ts';
import { ModelNotConfiguredError, NoAnswerError } from './failures.ts';
import type { ModelInfo } from './provider.ts';

export interface EmbedRequest {
  readonly modelId: string;
  readonly texts: readonly string[];
  /** A question and the passages that answer it may be embedded differently. */
  readonly as: 'QUERY' | 'DOCUMENTS';
  readonly signal: AbortSignal;
}

/** Tokens and US dollars of a call. */
export interface EmbeddingUsage {
  readonly modelId: string;
  readonly tokens: number;
  readonly costUsd: number;
  /** Whether the tokens were counted here, since the provider did not report them. */
  readonly estimated: boolean;
}

/** One vector per text, in order, all of one size, and what they cost. */
export interface Embedded {
  readonly vectors: readonly (readonly number[])[];
  readonly usage: EmbeddingUsage;
}

/** An embedder with what is needed to call and account for it. */
export interface Embedder extends CalledModel {
  readonly info: ModelInfo | undefined;
  /** Throws where it is unknown or cannot be used. */
  open(): Embeddings;
}

/** Embeds; rejects with the signal's reason when it aborts, or with ProviderError. */
export async function embed(model: Embedder, { texts, as, signal }: Omit<EmbedRequest, 'modelId'>, parts: CallParts): Promise<Embedded> {
  signal.throwIfAborted();
  if (texts.length === 0) return { vectors: [], usage: { modelId: model.id, tokens: 0, costUsd: 0, estimated: false } };
  const vectors = await insist(model, parts, {
    signal,
    timeoutMs: as === 'QUERY' ? waitedForMs(parts) : parts.limits.embeddingMs,
    async request(time) {
      const embedder = model.open();
      const made = await time.race(
        underSignal(time.signal, () => (as === 'QUERY' ? Promise.all(texts.map((text) => embedder.embedQuery(text))) : embedder.embedDocuments([...texts]))),
      );
      return checked(made, texts.length, model);
    },
  });
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  const costUsd = (tokens * (model.info?.inputPricePerMillion ?? 0)) / 1e6;
  parts.metrics.modelTokens.inc({ model: model.label, direction: 'in' }, tokens);
  parts.metrics.modelCost.inc({ model: model.label }, costUsd);
  return { vectors, usage: { modelId: model.id, tokens, costUsd, estimated: true } };
}

/** Vectors that can be stored and compared with the model's others, or an error. */
function checked(vectors: number[][], count: number, { id, info }: Embedder): number[][] {
  if (vectors.length !== count) throw new NoAnswerError(`The embedder answered ${vectors.length} vectors to ${count} texts.`);
  const size = vectors[0]?.length ?? 0;
  for (const vector of vectors) {
    if (vector.length === 0 || vector.length !== size) throw new NoAnswerError(`The embedder answered vectors of ${size} and of ${vector.length} numbers.`);
    if (!vector.every(Number.isFinite)) throw new NoAnswerError('The embedder answered something that is no number.');
  }
  const expected = info?.embeddingDimensions;
  if (expected != null && size !== expected) {
    throw new ModelNotConfiguredError(id, `The model "${id}" embeds in ${size} dimensions, and the catalog says ${expected}. Correct the catalog, or choose another model.`);
  }
  return vectors;
}
