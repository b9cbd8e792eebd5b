// The installation's providers and default models, as the environment sets them up.
import { openai } from './openai.ts';
import type { ModelCapability, ModelSettings, ProviderSettings } from './provider.ts';

/** Keys, addresses and chosen models, as the environment gives them; a model may be named with or without its provider. */
export interface EnvironmentModels {
  readonly openaiApiKey?: string | null;
  readonly openaiBaseUrl?: string | null;
  readonly chatModel?: string | null;
  readonly embeddingModel?: string | null;
}

/** What the catalog is made of. */
export interface Installation {
  readonly providers: readonly ProviderSettings[];
  /** Ids of the models used where nothing else is chosen, the first of each that can be used. */
  readonly chatModelIds: readonly string[];
  readonly embeddingModelIds: readonly string[];
}

export function installationOf(environment: EnvironmentModels = {}): Installation {
  const chat = modelId(environment.chatModel) ?? 'openai:gpt-4o-mini';
  const embedding = modelId(environment.embeddingModel) ?? 'openai:text-embedding-3-small';
  const baseUrl = environment.openaiBaseUrl || null;
  const isOfficial = baseUrl === null || new URL(baseUrl).host === new URL(openai.usualUrl as string).host;
  const models = [...known];
  addUnlisted(models, chat, ['CHAT', 'STREAMING', 'TOOLS']);
  addUnlisted(models, embedding, ['EMBEDDING']);
  const provider: ProviderSettings = {
    id: 'openai',
    name: isOfficial ? 'OpenAI' : 'OpenAI-compatible',
    kind: isOfficial ? 'OPENAI' : 'OPENAI_COMPATIBLE',
    baseUrl: baseUrl ?? openai.usualUrl,
    apiKey: environment.openaiApiKey || null,
    owner: 'INSTALLATION',
    models,
  };
  return { providers: [provider], chatModelIds: [chat], embeddingModelIds: [embedding] };
}

/** "gpt-4o" and "openai:gpt-4o" are the same; in "llama3:8b" the colon belongs to the name. */
function modelId(given: string | null | undefined): string | null {
  if (!given) return null;
  return /^(?:offline|openai|anthropic|google|gemini):./.test(given) ? given : `openai:${given}`;
}

function addUnlisted(listed: ModelSettings[], id: string, capabilities: readonly ModelCapability[]): void {
  const [, name] = /^openai:(.+)$/.exec(id) ?? [];
  if (name !== undefined && !listed.some((other) => other.name === name)) listed.push({ name, capabilities });
}

const full: readonly ModelCapability[] = ['CHAT', 'TOOLS', 'STREAMING', 'VISION', 'STRUCTURED_OUTPUT'];
const plain: readonly ModelCapability[] = ['CHAT', 'TOOLS', 'STREAMING'];
const known: readonly ModelSettings[] = [
  { name: 'gpt-4o-mini', capabilities: full, contextWindow: 128_000, inputPricePerMillion: 0.15, outputPricePerMillion: 0.6 },
  { name: 'gpt-4o', capabilities: full, contextWindow: 128_000, inputPricePerMillion: 2.5, outputPricePerMillion: 10 },
  { name: 'gpt-4.1-mini', capabilities: full, contextWindow: 1_047_576, inputPricePerMillion: 0.4, outputPricePerMillion: 1.6 },
  { name: 'gpt-4.1', capabilities: full, contextWindow: 1_047_576, inputPricePerMillion: 2, outputPricePerMillion: 8 },
  { name: 'gpt-4', capabilities: plain, contextWindow: 8_192, inputPricePerMillion: 30, outputPricePerMillion: 60 },
  { name: 'gpt-3.5-turbo', capabilities: plain, contextWindow: 16_385, inputPricePerMillion: 0.5, outputPricePerMillion: 1.5 },
  { name: 'text-embedding-3-small', capabilities: ['EMBEDDING'], contextWindow: 8_192, embeddingDimensions: 1_536, inputPricePerMillion: 0.02, outputPricePerMillion: 0 },
  { name: 'text-embedding-3-large', capabilities: ['EMBEDDING'], contextWindow: 8_192, embeddingDimensions: 3_072, inputPricePerMillion: 0.13, outputPricePerMillion: 0 },
];
