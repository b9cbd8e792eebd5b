// OpenAI's Chat Completions and Embeddings, and every server that speaks them: Ollama, vLLM, LiteLLM and others.
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import type { Connection, ProviderAdapter } from './provider.ts';

/** Passages of one request. */
const embeddingBatch = 128;

export const openai: ProviderAdapter = {
  kind: 'OPENAI',
  description: "OpenAI's API.",
  usualUrl: 'https://api.openai.com/v1',
  needsKey: true,
  chat: (model, { temperature, maxOutputTokens }, { baseUrl, apiKey, fetch }) =>
    new ChatOpenAI({
      model,
      apiKey,
      configuration: { baseURL: baseUrl, fetch, logLevel: 'off' },
      // Reasoning models refuse a temperature.
      ...(/^(?:o\d|gpt-5)/.test(model) ? {} : { temperature }),
      maxTokens: maxOutputTokens,
      streamUsage: true,
      maxRetries: 0,
    }),
  embeddings: openaiEmbeddings,
};

/** The client insists on a key, which servers of one's own do not look at. */
const noKey = 'none';

export const openaiCompatible: ProviderAdapter = {
  ...openai,
  kind: 'OPENAI_COMPATIBLE',
  description: "Any server that speaks OpenAI's protocol, at its own base URL.",
  usualUrl: null,
  needsKey: false,
  chat: (model, options, connection) => openai.chat(model, options, { ...connection, apiKey: connection.apiKey || noKey }),
  embeddings: (model, connection) => openaiEmbeddings(model, { ...connection, apiKey: connection.apiKey || noKey }),
};

function openaiEmbeddings(model: string, { baseUrl, apiKey, fetch }: Connection): OpenAIEmbeddings {
  return new OpenAIEmbeddings({
    model,
    apiKey,
    configuration: { baseURL: baseUrl, fetch, logLevel: 'off' },
    batchSize: embeddingBatch,
    stripNewLines: false,
    encodingFormat: 'float',
    maxRetries: 0,
  });
}
