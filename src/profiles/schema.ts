// How profiles are asked: the assistants of a workspace, their versions, and the mutations that change them.
import { Workspace } from '../accounts/entity.ts';
import { DeletePayload, UserNode, WorkspaceNode } from '../accounts/schema.ts';
import { scoped } from '../accounts/scoped.ts';
import { attempt, bothWaysArgs, builder, connection, decodeId, decodeIds, forwardArgs, onlyUuids, OrderDirectionEnum, payload, rowId } from '../builder.ts';
import { permit, requireViewer, type Context } from '../context.ts';
import type { RetrievalSettings } from '../graph/scope.ts';
import { GraphDefinitionInput, GraphDefinitionObject } from '../graph/schema.ts';
import { kysely, sql } from '../platform/database.ts';
import { NotFoundError, ValidationError } from '../platform/errors.ts';
import { paginateEach } from '../platform/page.ts';
import { modelsOf } from '../providers/catalog.ts';
import { decodeModelId, ModelNode } from '../providers/schema.ts';
import { Configuration } from '../system/schema.ts';
import { Profile, ProfileVersion } from './entity.ts';
import { knownTools, profileHooks, type ToolDescription } from './hooks.ts';
import * as profiles from './service.ts';
import type { RetrievalChange, SettingsChange } from './settings.ts';

export const RetrievalModeEnum = builder.enumType('RetrievalMode', {
  description: 'When passages are looked for before an answer.',
  values: {
    OFF: { description: 'Never.' },
    AUTO: { description: 'When the profile has documents and the message is more than small talk.' },
    ALWAYS: { description: 'Before every answer.' },
  },
});
export const SearchModeEnum = builder.enumType('SearchMode', {
  description: 'How passages are found.',
  values: {
    SEMANTIC: { description: 'By their vectors.' },
    KEYWORD: { description: 'By their words (BM25).' },
    HYBRID: { description: 'By both, fused.' },
  },
});
const RetrievalFailurePolicyEnum = builder.enumType('RetrievalFailurePolicy', {
  description: 'What a run does when retrieval fails.',
  values: {
    ANSWER_WITHOUT_CONTEXT: { description: 'It answers without passages and says so in `degraded`.' },
    FAIL_RUN: { description: 'It fails.' },
  },
});

const RetrievalSettingsObject = builder.objectRef<RetrievalSettings>('RetrievalSettings').implement({
  description: 'How passages are found for an answer.',
  fields: (t) => ({
    mode: t.expose('mode', { type: RetrievalModeEnum, description: 'When passages are looked for.' }),
    searchMode: t.expose('searchMode', { type: SearchModeEnum, description: 'How they are found.' }),
    topK: t.exposeInt('topK', { description: 'Passages of one answer at most.' }),
    minScore: t.exposeFloat('minScore', { description: 'Passages below this fused score are left out, 0..1; 0 leaves none out.' }),
    rerank: t.exposeBoolean('rerank', { description: 'Whether the found passages are ranked again before the best are taken.' }),
    rerankModel: t.field({
      type: ModelNode,
      nullable: true,
      description: 'The model that ranks again; null for the built-in one.',
      resolve: (retrieval) => retrieval.rerankModelId,
    }),
    chunkSize: t.exposeInt('chunkSize', { description: 'Tokens of a passage.' }),
    chunkOverlap: t.exposeInt('chunkOverlap', { description: 'Tokens that a passage shares with the next.' }),
    maxContextTokens: t.exposeInt('maxContextTokens', { description: 'Tokens of all passages of one answer together.' }),
    onFailure: t.expose('onFailure', { type: RetrievalFailurePolicyEnum, description: 'What to do when retrieval fails: answer without context, or fail the run.' }),
  }),
});

/** Something that a model may call. */
export const ToolObject = builder.objectRef<ToolDescription>('Tool').implement({
  description: 'Something that a model may call while it answers.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, e.g. "search_documents".' }),
    description: t.exposeString('description', { description: 'What it does, as the model reads it.' }),
    parameters: t.field({ type: 'JSON', description: 'JSON Schema of its arguments.', resolve: (tool) => tool.parameters }),
    requiresApproval: t.exposeBoolean('requiresApproval', { description: 'Whether a person is asked before it is called.' }),
  }),
});

