// What can be asked of the ledger: what a workspace used, by time or by whom and what, and what the viewer used.
import { scoped } from '../accounts/scoped.ts';
import { encodeId } from '../builder.ts';
import { permit, requireViewer, type Context } from '../context.ts';
import { sql } from '../platform/database.ts';
import { GenericError, ValidationError } from '../platform/errors.ts';
import { UsageEntry } from './entity.ts';
import type { UsageFigures } from './ledger.ts';

export const usageDimensions = ['HOUR', 'DAY', 'MONTH', 'USER', 'PROFILE', 'MODEL', 'PROVIDER'] as const;
export type UsageDimension = (typeof usageDimensions)[number];

/** A period of time: `to` is not in it. */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

export interface UsageBucket {
  /** "2026-11-25T09:00:00Z", "2026-11-25", "2026-11" (UTC), a global id, or `noKey`. */
  readonly key: string;
  readonly usage: UsageFigures;
  /** Different runs; one that used two models is counted for both. */
  readonly runCount: number;
}

/** The key of what belongs to no user or profile. */
export const noKey = 'none';
/** Buckets of one answer at most. */
export const maxBuckets = 10_000;

const hourMs = 3_600_000;
/** Milliseconds of one bucket, of the shortest there is. */
const bucketMs: Partial<Record<UsageDimension, number>> = { HOUR: hourMs, DAY: 24 * hourMs, MONTH: 28 * 24 * hourMs };
const inUtc = sql`usage_entry.occurred_at at time zone 'UTC'`;
const keys: Readonly<Record<UsageDimension, ReturnType<typeof sql<string | null>>>> = {
  HOUR: sql`to_char(${inUtc}, 'YYYY-MM-DD"T"HH24:00:00"Z"')`,
  DAY: sql`to_char(${inUtc}, 'YYYY-MM-DD')`,
  MONTH: sql`to_char(${inUtc}, 'YYYY-MM')`,
  USER: sql`usage_entry.user_id::text`,
  PROFILE: sql`usage_entry.profile_id::text`,
  MODEL: sql`usage_entry.model_id`,
  PROVIDER: sql`usage_entry.provider_id`,
};
/** The types of nodes that keys are ids of. */
const nodeTypes: Partial<Record<UsageDimension, string>> = { USER: 'User', PROFILE: 'Profile', MODEL: 'Model', PROVIDER: 'Provider' };

/** Sums over rows that have the columns of UsageFigures; `estimated` is the name of the last. Zero over no rows. */
export function usageSums(estimated: 'estimated' | 'usage_estimated' = 'estimated') {
  return [
    // As wide as sums get, the columns are 32 bits; and a number on every database.
    sql<number>`coalesce(sum(input_tokens), 0)::float8`.as('inputTokens'),
    sql<number>`coalesce(sum(output_tokens), 0)::float8`.as('outputTokens'),
    sql<number>`coalesce(sum(embedding_tokens), 0)::float8`.as('embeddingTokens'),
    sql<number>`coalesce(sum(cached_tokens), 0)::float8`.as('cachedTokens'),
    sql<number>`coalesce(sum(cost_usd), 0)::float8`.as('costUsd'),
    sql<boolean>`coalesce(bool_or(${sql.ref(estimated)}), false)`.as('estimated'),
  ] as const;
}

/**
 * What the viewer's workspace used, by `groupBy`, ordered by key; buckets without use are left out. Needs CONFIG_READ, since
 * it shows what others do. Throws VALIDATION_FAILED, and LIMIT_EXCEEDED for more than `maxBuckets`.
 */
export async function workspaceUsage(ctx: Context, period: Period, groupBy: UsageDimension): Promise<UsageBucket[]> {
  permit(ctx, 'CONFIG_READ');
  const { from, to } = checked(period);
  const unit = bucketMs[groupBy];
  if (unit !== undefined && (+to - +from) / unit > maxBuckets) {
    throw new ValidationError(`From ${from.toISOString()} to ${to.toISOString()} there may be more than ${maxBuckets} buckets by ${groupBy}. Ask for a shorter period, or for longer buckets.`, ['to'], 'range');
  }
  const rows = await within(ctx, { from, to })
    .select([keys[groupBy].as('key'), ...usageSums(), sql<number>`count(distinct usage_entry.run_id)::int`.as('runCount')])
    .groupBy(sql.ref('key') as never)
    .limit(maxBuckets + 1)
    .execute();
  if (rows.length > maxBuckets) throw new GenericError('LIMIT_EXCEEDED', `There are more than ${maxBuckets} buckets by ${groupBy}. Ask for a shorter period.`);
  const type = nodeTypes[groupBy];
  return rows
    .map(({ key, runCount, ...usage }) => ({ key: key === null ? noKey : type ? encodeId(type, key) : key, usage, runCount }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** What the viewer used in this workspace. Throws VALIDATION_FAILED. */
export async function viewerUsage(ctx: Context, period: Period): Promise<UsageFigures> {
  const { userId } = requireViewer(ctx);
  return await within(ctx, checked(period)).select([...usageSums()]).where('usage_entry.userId', '=', userId).executeTakeFirstOrThrow();
}

function within(ctx: Context, { from, to }: Period) {
  return scoped(ctx, UsageEntry).select().where('usage_entry.occurredAt', '>=', from).where('usage_entry.occurredAt', '<', to);
}

function checked(period: Period): Period {
  const { from, to } = period;
  if (from >= to) throw new ValidationError(`"from" is ${from.toISOString()} and "to" ${to.toISOString()}, which is not later. "to" is the first moment after the period.`, ['to'], 'range');
  return period;
}
