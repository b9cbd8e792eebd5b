// How the workspace's own settings are changed.
import type { Workspace } from '../accounts/entity.ts';
import { WorkspaceNode } from '../accounts/schema.ts';
import { attempt, builder, decodeId, payload } from '../builder.ts';
import { permit } from '../context.ts';
import { decodeModelId, ModelNode } from '../providers/schema.ts';
import { embeddingSwitch, type EmbeddingSwitch } from './embedding-switch.ts';
import { updateWorkspace } from './workspace.ts';

const UpdateWorkspaceInput = builder.inputType('UpdateWorkspaceInput', {
  description: 'Changes of the workspace; what is absent stays.',
  fields: (t) => ({
    name: t.string({ description: 'Name to show, 1–200 characters.' }),
    defaultProfileId: t.id({ description: 'The profile of chats that name none; null for none.' }),
    embeddingModelId: t.id({ description: 'The model that turns documents into vectors: one that can EMBED and is available. The documents move to it in the background.' }),
  }),
});
const WorkspacePayload = payload<{ workspace: Workspace }>('WorkspacePayload', 'Answer of updateWorkspace.', (t) => ({
  workspace: t.field({ type: WorkspaceNode, nullable: true, description: 'The workspace as changed.', resolve: (answer) => answer.workspace as never }),
}));

const EmbeddingSwitchObject = builder.objectRef<EmbeddingSwitch>('EmbeddingSwitch').implement({
  description: 'Documents on their way to another embedding model. Each is searched by its old vectors until the new ones are complete.',
  fields: (t) => ({
    model: t.field({ type: ModelNode, description: 'The model that they move to.', resolve: ({ modelId }) => modelId }),
    completedDocuments: t.exposeInt('completedDocuments', { description: 'Documents that are searched by it already.' }),
    totalDocuments: t.exposeInt('totalDocuments', { description: 'All documents that can be searched.' }),
    error: t.exposeString('error', { nullable: true, description: 'Why the last try failed; it is tried again by itself. Null while it goes well.' }),
  }),
});
builder.objectField(WorkspaceNode, 'embeddingSwitch', (t) =>
  t.field({
    type: EmbeddingSwitchObject,
    nullable: true,
    description: 'How far the documents are on their way to another embedding model; null when all are there. Only of the workspace that the viewer is signed in to.',
    resolve: (workspace, _args, ctx) => (workspace.id === ctx.workspaceId ? embeddingSwitch(ctx, workspace) : null),
  }),
);

builder.mutationFields((t) => ({
  updateWorkspace: t.field({
    type: WorkspacePayload,
    args: { input: t.arg({ type: UpdateWorkspaceInput, required: true, description: 'What changes.' }) },
    description: "Changes the viewer's workspace. Needs CONFIG_WRITE.",
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'CONFIG_WRITE');
        return {
          workspace: await updateWorkspace(ctx, {
            name: input.name,
            defaultProfileId: input.defaultProfileId == null ? input.defaultProfileId : decodeId('Profile', input.defaultProfileId, ['defaultProfileId']),
            embeddingModelId: input.embeddingModelId == null ? input.embeddingModelId : await decodeModelId(ctx, input.embeddingModelId, ['embeddingModelId']),
          }),
        };
      }),
  }),
}));
