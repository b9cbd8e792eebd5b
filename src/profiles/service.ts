// What can be done with profiles: make, change, restore and remove them.
//
// What answers (prompt, models, retrieval, tools, graph) lies in versions that never change: a change of it makes the next
// one, so that every run can name what answered it; a change that changes nothing makes none. Name and description belong
// to the profile and make no version. Removing a profile archives it: its chats keep it and can still read it by id, but
// it is in no list, its slug is free again, and it neither changes nor answers any more.
import { LockMode, UniqueConstraintViolationException } from '@mikro-orm/core';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import { permit, transactional, type Context } from '../context.ts';
import type { Models } from '../models/catalog.ts';
import { kysely, sql } from '../platform/database.ts';
import { ConflictError, NotFoundError, UserErrors, expectedErrors, validate, type UserError } from '../platform/errors.ts';
import { paginate, type Page, type PageArgs } from '../platform/page.ts';
import { slugOf } from '../text/slug.ts';
import { defaultSettings, type VersionSettings } from './defaults.ts';
import { Profile, ProfileVersion } from './entity.ts';
import { changeSettings, equal, rulesOf, text, type SettingsChange } from './settings.ts';

export { profileHooks } from './hooks.ts';

export interface NewProfile extends SettingsChange {
  readonly name: string;
  /** Made from the name when absent. */
  readonly slug?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly systemPrompt: string;
}

export interface ProfileChange extends SettingsChange {
  readonly name?: string | null | undefined;
  /** Null removes it. */
  readonly description?: string | null | undefined;
  /** Why; kept with the version that the change makes. */
  readonly changeNote?: string | null | undefined;
}

export interface ProfileList extends PageArgs {
  readonly nameContains?: string | null | undefined;
  readonly orderBy?: { readonly field: 'NAME' | 'CREATED_AT' | 'UPDATED_AT'; readonly direction: 'ASC' | 'DESC' } | null | undefined;
}

/** Something that is done to a profile in the transaction that makes it. */
export type Attach = (tx: Context, profileId: string) => Promise<void>;

const slugForm = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const name = text('name', 200).trim().min(1, 'The name is empty.');
const description = text('description', 2000).nullish();
const slug = z
  .string()
  .max(60, 'The slug has more than 60 characters.')
  .regex(slugForm, 'A slug consists of lower-case letters, digits and single hyphens between them, such as "biology-teacher".')
  .nullish();
const newProfile = z.object({ name, slug, description });
const profileChange = z.object({ name: name.nullish(), description, changeNote: text('change note', 500).nullish() });

/** Makes a profile with its first version; throws ALREADY_EXISTS when the slug is given and taken. */
export async function createProfile(ctx: Context, input: NewProfile, attach?: Attach): Promise<Profile> {
  permit(ctx, 'PROFILE_WRITE');
  return await addProfile(ctx, input, attach);
}

/** As createProfile, for work that needs no permission, e.g. of profiles that the product itself brings. */
export async function addProfile(ctx: Context, input: NewProfile, attach?: Attach): Promise<Profile> {
  const rules = await rulesOf(ctx);
  const [about, settings] = together(
    () => validate(newProfile, input),
    () => changeSettings(rules, defaultSettings, input, 1, []),
  );
  const insert = (freeSlug: string): Promise<Profile> =>
    transactional(ctx, async (tx) => {
      const profile = insertProfile(tx, { slug: freeSlug, name: about.name, description: about.description || null }, settings);
      await tx.em.flush();
      await attach?.(tx, profile.id);
      return profile;
    });
  const wanted = about.slug ?? (slugOf(about.name, 50) || 'profile');
  try {
    return await insert(wanted);
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error;
    if (about.slug == null) return await insert(`${wanted}-${randomBytes(4).toString('hex')}`);
    const existing = await profileBySlug(ctx, wanted);
    const message = `The slug "${wanted}" is taken. Choose another, or leave it out to have one made from the name.`;
    throw new ConflictError(message, ['slug'], existing && { type: 'Profile', id: existing.id }, 'ALREADY_EXISTS');
  }
}

/** A profile with its first version, to be flushed; its settings were checked before. */
export function insertProfile(tx: Context, about: { readonly slug: string; readonly name: string; readonly description: string | null }, settings: VersionSettings): Profile {
  const profile = tx.em.create(Profile, { ...about, workspaceId: workspaceOf(tx), currentVersion: 1 });
  addVersion(tx, profile, settings, null);
  return profile;
}

