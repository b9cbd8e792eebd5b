// The protocols that are registered, by their kinds.
import type { ProviderAdapter } from './provider.ts';
import * as registered from './registered.ts';

export const adapters: readonly ProviderAdapter[] = Object.values(registered);

/** The adapter of this kind. */
export function adapterOf(kind: string): ProviderAdapter | undefined {
  return adapters.find((adapter) => adapter.kind === kind);
}
