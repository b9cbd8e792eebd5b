// The workspace's own settings: its name, its default profile, and the model that turns its documents into vectors.
import { Workspace } from '../accounts/entity.ts';
import { name as nameRule } from '../accounts/service.ts';
import { scoped } from '../accounts/scoped.ts';
import { changeWorkspace, readWorkspace } from '../accounts/workspace.ts';
import { assertTakesWork, permit, transactional, type Context } from '../context.ts';
import { NotFoundError, ValidationError, validate } from '../platform/errors.ts';
import { Profile } from '../profiles/entity.ts';
import { modelsOf } from '../providers/catalog.ts';
import { enqueueReembedding, wakeReembedding } from './embedding-switch.ts';

/** What is absent stays; null takes the default profile away, and leaves the others as they are. */
export interface WorkspaceChange {
  readonly name?: string | null | undefined;
  readonly defaultProfileId?: string | null | undefined;
  /** A model's id in the catalog. */
  readonly embeddingModelId?: string | null | undefined;
}

/** Changes the workspace: all of it, or nothing where something is wrong. */
export async function updateWorkspace(ctx: Context, input: WorkspaceChange): Promise<Workspace> {
  permit(ctx, 'CONFIG_WRITE');
  assertTakesWork(ctx);
  const name = input.name == null ? undefined : validate(nameRule, input.name, ['name']);
  const { defaultProfileId } = input;
  if (input.embeddingModelId != null) await assertEmbeds(ctx, input.embeddingModelId);
  await transactional(ctx, async (tx) => {
    if (defaultProfileId != null) await lockProfileInUse(tx, defaultProfileId);
    await changeWorkspace(tx, { ...(name !== undefined && { name }), ...(defaultProfileId !== undefined && { defaultProfileId }) });
    if (input.embeddingModelId != null) await switchEmbeddingModel(tx, input.embeddingModelId);
  });
  if (input.embeddingModelId != null) wakeReembedding(ctx.app);
  return await readWorkspace(ctx);
}

/** From now on documents are embedded by this model. What was embedded before is searched as it is until it has vectors of this one. */
async function switchEmbeddingModel(tx: Context, embeddingModelId: string): Promise<void> {
  await changeWorkspace(tx, { embeddingModelId, embeddingError: null });
  await enqueueReembedding(tx);
}

async function assertEmbeds(ctx: Context, id: string): Promise<void> {
  const model = (await modelsOf(ctx)).find(id);
  const fault = (message: string, constraint: string): ValidationError => new ValidationError(message, ['embeddingModelId'], constraint);
  if (!model?.capabilities.includes('EMBEDDING')) throw fault(`The model ${id} does not embed. Choose one of models(capability: EMBEDDING).`, 'capability');
  if (!model.isAvailable) throw fault(`The model ${id} cannot be used: its provider is not configured. Enter its API key first.`, 'available');
}

/** It cannot be archived before the transaction ends. */
async function lockProfileInUse(tx: Context, id: string): Promise<void> {
  const profile = await scoped(tx, Profile).select().select('profile.id').where('id', '=', id).where('archivedAt', 'is', null).forUpdate().executeTakeFirst();
  if (!profile) throw new NotFoundError('Profile', null, ['defaultProfileId']);
}