/** A version of a profile. */
export const ProfileVersionNode = builder.loadableNodeRef('ProfileVersion', {
  id: { resolve: (version) => version.id },
  sort: (version: ProfileVersion) => version.id,
  load: (ids: string[], ctx: Context): Promise<ProfileVersion[]> => profiles.versionsById(ctx, onlyUuids(ids)),
});
ProfileVersionNode.implement({
  description: 'What a profile answers with. It never changes; a change of the profile makes the next one.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: '1 for the first, rising by one.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    createdBy: t.field({ type: UserNode, nullable: true, description: 'Who made it; null when they have left, or when the product made it.', resolve: (version) => version.createdById }),
    changeNote: t.exposeString('changeNote', { nullable: true, description: 'Why it was made.' }),
    systemPrompt: t.exposeString('systemPrompt', { description: 'What the model is told before the conversation.' }),
    model: t.field({
      type: ModelNode,
      description: 'The model that answers; the default of the installation where none was chosen or the chosen one is gone.',
      resolve: async (version, _args, ctx) => profiles.answeringModelId(await modelsOf(ctx), version),
    }),
    fallbackModels: t.field({
      type: [ModelNode],
      description: "The models that take over, in this order, when the one before fails: those that were chosen, else the model's own of the catalog; only those that can be used now.",
      resolve: async (version, _args, ctx) => {
        const models = await modelsOf(ctx);
        return profiles.fallbackModelIds(models, version, profiles.answeringModelId(models, version));
      },
    }),
    temperature: t.exposeFloat('temperature', { description: 'How freely the model chooses its words, 0..2.' }),
    maxOutputTokens: t.exposeInt('maxOutputTokens', { description: 'Tokens of an answer at most.' }),
    retrieval: t.field({ type: RetrievalSettingsObject, description: 'How passages are found for an answer.', resolve: (version) => version.retrieval }),
    tools: t.field({
      type: [ToolObject],
      description: 'What the model may call.',
      resolve: (version, _args, ctx) => {
        const known = knownTools(ctx.app);
        return version.toolNames.flatMap((name) => known.get(name) ?? []);
      },
    }),
    graph: t.field({ type: GraphDefinitionObject, description: 'What a run does; its `version` is the number of the profile version that brought it.', resolve: (version) => version.graph }),
    cacheAnswers: t.exposeBoolean('cacheAnswers', {
      description: 'Whether equal questions over equal passages may be answered from the cache. Default: only at temperature 0.',
    }),
  }),
});
const ProfileVersionConnection = connection('ProfileVersion', ProfileVersionNode as never, 'versions');

/** A profile, archived ones as well: their chats still name them. */
export const ProfileNode = builder.loadableNodeRef('Profile', {
  id: { resolve: (profile) => profile.id },
  sort: (profile: Profile) => profile.id,
  load: (ids: string[], ctx: Context): Promise<Profile[]> => profiles.profilesById(ctx, onlyUuids(ids)),
});
ProfileNode.implement({
  description: 'An assistant: prompt, model, retrieval, tools and graph, in versions.',
  fields: (t) => ({
    slug: t.exposeString('slug', { description: 'Name for addresses, unique in the workspace, e.g. "biology-teacher".' }),
    name: t.exposeString('name', { description: 'Name to show.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted: it is in no list then and neither changes nor answers, but its chats can still be read; null while it is in use.',
    }),
    version: t.loadable({
      type: ProfileVersionNode,
      description: 'The version that answers now.',
      // The number is part of the key: within one request a profile may change after its version was read.
      resolve: (profile) => `${profile.id}:${profile.currentVersion}`,
      load: async (keys: string[], ctx: Context) => {
        const found = new Map((await profiles.versionsAt(ctx, keys.map(readVersionKey))).map((version) => [`${version.profileId}:${version.number}`, version]));
        return keys.map((key) => found.get(key) ?? new Error(`There is no profile version ${key}.`));
      },
    }),
    versions: t.loadable({
      type: ProfileVersionConnection,
      byPath: true,
      args: forwardArgs(t.arg),
      description: 'All its versions, newest first.',
      load: (ids: string[], ctx: Context, args) => {
        permit(ctx, 'PROFILE_READ');
        return paginateEach(
          kysely(ctx.em, ProfileVersion),
          ids,
          scoped(ctx, ProfileVersion).select().selectAll('profile_version') as never,
          sql.ref('profile_version.profileId'),
          [{ by: sql.ref('profile_version.number'), direction: 'desc', value: (row: ProfileVersion) => row.number }],
          args,
        );
      },
      resolve: (profile) => profile.id,
    }),
    viewerCanUpdate: t.boolean({ description: 'Whether the viewer may change it.', resolve: mayWrite }),
    viewerCanDelete: t.boolean({ description: 'Whether the viewer may delete it.', resolve: mayWrite }),
  }),
});
const ProfileConnection = connection('Profile', ProfileNode as never, 'profiles');

