// Which documents a profile may use.
import { scoped } from '../accounts/scoped.ts';
import { permit, transactional, type Context } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { NotFoundError } from '../platform/errors.ts';
import { Profile } from '../profiles/entity.ts';
import { Document, ProfileDocument } from './entity.ts';

/** Lets a profile use documents; those it may use already stay. */
export async function attachDocuments(ctx: Context, input: { profileId: string; documentIds: readonly string[] }): Promise<void> {
  permit(ctx, 'DOCUMENT_WRITE');
  await transactional(ctx, async (tx) => {
    await assertProfiles(tx, [input.profileId], () => ['profileId']);
    await attachWithin(tx, input.profileId, input.documentIds);
  });
}

/** As attachDocuments, inside the transaction that makes the profile; throws NotFoundError below `documentIds`. */
export async function attachWithin(tx: Context, profileId: string, documentIds: readonly string[]): Promise<void> {
  await assertDocuments(tx, documentIds);
  await attach(tx, [profileId], documentIds);
}

/** Takes documents from a profile; those that it may not use stay so. */
export async function detachDocuments(ctx: Context, input: { profileId: string; documentIds: readonly string[] }): Promise<void> {
  permit(ctx, 'DOCUMENT_WRITE');
  await assertProfiles(ctx, [input.profileId], () => ['profileId']);
  await assertDocuments(ctx, input.documentIds);
  if (input.documentIds.length === 0) return;
  await scoped(ctx, ProfileDocument).delete().where('profileId', '=', input.profileId).where('documentId', 'in', [...input.documentIds]).execute();
  await ctx.app.cache.invalidate([`profile:${input.profileId}`]);
}

/** Lets profiles use documents that are known to exist. */
export async function attach(tx: Context, profileIds: readonly string[], documentIds: readonly string[]): Promise<void> {
  const { workspaceId } = tx;
  const attachedAt = new Date();
  const rows = profileIds.flatMap((profileId) => documentIds.map((documentId) => ({ profileId, documentId, workspaceId, attachedAt })));
  if (rows.length === 0) return;
  await kysely(tx.em, ProfileDocument).insertInto('profile_document').values(rows as never).onConflict((conflict) => conflict.doNothing()).execute();
}

/** Throws NotFoundError for the first profile that is not there or archived. */
export async function assertProfiles(ctx: Context, ids: readonly string[], path = (index: number) => ['profileIds', String(index)]): Promise<void> {
  if (ids.length === 0) return;
  const found = await scoped(ctx, Profile).select().select('id').where('id', 'in', [...ids]).where('archivedAt', 'is', null).execute();
  const missing = ids.findIndex((id) => !found.some((row) => row.id === id));
  if (missing >= 0) throw new NotFoundError('Profile', null, path(missing));
}

async function assertDocuments(ctx: Context, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const found = await scoped(ctx, Document).select().select('id').where('id', 'in', [...ids]).where('status', '!=', 'DELETING').execute();
  const missing = ids.findIndex((id) => !found.some((row) => row.id === id));
  if (missing >= 0) throw new NotFoundError('Document', null, ['documentIds', String(missing)]);
}

