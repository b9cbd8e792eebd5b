// What every provider of models tells about itself and its models.

/** The protocol a provider speaks. */
export type ProviderKind = 'OPENAI' | 'GEMINI' | 'ANTHROPIC' | 'OPENAI_COMPATIBLE' | 'OFFLINE';

/** What a model can be used for. */
export type ModelCapability = 'CHAT' | 'TOOLS' | 'STREAMING' | 'VISION' | 'STRUCTURED_OUTPUT' | 'REASONING' | 'EMBEDDING' | 'RERANK';

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
  readonly isAvailable: boolean;
}

/** A provider; `isConfigured` says whether its key is set. */
export interface ProviderInfo {
  readonly id: string;
  readonly name: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string | null;
  readonly isConfigured: boolean;
}

/** How a chat model is to answer; `temperature` is 0..2. */
export interface ChatOptions {
  readonly temperature: number;
  readonly maxOutputTokens: number;
}
