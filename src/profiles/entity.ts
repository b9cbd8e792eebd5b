// What is stored of profiles: the assistant itself, its immutable versions, and the documents it may use.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { User, Workspace } from '../accounts/entity.ts';
import type { GraphDefinition } from '../graph/definition.ts';
import type { RetrievalSettings } from '../graph/scope.ts';

const ProfileSchema = defineEntity({
  name: 'Profile',
  uniques: [{ properties: ['workspaceId', 'slug'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    slug: p.text(),
    name: p.text(),
    description: p.text().nullable(),
    /** Number of the version that answers. */
    currentVersion: p.integer(),
    createdAt: p.datetime().onCreate(() => new Date()),
    updatedAt: p.datetime().onCreate(() => new Date()),
    archivedAt: p.datetime().nullable(),
  },
});
export class Profile extends ProfileSchema.class {}
ProfileSchema.setClass(Profile);

const ProfileVersionSchema = defineEntity({
  name: 'ProfileVersion',
  uniques: [{ properties: ['profileId', 'number'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: p.uuid().index(),
    profileId: () => p.manyToOne(Profile).mapToPk().joinColumn('profile_id').deleteRule('cascade'),
    number: p.integer(),
    createdById: () => p.manyToOne(User).mapToPk().joinColumn('created_by_id').nullable().deleteRule('set null'),
    changeNote: p.text().nullable(),
    systemPrompt: p.text(),
    /** A model's id in the catalog; null follows the default of the installation. */
    modelId: p.text().nullable(),
    /** Null: the model's own fallbacks, as the catalog has them. */
    fallbackModelIds: p.array().nullable(),
    temperature: p.double().$type<number>(),
    maxOutputTokens: p.integer(),
    retrieval: p.json<RetrievalSettings>(),
    toolNames: p.array(),
    graph: p.json<GraphDefinition>(),
    cacheAnswers: p.boolean(),
    createdAt: p.datetime().onCreate(() => new Date()),
  },
});
/** Never changed after it was made: a run names the version that answered it. */
export class ProfileVersion extends ProfileVersionSchema.class {}
ProfileVersionSchema.setClass(ProfileVersion);
