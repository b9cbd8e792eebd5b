// Every model that can be used, by its id ("openai:gpt-4o-mini"), behind LangChain's interfaces.
// Without any key the offline models serve; a key adds its provider's models and makes them the default.

import type { Embeddings } from '@langchain/core/embeddings';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { ModelNotConfiguredError, UnknownModelError } from './failures.ts';
import { OfflineChatModel } from './offline-chat.ts';
import { offlineDimensions, OfflineEmbeddings } from './offline-embeddings.ts';
import { openaiChat, openaiEmbeddings, openaiProvider, type OpenAISettings } from './openai.ts';
import type { ChatOptions, ModelCapability, ModelInfo, ProviderInfo } from './provider.ts';

export type { ChatOptions, ModelCapability, ModelInfo, ProviderInfo, ProviderKind } from './provider.ts';

/** Keys, addresses and chosen models, as the environment gives them; a model may be named with or without its provider. */
export interface ModelSettings {
  readonly openaiApiKey?: string | null;
  readonly openaiBaseUrl?: string | null;
  readonly chatModel?: string | null;
  readonly embeddingModel?: string | null;
}

/** The models of this process. */
export interface Models {
  providers(): readonly ProviderInfo[];
  /** All models, or those that can do something, e.g. "CHAT"; those that lack a key are included and say so. */
  models(capability?: ModelCapability): readonly ModelInfo[];
  find(id: string): ModelInfo | undefined;
  readonly defaultChatModelId: string;
  readonly defaultEmbeddingModelId: string;
  /** Throws UnknownModelError, or ModelNotConfiguredError where the key is missing or the model is not a chat model. */
  chat(id: string, options: ChatOptions): BaseChatModel;
  /** Throws UnknownModelError, or ModelNotConfiguredError where the key is missing or the model is not an embedder. */
  embeddings(id: string): Embeddings;
  /** Idempotent. */
  close(): Promise<void>;
}

export const offlineChatModelId = 'offline:extractive';
export const offlineEmbeddingModelId = 'offline:bm25-hash';

/** The catalog for these settings; throws UnknownModelError where a chosen default names a model that cannot exist. */
export function createModels(settings: ModelSettings = {}): Models {
  const chosen = { chat: parseId(settings.chatModel), embedding: parseId(settings.embeddingModel) };
  const openai: OpenAISettings = {
    apiKey: settings.openaiApiKey || null,
    baseUrl: settings.openaiBaseUrl || null,
    chatModel: chosen.chat?.providerId === 'openai' ? chosen.chat.name : null,
    embeddingModel: chosen.embedding?.providerId === 'openai' ? chosen.embedding.name : null,
  };
  const remote = openaiProvider(openai);
  const providers: readonly ProviderInfo[] = [offlineProvider, remote.provider];
  const models: readonly ModelInfo[] = [...offlineModels, ...remote.models];
  const byId = new Map(models.map((model) => [model.id, model]));
  const embedders = new Map<string, Embeddings>();

  /** The chosen model where it can be used, the provider's usual one where there is a key, or the offline one. */
  function defaultOf(choice: ModelName | null, usual: string, offline: string): string {
    const id = choice === null ? usual : `${choice.providerId}:${choice.name}`;
    const model = byId.get(id);
    if (model === undefined) throw new UnknownModelError(id);
    return model.isAvailable ? id : offline;
  }

  function take(id: string, capability: 'CHAT' | 'EMBEDDING'): ModelInfo {
    const model = byId.get(id);
    if (model === undefined) throw new UnknownModelError(id);
    if (!model.isAvailable) throw new ModelNotConfiguredError(id);
    if (!model.capabilities.includes(capability)) {
      throw new ModelNotConfiguredError(id, `The model "${id}" is not ${capability === 'CHAT' ? 'a chat model' : 'an embedding model'}. Choose another one.`);
    }
    return model;
  }

  return {
    providers: () => providers,
    models: (capability) => (capability === undefined ? models : models.filter((model) => model.capabilities.includes(capability))),
    find: (id) => byId.get(id),
    defaultChatModelId: defaultOf(chosen.chat, 'openai:gpt-4o-mini', offlineChatModelId),
    defaultEmbeddingModelId: defaultOf(chosen.embedding, 'openai:text-embedding-3-small', offlineEmbeddingModelId),
    chat(id, options) {
      const { providerId, name } = take(id, 'CHAT');
      if (providerId === 'offline') return new OfflineChatModel(options);
      return openaiChat(name, openai.apiKey ?? '', openai.baseUrl, options);
    },
    embeddings(id) {
      const { providerId, name } = take(id, 'EMBEDDING');
      const embedder = embedders.get(id)
        ?? (providerId === 'offline' ? new OfflineEmbeddings() : openaiEmbeddings(name, openai.apiKey ?? '', openai.baseUrl));
      embedders.set(id, embedder);
      return embedder;
    },
    async close() {
      // Connections are the runtime's own pool; only what we remember is ours.
      embedders.clear();
    },
  };
}

const offlineProvider: ProviderInfo = { id: 'offline', name: 'Offline', kind: 'OFFLINE', baseUrl: null, isConfigured: true };
const free = { providerId: 'offline', contextWindow: null, inputPricePerMillion: 0, outputPricePerMillion: 0, isAvailable: true } as const;
const offlineModels: readonly ModelInfo[] = [
  { ...free, id: offlineChatModelId, name: 'extractive', capabilities: ['CHAT', 'STREAMING'], embeddingDimensions: null },
  { ...free, id: offlineEmbeddingModelId, name: 'bm25-hash', capabilities: ['EMBEDDING'], embeddingDimensions: offlineDimensions },
];

interface ModelName {
  readonly providerId: string;
  readonly name: string;
}

/** "gpt-4o" and "openai:gpt-4o" are the same; in "llama3:8b" the colon belongs to the name. */
function parseId(id: string | null | undefined): ModelName | null {
  if (!id) return null;
  const [, providerId, name] = /^(offline|openai|anthropic|google|gemini):(.+)$/.exec(id) ?? [];
  return providerId === undefined || name === undefined ? { providerId: 'openai', name: id } : { providerId, name };
}
