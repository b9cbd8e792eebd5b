// Every protocol that models are spoken to in: one file each, and one line here.
import { offline } from './offline.ts';
import { openai, openaiCompatible } from './openai.ts';
import type { ProviderAdapter } from './provider.ts';

export const adapters: readonly ProviderAdapter[] = [offline, openai, openaiCompatible];

/** The adapter of this kind. */
export function adapterOf(kind: string): ProviderAdapter | undefined {
  return adapters.find((adapter) => adapter.kind === kind);
}
