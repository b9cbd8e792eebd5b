// OpenAI's Chat Completions and Embeddings, and every server that speaks them: Ollama, vLLM, LiteLLM and others.
import { ChatOpenAICompletions, OpenAIEmbeddings, type ChatOpenAIFields } from '@langchain/openai';
import type { Connection, ProviderAdapter } from './provider.ts';
import { endpointReranker } from './rerank-endpoint.ts';

/** Passages of one request. */
const embeddingBatch = 128;

export const openai: ProviderAdapter = {
  kind: 'OPENAI',
  description: "OpenAI's API.",
  usualUrl: 'https://api.openai.com/v1',
  needsKey: true,
  chat(model, { temperature, maxOutputTokens }, { baseUrl, apiKey, fetch }) {
    const fields: ChatOpenAIFields = {
      model,
      apiKey,
      configuration: { baseURL: baseUrl, fetch, logLevel: 'off' },
      // Reasoning models refuse a temperature.
      ...(/^(?:o\d|gpt-5)/.test(model) ? {} : { temperature }),
      maxTokens: maxOutputTokens,
      streamUsage: true,
      maxRetries: 0,
    };
    // Under every model's name: other servers know nothing of the Responses API.
    return new Completions(fields);
  },
  embeddings: openaiEmbeddings,
};

/** Not every server says whose words it streams, and without a role LangChain drops all but the text; some call the reasoning otherwise. */
class Completions extends ChatOpenAICompletions {
  protected override _convertCompletionsDeltaToBaseMessageChunk(...[delta, response, role]: Delta): ReturnType<ChatOpenAICompletions['_convertCompletionsDeltaToBaseMessageChunk']> {
    const reasoning = delta['reasoning_content'] ?? delta['reasoning'];
    return super._convertCompletionsDeltaToBaseMessageChunk(reasoning == null ? delta : { ...delta, reasoning_content: reasoning }, response, role ?? 'assistant');
  }
}
type Delta = Parameters<ChatOpenAICompletions['_convertCompletionsDeltaToBaseMessageChunk']>;

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
  reranker: endpointReranker,
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