builder.objectFields(WorkspaceNode, (t) => ({
  defaultProfile: t.field({
    type: ProfileNode,
    nullable: true,
    description: 'The profile of chats that name none. Only of the workspace that the viewer is signed in to.',
    resolve: (workspace) => workspace.defaultProfileId,
  }),
  embeddingModel: t.field({
    type: ModelNode,
    description: 'The model that turns its documents into vectors.',
    resolve: (workspace, _args, ctx) => embeddingModelId(ctx, workspace),
  }),
}));
builder.objectFields(Configuration, (t) => ({
  defaultProfile: t.field({
    type: ProfileNode,
    nullable: true,
    description: "The default profile of the viewer's workspace.",
    resolve: async (_config, _args, ctx) => (await workspaceOf(ctx)).defaultProfileId,
  }),
  embeddingModel: t.field({
    type: ModelNode,
    description: "The embedding model of the viewer's workspace.",
    resolve: async (_config, _args, ctx) => embeddingModelId(ctx, await workspaceOf(ctx)),
  }),
}));

const ProfileOrder = builder.inputType('ProfileOrder', {
  description: 'An order of profiles.',
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('ProfileOrderField', {
        description: 'What profiles are ordered by.',
        values: {
          NAME: { description: 'By name; upper and lower case are alike.' },
          CREATED_AT: { description: 'By when they were made.' },
          UPDATED_AT: { description: 'By when they last changed.' },
        },
      }),
      required: true,
      description: 'What to order by.',
    }),
    direction: t.field({ type: OrderDirectionEnum, required: true, description: 'Ascending or descending.' }),
  }),
});

builder.queryFields((t) => ({
  profile: t.field({
    type: ProfileNode,
    nullable: true,
    args: {
      id: t.arg.id({ description: 'Its id; a deleted profile is still found, with archivedAt set.' }),
      slug: t.arg.string({ description: 'Its slug, instead of the id, e.g. "biology-teacher".' }),
    },
    description: 'One profile, by id or slug; null when there is none. Needs PROFILE_READ.',
    resolve: (_root, { id, slug }, ctx) => {
      permit(ctx, 'PROFILE_READ');
      if ((id == null) === (slug == null)) throw new ValidationError('Pass either "id" or "slug".', [id == null ? 'id' : 'slug'], 'exclusive');
      return id == null ? profiles.findProfileBySlug(ctx, slug as string) : rowId('Profile', id);
    },
  }),
  profiles: t.field({
    type: ProfileConnection,
    args: {
      ...bothWaysArgs(t.arg),
      nameContains: t.arg.string({ description: 'Only those whose name contains this text; upper and lower case are alike.' }),
      orderBy: t.arg({ type: ProfileOrder, description: 'By name, ascending, when absent.' }),
    },
    description: 'The profiles of the workspace, without deleted ones. Needs PROFILE_READ.',
    resolve: (_root, args, ctx) => profiles.listProfiles(ctx, args),
  }),
}));

/** Settings of retrieval as a client sends them; absent and null fields stay as they are. */
export const RetrievalSettingsInput = builder.inputType('RetrievalSettingsInput', {
  description: 'How passages are found for an answer. What is absent or null stays as it is; sizes are in tokens.',
  fields: (t) => ({
    mode: t.field({ type: RetrievalModeEnum, description: 'When passages are looked for. Default of a new profile: AUTO.' }),
    searchMode: t.field({ type: SearchModeEnum, description: 'How they are found. Default: HYBRID.' }),
    topK: t.int({ description: 'Passages of one answer at most, 1–50. Default: 6.' }),
    minScore: t.float({ description: 'Least fused score, 0–1. Default: 0.' }),
    rerank: t.boolean({ description: 'Whether passages are ranked again. Default: false.' }),
    rerankModelId: t.id({ description: 'The model that ranks again; null for the built-in one.' }),
    chunkSize: t.int({ description: 'Tokens of a passage, 50–2000. Default: 512.' }),
    chunkOverlap: t.int({ description: 'Tokens that a passage shares with the next, less than half of chunkSize. Default: 40.' }),
    maxContextTokens: t.int({ description: 'Tokens of all passages together, 100–200,000. Default: 3000.' }),
    onFailure: t.field({ type: RetrievalFailurePolicyEnum, description: 'What to do when retrieval fails. Default: ANSWER_WITHOUT_CONTEXT.' }),
  }),
});

