// OpenAI, and every server that speaks its protocol: which models it offers and how they are called.

import type { Embeddings } from '@langchain/core/embeddings';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import type { ChatOptions, ModelCapability, ModelInfo, ProviderInfo } from './provider.ts';

/** How OpenAI is reached; without a key its models are listed as not available. */
export interface OpenAISettings {
  readonly apiKey: string | null;
  readonly baseUrl: string | null;
  /** Further models, by the provider's own names; what is not in the list below has no known price. */
  readonly chatModel: string | null;
  readonly embeddingModel: string | null;
}

/** Chat calls are not repeated here: whoever shows their tokens decides whether another attempt may follow. */
const chatRetries = 0;
/** Embedding calls show nothing before they are complete, so they are repeated with growing pauses. */
const embeddingRetries = 3;
/** Until the answer begins; a stream that has begun is bounded by the caller's signal. */
const chatTimeoutMs = 60_000;
/** One batch of passages. */
const embeddingTimeoutMs = 30_000;
const embeddingBatch = 128;
const officialUrl = 'https://api.openai.com/v1';

/** The provider and its models. */
export function openaiProvider(settings: OpenAISettings): { provider: ProviderInfo; models: ModelInfo[] } {
  const isConfigured = settings.apiKey !== null;
  const isOfficial = settings.baseUrl === null || new URL(settings.baseUrl).host === new URL(officialUrl).host;
  const provider: ProviderInfo = {
    id: 'openai',
    name: isOfficial ? 'OpenAI' : 'OpenAI-compatible',
    kind: isOfficial ? 'OPENAI' : 'OPENAI_COMPATIBLE',
    baseUrl: settings.baseUrl ?? officialUrl,
    isConfigured,
  };
  const listed = [...known];
  addUnlisted(listed, settings.chatModel, { capabilities: ['CHAT', 'STREAMING', 'TOOLS'] });
  addUnlisted(listed, settings.embeddingModel, { capabilities: ['EMBEDDING'] });
  const models = listed.map(({ name, capabilities, contextWindow = null, dimensions = null, prices }): ModelInfo => ({
    id: `openai:${name}`,
    name,
    providerId: 'openai',
    capabilities,
    contextWindow,
    embeddingDimensions: dimensions,
    inputPricePerMillion: prices?.[0] ?? null,
    outputPricePerMillion: prices?.[1] ?? null,
    isAvailable: isConfigured,
  }));
  return { provider, models };
}

/** A chat model that streams and ends with the tokens used. */
export function openaiChat(name: string, apiKey: string, baseUrl: string | null, options: ChatOptions): BaseChatModel {
  return new ChatOpenAI({
    model: name,
    apiKey,
    configuration: { baseURL: baseUrl ?? officialUrl, fetch: withoutKey(apiKey) },
    // Reasoning models refuse a temperature.
    ...(/^(?:o\d|gpt-5)/.test(name) ? {} : { temperature: options.temperature }),
    maxTokens: options.maxOutputTokens,
    streamUsage: true,
    timeout: chatTimeoutMs,
    maxRetries: chatRetries,
  });
}

/** An embedder; passages are sent in batches. */
export function openaiEmbeddings(name: string, apiKey: string, baseUrl: string | null): Embeddings {
  return new OpenAIEmbeddings({
    model: name,
    apiKey,
    configuration: { baseURL: baseUrl ?? officialUrl, fetch: withoutKey(apiKey) },
    batchSize: embeddingBatch,
    stripNewLines: false,
    encodingFormat: 'float',
    timeout: embeddingTimeoutMs,
    maxRetries: embeddingRetries,
  });
}

/** Providers quote a wrong key in their errors; it is taken out before anything can log it. */
function withoutKey(apiKey: string): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.ok) return response;
    const text = (await response.text()).replaceAll(apiKey, '***');
    return new Response(text, { status: response.status, statusText: response.statusText, headers: response.headers });
  };
}

interface KnownModel {
  readonly name: string;
  readonly capabilities: readonly ModelCapability[];
  readonly contextWindow?: number;
  readonly dimensions?: number;
  /** US dollars per million tokens in and out, https://platform.openai.com/docs/pricing. */
  readonly prices?: readonly [input: number, output: number];
}

const full: readonly ModelCapability[] = ['CHAT', 'TOOLS', 'STREAMING', 'VISION', 'STRUCTURED_OUTPUT'];
const plain: readonly ModelCapability[] = ['CHAT', 'TOOLS', 'STREAMING'];
const known: readonly KnownModel[] = [
  { name: 'gpt-4o-mini', capabilities: full, contextWindow: 128_000, prices: [0.15, 0.6] },
  { name: 'gpt-4o', capabilities: full, contextWindow: 128_000, prices: [2.5, 10] },
  { name: 'gpt-4.1-mini', capabilities: full, contextWindow: 1_047_576, prices: [0.4, 1.6] },
  { name: 'gpt-4.1', capabilities: full, contextWindow: 1_047_576, prices: [2, 8] },
  { name: 'gpt-4', capabilities: plain, contextWindow: 8_192, prices: [30, 60] },
  { name: 'gpt-3.5-turbo', capabilities: plain, contextWindow: 16_385, prices: [0.5, 1.5] },
  { name: 'text-embedding-3-small', capabilities: ['EMBEDDING'], contextWindow: 8_192, dimensions: 1_536, prices: [0.02, 0] },
  { name: 'text-embedding-3-large', capabilities: ['EMBEDDING'], contextWindow: 8_192, dimensions: 3_072, prices: [0.13, 0] },
];

function addUnlisted(listed: KnownModel[], name: string | null, model: Omit<KnownModel, 'name'>): void {
  if (name !== null && !listed.some((other) => other.name === name)) listed.push({ name, ...model });
}
