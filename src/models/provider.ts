// What a provider of models is to the rest: how it is set up, what it offers, and the adapter that speaks its protocol.
import type { Embeddings } from '@langchain/core/embeddings';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';

/** What a model can be used for. */
export const modelCapabilities = ['CHAT', 'TOOLS', 'STREAMING', 'VISION', 'STRUCTURED_OUTPUT', 'REASONING', 'EMBEDDING', 'RERANK'] as const;
export type ModelCapability = (typeof modelCapabilities)[number];

/** A model as a provider's settings list it. */
export interface ModelSettings {
  /** As the provider calls it, "gpt-4o-mini". */
  readonly name: string;
  readonly capabilities: readonly ModelCapability[];
  /** In tokens; absent where it is not known or there is no limit. */
  readonly contextWindow?: number | null;
  readonly embeddingDimensions?: number | null;
  /** US dollars per million tokens; absent where it is not known. */
  readonly inputPricePerMillion?: number | null;
  readonly outputPricePerMillion?: number | null;
  /** Models that answer in its place, in order, by their ids. */
  readonly fallbacks?: readonly string[];
}

/** A provider as it is set up, by the installation or by a workspace. */
export interface ProviderSettings {
  /** Begins the ids of its models: "openai". */
  readonly id: string;
  readonly name: string;
  /** The adapter that speaks to it. */
  readonly kind: string;
  /** Null: the adapter's usual address. */
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  /** Who set it up. */
  readonly owner: 'INSTALLATION' | 'WORKSPACE';
  /** Who chose its address, if somebody else: an operator may point anywhere, a workspace only at public addresses. */
  readonly addressOwner?: 'INSTALLATION' | 'WORKSPACE';
  /** Not to be called as it is, e.g. because its stored key cannot be read. */
  readonly isDisabled?: boolean;
  readonly models: readonly ModelSettings[];
}

/** A provider as others see it: without its key. */
export interface ProviderInfo {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly baseUrl: string | null;
  /** Whether it can be called: its key is set, or it needs none. */
  readonly isConfigured: boolean;
  /** Who set it up. */
  readonly owner: 'INSTALLATION' | 'WORKSPACE';
}

/** A model of a provider. */
export interface ModelInfo {
  /** "openai:gpt-4o-mini". */
  readonly id: string;
  /** As the provider calls it, "gpt-4o-mini". */
  readonly name: string;
  readonly providerId: string;
  readonly capabilities: readonly ModelCapability[];
  /** In tokens; null where it is not known or there is no limit. */
  readonly contextWindow: number | null;
  readonly embeddingDimensions: number | null;
  /** US dollars per million tokens; null where it is not known. */
  readonly inputPricePerMillion: number | null;
  readonly outputPricePerMillion: number | null;
  /** Models that answer in its place, in order, where a profile names none. */
  readonly fallbacks: readonly string[];
  readonly isAvailable: boolean;
}

/** How a chat model is to answer; `temperature` is 0..2. */
export interface ChatOptions {
  readonly temperature: number;
  readonly maxOutputTokens: number;
}

/** What an adapter needs to reach a provider. All its requests go through `fetch`, which guards and pools them. */
export interface Connection {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  /** Empty for a provider that needs none. */
  readonly apiKey: string;
  readonly fetch: typeof fetch;
}

/** Ranks texts for a question by a model that is made for it. */
export interface Reranker {
  /** One score per text, in their order; more is better, in a measure of the model's own. `tokens` is what the provider says it read, else null. */
  rank(query: string, texts: readonly string[], signal: AbortSignal): Promise<{ readonly scores: readonly number[]; readonly tokens: number | null }>;
}

/**
 * Speaks one protocol, through LangChain's interfaces. Its models make one request per call and never repeat it: whoever
 * shows their tokens decides whether another attempt may follow.
 */
export interface ProviderAdapter {
  /** Its name in settings and in the API's enum ProviderKind. */
  readonly kind: string;
  /** For people, e.g. "Anthropic's Messages API." */
  readonly description: string;
  /** Null: settings must say where. */
  readonly usualUrl: string | null;
  readonly needsKey: boolean;
  /** It streams; its last chunk says why it ended, as `finishOf` reads it, and failures carry the HTTP `status` and `headers`. */
  chat(model: string, options: ChatOptions, connection: Connection): BaseChatModel;
  /** Absent where the protocol has no embeddings. */
  embeddings?(model: string, connection: Connection): Embeddings;
  /** Absent where the protocol has no ranking; chat models can rank nevertheless. */
  reranker?(model: string, connection: Connection): Reranker;
}