const CreateProfileInput = builder.inputType('CreateProfileInput', {
  description: 'A new profile.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name to show, 1–200 characters.' }),
    slug: t.string({ description: 'Name for addresses, unique in the workspace, at most 60 characters; made from the name when absent.' }),
    description: t.string({ description: 'What it is for, at most 2000 characters.' }),
    systemPrompt: t.string({ required: true, description: 'What the model is told before the conversation, at most 32,768 characters.' }),
    modelId: t.id({ description: 'The model that answers, one that can CHAT; the default of the installation when absent.' }),
    fallbackModelIds: t.idList({ description: "Up to 5 models that take over, in this order; [] for none. Absent: the model's own fallbacks." }),
    temperature: t.float({ description: '0–2. Default: 0.2.' }),
    maxOutputTokens: t.int({ description: 'Tokens of an answer, 1–128,000. Default: 2000.' }),
    retrieval: t.field({ type: RetrievalSettingsInput, description: 'How passages are found.' }),
    toolNames: t.stringList({ description: 'What the model may call.' }),
    graph: t.field({ type: GraphDefinitionInput, description: 'What a run does. Default: retrieval, prompt, output.' }),
    cacheAnswers: t.boolean({ description: 'Whether answers may come from the cache. Default: only at temperature 0.' }),
    documentIds: t.idList({ description: 'Documents that it may use from the start.' }),
  }),
});
const ProfilePatch = builder.inputType('ProfilePatch', {
  description:
    'Changes of a profile; what is absent or null stays, except that a null description, modelId or fallbackModelIds is removed. Name and description are changed in place, everything else makes the next version.',
  fields: (t) => ({
    name: t.string({ description: 'Name to show, 1–200 characters.' }),
    description: t.string({ description: 'What it is for, at most 2000 characters; null removes it.' }),
    systemPrompt: t.string({ description: 'What the model is told before the conversation, at most 32,768 characters.' }),
    modelId: t.id({ description: 'The model that answers; null follows the default of the installation.' }),
    fallbackModelIds: t.idList({ description: "Up to 5 models that take over, in this order; [] for none, null for the model's own fallbacks." }),
    temperature: t.float({ description: '0–2.' }),
    maxOutputTokens: t.int({ description: 'Tokens of an answer, 1–128,000.' }),
    retrieval: t.field({ type: RetrievalSettingsInput, description: 'How passages are found; absent fields stay.' }),
    toolNames: t.stringList({ description: 'What the model may call; [] for nothing.' }),
    graph: t.field({ type: GraphDefinitionInput, description: 'What a run does.' }),
    cacheAnswers: t.boolean({ description: 'Whether answers may come from the cache. What nobody has set follows the temperature.' }),
    changeNote: t.string({ description: 'Why, at most 500 characters; kept with the version that this change makes.' }),
  }),
});
const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'expectedVersion gives optimistic locking: a stale editor gets ConflictError, not a silent overwrite.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which profile.' }),
    patch: t.field({ type: ProfilePatch, required: true, description: 'What changes.' }),
    expectedVersion: t.int({ description: 'Number of the version that was read before the change.' }),
  }),
});
const RestoreProfileVersionInput = builder.inputType('RestoreProfileVersionInput', {
  description: 'An old version to make the current one again.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which profile.' }),
    version: t.int({ required: true, description: 'Number of the old version.' }),
  }),
});
const DeleteProfileInput = builder.inputType('DeleteProfileInput', {
  description: 'A profile to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Which profile.' }) }),
});

/** Answer of every mutation that changes a profile. */
export const ProfilePayload = payload<{ profile: Profile }>('ProfilePayload', 'Answer of every mutation that changes a profile.', (t) => ({
  profile: t.field({ type: ProfileNode, nullable: true, description: 'The profile as changed.', resolve: (answer) => answer.profile as never }),
}));

