// The provider that needs nothing: models in this process, for a start without a key and without a network.
import { OfflineChatModel } from './offline-chat.ts';
import { offlineDimensions, OfflineEmbeddings } from './offline-embeddings.ts';
import type { ProviderAdapter, ProviderSettings } from './provider.ts';

export const offlineChatModelId = 'offline:extractive';
export const offlineEmbeddingModelId = 'offline:bm25-hash';

export const offline: ProviderAdapter = {
  kind: 'OFFLINE',
  description: 'Built in: no network, no key; answers by quoting.',
  usualUrl: null,
  needsKey: false,
  chat: (_model, options) => new OfflineChatModel(options),
  embeddings: () => new OfflineEmbeddings(),
};

/** Always there, whatever else is set up. */
export const offlineProvider: ProviderSettings = {
  id: 'offline',
  name: 'Offline',
  kind: offline.kind,
  baseUrl: null,
  apiKey: null,
  owner: 'INSTALLATION',
  models: [
    { name: 'extractive', capabilities: ['CHAT', 'STREAMING'], inputPricePerMillion: 0, outputPricePerMillion: 0 },
    { name: 'bm25-hash', capabilities: ['EMBEDDING'], embeddingDimensions: offlineDimensions, inputPricePerMillion: 0, outputPricePerMillion: 0 },
  ],
};
