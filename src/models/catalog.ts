// Every model that can be used, by its id ("openai:gpt-4o-mini"), behind LangChain's interfaces.
// Without any key the offline models serve; a key adds its provider's models and makes them the default.
import type { Embeddings } from '@langchain/core/embeddings';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { adapterOf } from './adapters.ts';
import { ask, type AskedModel, type ChatAnswer, type ChatHooks, type ChatRequest } from './ask.ts';
import { abortable, type CalledModel, type CallParts } from './calls.ts';
import type { CircuitState } from './circuits.ts';
import { embed, type Embedded, type EmbedRequest } from './embed.ts';
import type { Installation } from './installation.ts';
import { ModelNotConfiguredError, UnknownModelError } from './failures.ts';
import { modelIdentity } from './identity.ts';
import { offlineChatModelId, offlineEmbeddingModelId, offlineProvider } from './offline.ts';
import type { Outbound } from './outbound.ts';
import type { CallHistory } from './provider-health.ts';
import type { ChatOptions, ModelCapability, ModelInfo, ProviderAdapter, ProviderInfo, ProviderSettings, Reranker } from './provider.ts';
import { judging, rerank, rerankByChat, type Reranked, type RerankRequest } from './rerank.ts';

/** The models of an installation, or of one workspace. */
export interface Models {
  providers(): readonly ProviderInfo[];
  /** All models, or those that can do something, e.g. "CHAT"; those that lack a key are included and say so. */
  models(capability?: ModelCapability): readonly ModelInfo[];
  find(id: string): ModelInfo | undefined;
  readonly defaultChatModelId: string;
  readonly defaultEmbeddingModelId: string;
  /** A model that makes one request per call. Throws UnknownModelError, or ModelNotConfiguredError where the key is missing or it is no chat model. */
  chat(id: string, options: ChatOptions): BaseChatModel;
  /** As `chat`, for embedders. */
  embeddings(id: string): Embeddings;
  /**
   * Asks the first of the models that answers, with everything that a call to a provider needs. Of the others, those that are
   * unknown or lack a key are left out; where the first is such, the request is rejected, for somebody chose it.
   */
  ask(request: ChatRequest, hooks: ChatHooks): Promise<ChatAnswer>;
  /** Embeds, with everything that a call to a provider needs. */
  embed(request: EmbedRequest): Promise<Embedded>;
  /** As `chat`, for models that are made for ranking. */
  reranker(id: string): Reranker;
  /** Ranks, with everything that a call to a provider needs; a chat model is asked for its judgment. */
  rerank(request: RerankRequest): Promise<Reranked>;
  /** How a provider's calls have gone, on all instances. */
  status(providerId: string): Promise<ProviderStatus>;
}

/** What all catalogs of a process share. */
export interface ModelParts extends CallParts {
  readonly outbound: Outbound;
}

/** How a provider's calls have gone lately. */
export interface ProviderStatus extends CallHistory {
  /** The worst of its models'. */
  readonly circuit: CircuitState;
}

/**
 * The catalog of these providers and the offline one; throws UnknownModelError where a default names a model that cannot
 * exist. `workspaceId` sets those of its providers apart that a workspace owns.
 */
