// The endpoint `/rerank` of Cohere, Jina, Voyage, vLLM, llama.cpp, LiteLLM and others, below their base URL. There is no
// standard: what is sent is what all of them take, and what is read is what one or the other calls it.
import { z } from 'zod';
import { NoAnswerError, RefusedError } from './failures.ts';
import type { Connection, Reranker } from './provider.ts';

const scored = z.array(z.object({ index: z.int().nonnegative(), relevance_score: z.number() }));
const answer = z.object({
  results: scored.optional(),
  /** Voyage's. */
  data: scored.optional(),
  usage: z.object({ total_tokens: z.int().nonnegative() }).partial().nullish(),
});

/** Ranks by a model at such an endpoint. */
export function endpointReranker(model: string, { baseUrl, apiKey, fetch }: Connection): Reranker {
  return {
    async rank(query, texts, signal) {
      const response = await fetch(`${baseUrl}/rerank`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey !== '' && { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify({ model, query, documents: texts }),
        signal,
      });
      const body = await response.text();
      if (!response.ok) throw new RefusedError(response, body);
      const { results, data, usage } = answer.parse(JSON.parse(body));
      const scores: number[] = [];
      for (const { index, relevance_score: score } of results ?? data ?? []) scores[index] = score;
      // Whoever answers only the best of them leaves holes, which are no scores.
      const complete = Array.from({ length: texts.length }, (_, index) => scores[index] ?? NaN);
      if (scores.length > texts.length) throw new NoAnswerError('The server gave scores to texts that it was not sent.');
      return { scores: complete, tokens: usage?.total_tokens ?? null };
    },
  };
}