builder.mutationFields((t) => ({
  createProfile: t.field({
    type: ProfilePayload,
    args: { input: t.arg({ type: CreateProfileInput, required: true, description: 'The new profile.' }) },
    description: 'Makes a profile with its first version. Needs PROFILE_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'PROFILE_WRITE');
        const documentIds = decodeIds('Document', input.documentIds ?? [], ['documentIds']);
        const attach = (tx: Context, profileId: string): Promise<void> => attachDocuments(tx, profileId, documentIds);
        return { profile: await profiles.createProfile(ctx, { ...input, ...(await settingsOf(ctx, input, [])) }, attach) };
      }),
  }),
  updateProfile: t.field({
    type: ProfilePayload,
    args: { input: t.arg({ type: UpdateProfileInput, required: true, description: 'What changes.' }) },
    description: 'Changes a profile; what answers afterwards is a new version. Needs PROFILE_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'PROFILE_WRITE');
        const id = decodeId('Profile', input.id);
        const patch = { ...input.patch, ...(await settingsOf(ctx, input.patch, ['patch'])) };
        return { profile: await profiles.updateProfile(ctx, { id, patch, expectedVersion: input.expectedVersion ?? null }) };
      }),
  }),
  restoreProfileVersion: t.field({
    type: ProfilePayload,
    args: { input: t.arg({ type: RestoreProfileVersionInput, required: true, description: 'Which version.' }) },
    description: 'Makes an old version the current one again, as a new version. Needs PROFILE_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'PROFILE_WRITE');
        return { profile: await profiles.restoreProfileVersion(ctx, { id: decodeId('Profile', input.id), version: input.version }) };
      }),
  }),
  deleteProfile: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: DeleteProfileInput, required: true, description: 'Which profile.' }) },
    description: 'Takes a profile out of use: it leaves all lists and its slug is free again, while its chats can still be read. Needs PROFILE_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'PROFILE_WRITE');
        await profiles.deleteProfile(ctx, { id: decodeId('Profile', input.id) });
        return { deletedId: input.id };
      }),
  }),
}));

interface SettingsInput extends Omit<SettingsChange, 'retrieval'> {
  readonly retrieval?: (RetrievalChange & { readonly rerankModelId?: string | null | undefined }) | null | undefined;
}

/** The settings of an input with the catalog's ids of its models; throws NotFoundError below `at` for an unknown one. */
async function settingsOf(ctx: Context, input: SettingsInput, at: readonly string[]): Promise<Pick<SettingsChange, 'modelId' | 'fallbackModelIds' | 'retrieval'>> {
  return {
    modelId: input.modelId == null ? input.modelId : await decodeModelId(ctx, input.modelId, [...at, 'modelId']),
    fallbackModelIds: input.fallbackModelIds && (await Promise.all(input.fallbackModelIds.map((id, index) => decodeModelId(ctx, id, [...at, 'fallbackModelIds', String(index)])))),
    retrieval: input.retrieval && (await retrievalOf(ctx, input.retrieval, [...at, 'retrieval'])),
  };
}

/** A RetrievalSettingsInput with the catalog's id of its model; throws NotFoundError below `at` for an unknown one. */
export async function retrievalOf(ctx: Context, input: RetrievalChange, at: readonly string[]): Promise<RetrievalChange> {
  return input.rerankModelId == null ? input : { ...input, rerankModelId: await decodeModelId(ctx, input.rerankModelId, [...at, 'rerankModelId']) };
}

async function attachDocuments(tx: Context, profileId: string, documentIds: readonly string[]): Promise<void> {
  if (documentIds.length === 0) return;
  if (!profileHooks.attachDocuments) throw new NotFoundError('Document', null, ['documentIds', '0']);
  await profileHooks.attachDocuments(tx, profileId, documentIds);
}

function mayWrite(profile: Profile, _args: unknown, ctx: Context): boolean {
  return profile.archivedAt == null && ctx.viewer?.permissions.has('PROFILE_WRITE') === true;
}

function readVersionKey(key: string): { profileId: string; number: number } {
  const [profileId, number] = key.split(':') as [string, string];
  return { profileId, number: Number(number) };
}

/** The viewer's workspace; loaded once per operation. */
function workspaceOf(ctx: Context): Promise<Workspace> {
  return WorkspaceNode.getDataloader(ctx).load(requireViewer(ctx).workspaceId);
}

async function embeddingModelId(ctx: Context, workspace: Workspace): Promise<string> {
  const models = await modelsOf(ctx);
  return models.find(workspace.embeddingModelId) ? workspace.embeddingModelId : models.defaultEmbeddingModelId;
}
