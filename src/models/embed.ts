// Texts to vectors, by an embedding model: complete and of one size, or a failure in our own words.
import { countTokens } from '../text/counts.ts';
import type { Models } from './catalog.ts';
import { classifyProviderError, ProviderError } from './failures.ts';

export interface EmbedRequest {
  readonly modelId: string;
  readonly texts: readonly string[];
  /** A question and the passages that answer it may be embedded differently. */
  readonly as: 'QUERY' | 'DOCUMENTS';
  readonly signal: AbortSignal;
}

/** One vector per text, in order, all of one size; tokens and US dollars of the call. */
export interface Embedded {
  readonly vectors: readonly (readonly number[])[];
  readonly tokens: number;
  readonly costUsd: number;
  /** Whether the tokens were counted here, since the provider did not report them. */
  readonly estimated: boolean;
}

/** Embeds; rejects with the signal's reason when it aborts, or with ProviderError. */
export async function embed(models: Models, { modelId, texts, as, signal }: EmbedRequest): Promise<Embedded> {
  signal.throwIfAborted();
  try {
    const embedder = models.embeddings(modelId);
    const vectors = as === 'QUERY' ? await Promise.all(texts.map((text) => embedder.embedQuery(text))) : await embedder.embedDocuments([...texts]);
    if (vectors.length !== texts.length) throw new Error(`The embedder answered ${vectors.length} vectors to ${texts.length} texts.`);
    const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
    return { vectors, tokens, costUsd: (tokens * (models.find(modelId)?.inputPricePerMillion ?? 0)) / 1e6, estimated: true };
  } catch (error) {
    signal.throwIfAborted();
    throw new ProviderError(classifyProviderError(error), { providerId: models.find(modelId)?.providerId ?? '', attempts: 1, cause: error });
  }
}