/** Changes a profile; throws ConflictError when `expectedVersion` is no longer the current one. */
export async function updateProfile(ctx: Context, input: { id: string; patch: ProfileChange; expectedVersion: number | null }): Promise<Profile> {
  permit(ctx, 'PROFILE_WRITE');
  const { patch, expectedVersion } = input;
  const rules = await rulesOf(ctx);
  return await changing(ctx, async (tx) => {
    const profile = await lockProfile(tx, input.id);
    if (expectedVersion !== null && expectedVersion !== profile.currentVersion) {
      throw new ConflictError(
        `The profile has version ${profile.currentVersion} by now; you changed version ${expectedVersion}. Read it again and repeat the change.`,
        ['expectedVersion'],
        { type: 'Profile', id: profile.id },
      );
    }
    const current = settingsOf(await versionOf(tx, profile, profile.currentVersion));
    const [about, settings] = together(
      () => validate(profileChange, patch, ['patch']),
      () => changeSettings(rules, current, patch, profile.currentVersion + 1, ['patch']),
    );
    const renamed = {
      name: about.name ?? profile.name,
      description: about.description === undefined ? profile.description : about.description || null,
    };
    if (renamed.name !== profile.name || renamed.description !== profile.description) Object.assign(profile, renamed, { updatedAt: new Date() });
    if (!equal(settings, current)) addNextVersion(tx, profile, settings, about.changeNote ?? null);
    return profile;
  });
}

/** Makes an old version the current one again, as a new version; nothing is made when they say the same. */
export async function restoreProfileVersion(ctx: Context, input: { id: string; version: number }): Promise<Profile> {
  permit(ctx, 'PROFILE_WRITE');
  return await changing(ctx, async (tx) => {
    const profile = await lockProfile(tx, input.id);
    const wanted = await versionOf(tx, profile, input.version);
    const current = await versionOf(tx, profile, profile.currentVersion);
    const settings = settingsOf(wanted);
    if (!equal(settings, settingsOf(current))) addNextVersion(tx, profile, settings, `Restored version ${wanted.number}.`);
    return profile;
  });
}

/** Archives a profile (see above); it is no longer the default of the workspace. */
export async function deleteProfile(ctx: Context, input: { id: string }): Promise<void> {
  permit(ctx, 'PROFILE_WRITE');
  await changing(ctx, async (tx) => {
    const profile = await lockProfile(tx, input.id);
    const archivedAt = new Date();
    // Slugs are unique in a workspace; the random end cannot meet another one.
    Object.assign(profile, { archivedAt, updatedAt: archivedAt, slug: `${profile.slug}-${randomBytes(8).toString('hex')}` });
    await kysely(tx.em, Workspace)
      .updateTable('workspace')
      .set({ defaultProfileId: null })
      .where('id', '=', profile.workspaceId)
      .where('defaultProfileId', '=', profile.id)
      .execute();
    return profile;
  });
}

/** A page of the profiles that are not archived, by name when no order is given. */
export async function listProfiles(ctx: Context, list: ProfileList): Promise<Page<Profile>> {
  permit(ctx, 'PROFILE_READ');
  const nameContains = validate(text('text to look for', 200).nullish(), list.nameContains, ['nameContains']);
  const sortName = sql<string>`lower(${sql.ref('profile.name')})`;
  let query = scoped(ctx, Profile).select().selectAll('profile').select(sortName.as('sortName')).where('archivedAt', 'is', null);
  if (nameContains) query = query.where(sql<boolean>`strpos(${sortName}, lower(${nameContains})) > 0`);
  const direction = list.orderBy?.direction === 'DESC' ? 'desc' : 'asc';
  const terms = {
    NAME: { by: sortName, direction, value: (row: Profile & { sortName: string }) => row.sortName },
    CREATED_AT: { by: sql.ref('profile.createdAt'), direction, value: (row: Profile) => row.createdAt.toISOString() },
    UPDATED_AT: { by: sql.ref('profile.updatedAt'), direction, value: (row: Profile) => row.updatedAt.toISOString() },
  } as const;
  const order = [terms[list.orderBy?.field ?? 'NAME'], { by: sql.ref('profile.id'), direction, value: (row: Profile) => row.id } as const];
  return (await paginate(query as never, order as never, list)) as Page<Profile>;
}

/** The profile of a slug; null when there is none or it is archived. */
export async function findProfileBySlug(ctx: Context, wanted: string): Promise<Profile | null> {
  permit(ctx, 'PROFILE_READ');
  return slugForm.test(wanted) ? await profileBySlug(ctx, wanted) : null;
}

/** The profiles with these ids, archived ones as well, in any order. */
export async function profilesById(ctx: Context, ids: readonly string[]): Promise<Profile[]> {
  permit(ctx, 'PROFILE_READ');
  return (await scoped(ctx, Profile).select().selectAll().where('id', 'in', ids).execute()) as Profile[];
}

/** The versions with these ids, in any order. */
export async function versionsById(ctx: Context, ids: readonly string[]): Promise<ProfileVersion[]> {
  permit(ctx, 'PROFILE_READ');
  return (await scoped(ctx, ProfileVersion).select().selectAll().where('id', 'in', ids).execute()) as ProfileVersion[];
}

