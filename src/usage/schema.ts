// How usage is asked: what a workspace used, and what the viewer used.
import { ViewerObject, WorkspaceNode } from '../accounts/schema.ts';
import { builder, describedEnum } from '../builder.ts';
import type { UsageFigures } from './ledger.ts';
import { maxBuckets, noKey, viewerUsage, workspaceUsage, type UsageBucket, type UsageDimension } from './service.ts';

/** GraphQL's Int ends here: a sum beyond says that much, instead of being no answer at all. */
const largestInt = 2 ** 31 - 1;
const tokens = (count: number): number => Math.min(count, largestInt);

/** Tokens and money. */
export const Usage = builder.objectRef<UsageFigures>('Usage').implement({
  description: 'What was used, in tokens and money. No count is above 2,147,483,647: larger ones say that.',
  fields: (t) => ({
    inputTokens: t.int({ description: 'Tokens sent to models.', resolve: (usage) => tokens(usage.inputTokens) }),
    outputTokens: t.int({ description: 'Tokens written by models.', resolve: (usage) => tokens(usage.outputTokens) }),
    embeddingTokens: t.int({ description: 'Tokens sent to embedding models; the built-in one counts none.', resolve: (usage) => tokens(usage.embeddingTokens) }),
    cachedTokens: t.int({ description: 'Of the input tokens, those that the provider had cached.', resolve: (usage) => tokens(usage.cachedTokens) }),
    costUsd: t.exposeFloat('costUsd', { description: "US dollars, by the catalog's prices when it was used." }),
    estimated: t.exposeBoolean('estimated', { description: 'Whether some of it was counted here, since the provider did not report it.' }),
  }),
});

const UsageDimensionEnum = describedEnum<Record<UsageDimension, string>>('UsageDimension', 'What usage is grouped by, and how the buckets are named.', {
  HOUR: 'The hour in UTC, "2026-11-25T09:00:00Z".',
  DAY: 'The day in UTC, "2026-11-25".',
  MONTH: 'The month in UTC, "2026-11".',
  USER: `The id of the User who caused it, "${noKey}" where nobody is known.`,
  PROFILE: `The id of the Profile, also of one that was deleted; "${noKey}" for what belongs to no profile, e.g. the embedding of documents.`,
  MODEL: 'The id of the Model.',
  PROVIDER: 'The id of the Provider.',
});

const UsageBucketObject = builder.objectRef<UsageBucket>('UsageBucket').implement({
  description: 'What was used by one of what usage is grouped by.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Names it; UsageDimension says how.' }),
    usage: t.field({ type: Usage, description: 'Tokens and money.', resolve: (bucket) => bucket.usage }),
    runCount: t.exposeInt('runCount', { description: 'Different runs; one that used two models is counted for both.' }),
  }),
});

const from = 'The first moment that counts.';
const to = 'The first moment that no longer counts.';

builder.objectField(WorkspaceNode, 'usage', (t) =>
  t.field({
    type: [UsageBucketObject],
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: from }),
      to: t.arg({ type: 'DateTime', required: true, description: to }),
      groupBy: t.arg({ type: UsageDimensionEnum, required: true, defaultValue: 'DAY', description: 'What it is grouped by.' }),
    },
    description: `What was used in a period, ordered by key; what used nothing is left out. Also what was deleted since. At most ${maxBuckets} buckets. Needs CONFIG_READ. Only of the workspace that the viewer is signed in to.`,
    resolve: async (workspace, { groupBy, ...period }, ctx) => {
      const buckets = await workspaceUsage(ctx, period, groupBy);
      return workspace.id === ctx.workspaceId ? buckets : [];
    },
  }),
);
builder.objectField(ViewerObject, 'usage', (t) =>
  t.field({
    type: Usage,
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: from }),
      to: t.arg({ type: 'DateTime', required: true, description: to }),
    },
    description: 'What the user used in this workspace in a period; also what was deleted since.',
    resolve: (_viewer, period, ctx) => viewerUsage(ctx, period),
  }),
);
