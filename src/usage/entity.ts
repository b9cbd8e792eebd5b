// What is stored of usage: the ledger of what calls to models cost, which outlives the chats and documents they were made for.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { Workspace } from '../accounts/entity.ts';

export const usageKinds = ['CHAT', 'EMBEDDING', 'RERANK'] as const;
export type UsageKind = (typeof usageKinds)[number];

/**
 * What one model cost: for a run all its calls of one attempt together, otherwise one call. Whatever it was for may be
 * deleted: its id stays, without a foreign key.
 */
const UsageEntrySchema = defineEntity({
  name: 'UsageEntry',
  indexes: [{ properties: ['workspaceId', 'occurredAt'] }],
  uniques: [{ properties: ['runId', 'attempt', 'kind', 'modelId'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    /** Who caused it; null where nobody is known. */
    userId: p.uuid().nullable(),
    /** Null for what belongs to no profile, e.g. the embedding of documents. */
    profileId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    /** Null outside of runs. */
    runId: p.uuid().nullable(),
    /** The run's. */
    attempt: p.integer().nullable(),
    kind: p.text().$type<UsageKind>(),
    /** "openai:gpt-4o-mini". */
    modelId: p.text(),
    /** "openai". */
    providerId: p.text(),
    inputTokens: p.integer(),
    outputTokens: p.integer(),
    /** Of the input tokens, those that the provider had cached. */
    cachedTokens: p.integer(),
    embeddingTokens: p.integer(),
    costUsd: p.double().$type<number>(),
    /** Whether some of it was counted here, since the provider did not report it. */
    estimated: p.boolean(),
    occurredAt: p.datetime(),
  },
});
export class UsageEntry extends UsageEntrySchema.class {}
UsageEntrySchema.setClass(UsageEntry);
