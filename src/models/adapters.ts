// The protocols that are registered, by their kinds.
import type { ModelCapability, ProviderAdapter } from './provider.ts';
import * as registered from './registered.ts';

export const adapters: readonly ProviderAdapter[] = Object.values(registered);

/** The adapter of this kind. */
export function adapterOf(kind: string): ProviderAdapter | undefined {
  return adapters.find((adapter) => adapter.kind === kind);
}

/** What a model is said to be able to do and its protocol has no words for; null where there is nothing. Chat models can rank by being asked. */
export function unspoken(adapter: ProviderAdapter | undefined, capabilities: readonly ModelCapability[]): ModelCapability | null {
  if (capabilities.includes('EMBEDDING') && !adapter?.embeddings) return 'EMBEDDING';
  if (capabilities.includes('RERANK') && !capabilities.includes('CHAT') && !adapter?.reranker) return 'RERANK';
  return null;
}