export function createModels({ providers: given, chatModelIds, embeddingModelIds }: Installation, parts: ModelParts, workspaceId = ''): Models {
  const providers = [offlineProvider, ...given].map((settings) => ({ settings, adapter: adapterFor(settings) }));
  const infos = providers.map(({ settings, adapter }) => infoOf(settings, adapter));
  const list = providers.flatMap(({ settings, adapter }) => modelsOf(settings, infoOf(settings, adapter).isConfigured));
  const byId = new Map(list.map((model) => [model.id, model]));
  const embedders = new Map<string, Embeddings>();

  function defaultOf(ids: readonly string[], offline: string): string {
    for (const id of ids) if (!byId.has(id)) throw new UnknownModelError(id);
    return ids.find((id) => byId.get(id)?.isAvailable) ?? offline;
  }

  function take(id: string, capability: keyof typeof sorts) {
    const model = byId.get(id);
    if (model === undefined) throw new UnknownModelError(id);
    if (!model.isAvailable) throw new ModelNotConfiguredError(id);
    if (!model.capabilities.includes(capability)) {
      throw new ModelNotConfiguredError(id, `The model "${id}" is not ${sorts[capability]}. Choose another one.`);
    }
    const { settings, adapter } = providers.find((provider) => provider.settings.id === model.providerId) as (typeof providers)[number];
    const connection = { baseUrl: addressOf(settings, adapter) ?? '', apiKey: settings.apiKey ?? '', fetch: parts.outbound.fetchFor({ owner: settings.addressOwner ?? settings.owner, apiKey: settings.apiKey }) };
    return { name: model.name, adapter, connection };
  }

  /** What a workspace sets up is its own also in what is remembered of calls. */
  const spaceOf = (providerId: string): string => (infos.find(({ id }) => id === providerId)?.owner === 'WORKSPACE' ? `${workspaceId}/` : '');

  function called(id: string): CalledModel & Pick<AskedModel, 'info' | 'identity'> {
    const info = byId.get(id);
    const space = spaceOf(info?.providerId ?? '');
    const label = info === undefined ? 'unknown' : space === '' ? id : 'of a workspace';
    return { id, info, identity: JSON.stringify(modelIdentity(models, id)), circuit: space + id, provider: space + (info?.providerId ?? 'unknown'), label };
  }

  const models: Models = {
    providers: () => infos,
    models: (capability) => (capability === undefined ? list : list.filter((model) => model.capabilities.includes(capability))),
    find: (id) => byId.get(id),
    defaultChatModelId: defaultOf(chatModelIds, offlineChatModelId),
    defaultEmbeddingModelId: defaultOf(embeddingModelIds, offlineEmbeddingModelId),
    chat(id, options) {
      const { name, adapter, connection } = take(id, 'CHAT');
      return adapter.chat(name, options, connection);
    },
    embeddings(id) {
      const { name, adapter, connection } = take(id, 'EMBEDDING');
      if (!adapter.embeddings) throw new ModelNotConfiguredError(id, `The provider of "${id}" has no embeddings. Choose another model.`);
      let embedder = embedders.get(id);
      if (!embedder) embedders.set(id, (embedder = adapter.embeddings(name, { ...connection, fetch: abortable(connection.fetch) })));
      return embedder;
    },
    ask({ modelIds: [first, ...others], ...request }, hooks) {
      const fallbacks = others.filter((id, index) => id !== first && others.indexOf(id) === index && byId.get(id)?.isAvailable);
      const asked = (id: string): AskedModel => ({ ...called(id), open: () => models.chat(id, request.options) });
      return ask([asked(first), ...fallbacks.map(asked)], request, hooks, parts);
    },
    embed: ({ modelId, ...request }) => embed({ ...called(modelId), open: () => models.embeddings(modelId) }, request, parts),
    reranker(id) {
      const { name, adapter, connection } = take(id, 'RERANK');
      if (!adapter.reranker) throw new ModelNotConfiguredError(id, `The provider of "${id}" has no ranking. Choose another model.`);
      return adapter.reranker(name, connection);
    },
    async rerank({ modelId, ...request }) {
      const model = called(modelId);
      // Judging many passages takes longer than saying hello: what it makes of a model's circuit is no matter of its chats.
      const ranking = { ...model, circuit: `${model.circuit} ranking` };
      if (!model.info?.capabilities.includes('CHAT')) return await rerank({ ...ranking, open: () => models.reranker(modelId) }, request, parts);
      take(modelId, 'RERANK');
      return await rerankByChat({ ...ranking, open: () => models.chat(modelId, judging) }, request, parts);
    },
    async status(providerId) {
      const circuits = await Promise.all(list.filter((model) => model.providerId === providerId).map(({ id }) => parts.circuits.state(called(id).circuit)));
      const worst = (['OPEN', 'HALF_OPEN'] as const).find((state) => circuits.includes(state)) ?? 'CLOSED';
      return { circuit: worst, ...(await parts.health.read(spaceOf(providerId) + providerId)) };
    },
  };
  return models;
}

const sorts = { CHAT: 'a chat model', EMBEDDING: 'an embedding model', RERANK: 'a model that ranks' } as const satisfies Partial<Record<ModelCapability, string>>;

function adapterFor({ id, kind }: ProviderSettings): ProviderAdapter {
  const adapter = adapterOf(kind);
  if (!adapter) throw new TypeError(`The provider "${id}" is of the kind ${kind}, which no adapter speaks.`);
  return adapter;
}

function addressOf({ baseUrl }: ProviderSettings, adapter: ProviderAdapter): string | null {
  return (baseUrl ?? adapter.usualUrl)?.replace(/\/+$/, '') ?? null;
}

function infoOf(settings: ProviderSettings, adapter: ProviderAdapter): ProviderInfo {
  const { id, name, kind, owner, apiKey, isDisabled = false } = settings;
  const isReachable = addressOf(settings, adapter) !== null || kind === offlineProvider.kind;
  return { id, name, kind, owner, baseUrl: addressOf(settings, adapter), isConfigured: !isDisabled && isReachable && (!adapter.needsKey || !!apiKey) };
}

function modelsOf({ id, models }: ProviderSettings, isAvailable: boolean): ModelInfo[] {
  return models.map((model) => ({
    id: `${id}:${model.name}`,
    name: model.name,
    providerId: id,
    capabilities: model.capabilities,
    contextWindow: model.contextWindow ?? null,
    embeddingDimensions: model.embeddingDimensions ?? null,
    inputPricePerMillion: model.inputPricePerMillion ?? null,
    outputPricePerMillion: model.outputPricePerMillion ?? null,
    fallbacks: model.fallbacks ?? [],
    isAvailable,
  }));
}
