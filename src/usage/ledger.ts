// How what calls to models cost is added up and booked. Whoever pays books, whatever becomes of the work: a run by its
// attempt, which nobody else writes, so that booking again changes nothing and a takeover neither doubles nor loses.
import { randomUUIDv7 } from 'node:crypto';
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import type { ModelUsage } from '../models/ask.ts';
import type { EmbeddingUsage } from '../models/embed.ts';
import { offlineProvider } from '../models/offline.ts';
import { kysely } from '../platform/database.ts';
import { unauthenticated } from '../platform/errors.ts';
import { UsageEntry, type UsageKind } from './entity.ts';

/** Tokens and US dollars; `cachedTokens` are a part of `inputTokens`. */
export interface UsageFigures {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly embeddingTokens: number;
  readonly cachedTokens: number;
  readonly costUsd: number;
  /** Whether some of it was counted here, since the provider did not report it. */
  readonly estimated: boolean;
}

/** What one model cost. */
export interface Spent extends UsageFigures {
  readonly kind: UsageKind;
  readonly modelId: string;
}

/** What it was spent for; what is absent is not known, or there is none. */
export interface SpentFor {
  readonly userId: string | null;
  readonly profileId?: string | null;
  readonly run?: { readonly id: string; readonly sessionId: string; readonly attempt: number };
  /** When; now where absent. */
  readonly at?: Date;
}

export const noUsage: UsageFigures = { inputTokens: 0, outputTokens: 0, embeddingTokens: 0, cachedTokens: 0, costUsd: 0, estimated: false };

/** The sum of two. */
export function addUsage(a: UsageFigures, b: UsageFigures): UsageFigures {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    embeddingTokens: a.embeddingTokens + b.embeddingTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    costUsd: a.costUsd + b.costUsd,
    estimated: a.estimated || b.estimated,
  };
}

/** What a call of a chat model cost. */
export function spentOnChat({ modelId, inputTokens, outputTokens, cachedTokens, costUsd, estimated }: ModelUsage): Spent {
  return { kind: 'CHAT', modelId, inputTokens, outputTokens, cachedTokens, embeddingTokens: 0, costUsd, estimated };
}

/** What a call of an embedding model cost. */
export function spentOnEmbedding({ modelId, tokens, costUsd, estimated }: EmbeddingUsage): Spent {
  return { ...noUsage, kind: 'EMBEDDING', modelId, embeddingTokens: tokens, costUsd, estimated };
}

/** What a call of a model that ranked passages cost. */
export function spentOnReranking(usage: ModelUsage): Spent {
  return { ...spentOnChat(usage), kind: 'RERANK' };
}

/** Sums by kind and model. */
export interface Tally {
  add(spent: Spent): void;
  /** One per kind and model. */
  sums(): readonly Spent[];
}

/** An empty tally. */
export function createTally(): Tally {
  const sums = new Map<string, Spent>();
  return {
    add(spent) {
      const { kind, modelId } = spent;
      const key = `${kind} ${modelId}`;
      sums.set(key, { kind, modelId, ...addUsage(sums.get(key) ?? noUsage, spent) });
    },
    sums: () => [...sums.values()],
  };
}

/** What was booked of an attempt at a run, for whoever goes on with the same attempt. */
export async function bookedOn(ctx: Context, { id, attempt }: { readonly id: string; readonly attempt: number }): Promise<Spent[]> {
  return (await scoped(ctx, UsageEntry).select().selectAll().where('runId', '=', id).where('attempt', '=', attempt).execute()) as Spent[];
}

/**
 * Writes down what was spent, in the context's transaction if there is one. For a run `spent` is all that its attempt has
 * spent so far, one per kind and model, and replaces what was booked of it. The offline embedder needs no entry.
 */
export async function book(ctx: Context, { userId, profileId = null, run, at = new Date() }: SpentFor, spent: readonly Spent[]): Promise<void> {
  const { workspaceId } = ctx;
  if (workspaceId === null) throw unauthenticated();
  const entries = spent.map((each) => ({
    ...each,
    id: randomUUIDv7(),
    workspaceId,
    userId,
    profileId,
    sessionId: run?.sessionId ?? null,
    runId: run?.id ?? null,
    attempt: run?.attempt ?? null,
    providerId: each.modelId.split(':')[0] as string,
    occurredAt: at,
  })).filter(({ kind, providerId }) => kind === 'CHAT' || providerId !== offlineProvider.id);
  if (entries.length === 0) return;
  await kysely(ctx.em, UsageEntry)
    .insertInto('usage_entry')
    .values(entries)
    .onConflict((conflict) =>
      conflict.columns(['runId', 'attempt', 'kind', 'modelId']).doUpdateSet({
        inputTokens: (eb) => eb.ref('excluded.inputTokens'),
        outputTokens: (eb) => eb.ref('excluded.outputTokens'),
        cachedTokens: (eb) => eb.ref('excluded.cachedTokens'),
        embeddingTokens: (eb) => eb.ref('excluded.embeddingTokens'),
        costUsd: (eb) => eb.ref('excluded.costUsd'),
        estimated: (eb) => eb.ref('excluded.estimated'),
      }))
    .execute();
}
