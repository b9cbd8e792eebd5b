// Every protocol that models are spoken to in: one file each, and one line here.
import { anthropic } from './anthropic.ts';
import { gemini } from './gemini.ts';
import { offline } from './offline.ts';
import { openai, openaiCompatible } from './openai.ts';
import type { ProviderAdapter } from './provider.ts';

export const adapters: readonly ProviderAdapter[] = [openai, anthropic, gemini, openaiCompatible, offline];

/** The adapter of this kind. */
export function adapterOf(kind: string): ProviderAdapter | undefined {
  return adapters.find((adapter) => adapter.kind === kind);
}