/** The versions of these profiles with these numbers, in one statement, in any order. */
export async function versionsAt(ctx: Context, wanted: readonly { profileId: string; number: number }[]): Promise<ProfileVersion[]> {
  permit(ctx, 'PROFILE_READ');
  const ids = sql.val(wanted.map(({ profileId }) => profileId));
  const numbers = sql.val(wanted.map(({ number }) => number));
  return (await scoped(ctx, ProfileVersion)
    .select()
    .selectAll()
    .where(sql<boolean>`(${sql.ref('profileId')}, ${sql.ref('number')}) in (select * from unnest(${ids}::uuid[], ${numbers}::int[]))`)
    .execute()) as ProfileVersion[];
}

/** The version that answers in a chat with this profile; throws NotFoundError for an archived or unknown one. Needs no permission. */
export async function profileVersionForRun(ctx: Context, profileId: string, field: readonly string[] = ['profileId']): Promise<ProfileVersion> {
  const version = await scoped(ctx, ProfileVersion)
    .select(Profile)
    .innerJoin('profile', (join) => join.onRef('profile.id', '=', 'profile_version.profileId').onRef('profile.currentVersion', '=', 'profile_version.number'))
    .selectAll('profile_version')
    .where('profile.id', '=', profileId)
    .where('profile.archivedAt', 'is', null)
    .executeTakeFirst();
  if (!version) throw new NotFoundError('Profile', null, field);
  return version as ProfileVersion;
}

/** The model that answers for a version: the chosen one, or the default of the installation where none is or the catalog has lost it. */
export function answeringModelId(models: Models, version: Pick<ProfileVersion, 'modelId'>): string {
  return version.modelId && models.find(version.modelId) ? version.modelId : models.defaultChatModelId;
}

/**
 * The models that take over from `modelId`, in order: those that the version names, else those that the catalog gives the
 * model; of them the ones that can be used now.
 */
export function fallbackModelIds(models: Models, version: Pick<ProfileVersion, 'fallbackModelIds'>, modelId: string): string[] {
  const wanted = version.fallbackModelIds ?? models.find(modelId)?.fallbacks ?? [];
  return [...new Set(wanted)].filter((id) => id !== modelId && models.find(id)?.isAvailable && models.find(id)?.capabilities.includes('CHAT'));
}

async function profileBySlug(ctx: Context, wanted: string): Promise<Profile | null> {
  const found = await scoped(ctx, Profile).select().selectAll().where('slug', '=', wanted).where('archivedAt', 'is', null).executeTakeFirst();
  return (found as Profile | undefined) ?? null;
}

/** Changes a profile in one transaction; afterwards no answer that was kept of it before is left. */
async function changing(ctx: Context, work: (tx: Context) => Promise<Profile>): Promise<Profile> {
  const profile = await transactional(ctx, work);
  await ctx.app.cache.invalidate([`profile:${profile.id}`]);
  return profile;
}

async function lockProfile(tx: Context, id: string): Promise<Profile> {
  const profile = await scoped(tx, Profile).findOne({ id, archivedAt: null }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (!profile) throw new NotFoundError('Profile');
  return profile;
}

async function versionOf(tx: Context, profile: Profile, number: number): Promise<ProfileVersion> {
  const version = await scoped(tx, ProfileVersion).findOne({ profileId: profile.id, number });
  if (!version) throw new NotFoundError('ProfileVersion', null, ['version']);
  return version;
}

function addNextVersion(tx: Context, profile: Profile, settings: VersionSettings, changeNote: string | null): void {
  Object.assign(profile, { currentVersion: profile.currentVersion + 1, updatedAt: new Date() });
  addVersion(tx, profile, settings, changeNote);
}

function addVersion(tx: Context, profile: Profile, settings: VersionSettings, changeNote: string | null): void {
  tx.em.create(ProfileVersion, {
    ...settings,
    workspaceId: profile.workspaceId,
    profileId: profile.id,
    number: profile.currentVersion,
    createdById: tx.viewer?.userId ?? null,
    changeNote: changeNote || null,
  });
}

function settingsOf(version: ProfileVersion): VersionSettings {
  const { systemPrompt, modelId = null, fallbackModelIds = null, temperature, maxOutputTokens, retrieval, toolNames, graph, cacheAnswers } = version;
  return { systemPrompt, modelId, fallbackModelIds, temperature, maxOutputTokens, retrieval, toolNames, graph, cacheAnswers };
}

/** Both values, or the expected failures of both at once. */
function together<A, B>(one: () => A, other: () => B): [A, B] {
  const errors: UserError[] = [];
  const read = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (thrown) {
      const expected = expectedErrors(thrown);
      if (!expected) throw thrown;
      errors.push(...expected);
      return undefined;
    }
  };
  const values = [read(one), read(other)];
  if (errors.length > 0) throw new UserErrors(errors);
  return values as [A, B];
}

function workspaceOf(ctx: Context): string {
  if (ctx.workspaceId === null) throw new Error('A profile belongs to a workspace; this context has none.');
  return ctx.workspaceId;
}
