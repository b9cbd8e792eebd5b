// The embedding model that a workspace wants, and how far its documents are from it. reembedding.ts brings them there.
import type { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { sql } from '../platform/database.ts';
import { modelsOf } from '../providers/catalog.ts';
import { Document, DocumentVersion } from './entity.ts';

/** The queue of workspaces whose vectors are to be put in order. */
export const reembeddingQueue = 'reembed';

/** What a job of the queue says. */
export interface ReembeddingTask {
  readonly workspaceId: string;
  /** Whether only vectors are to be forgotten that are not searched any more. */
  readonly onlyForget: boolean;
}

/** The model that the workspace wants, or the default one while the catalog does not have it. */
export async function wantedModelId(ctx: Context, { embeddingModelId }: Pick<Workspace, 'embeddingModelId'>): Promise<string> {
  const models = await modelsOf(ctx);
  return models.find(embeddingModelId) ? embeddingModelId : models.defaultEmbeddingModelId;
}

/** Has documents brought to the model that the workspace wants; in the transaction that gave reason to, with `wakeReembedding` after. */
export async function enqueueReembedding(tx: Context): Promise<void> {
  await tx.app.jobs.enqueue(tx.em, reembeddingQueue, { workspaceId: tx.workspaceId as string, onlyForget: false } satisfies ReembeddingTask);
}

export function wakeReembedding(app: App): void {
  app.jobs.wake(reembeddingQueue);
}

/** Documents on their way to another model. */
export interface EmbeddingSwitch {
  readonly modelId: string;
  /** Documents that are searched by it already. */
  readonly completedDocuments: number;
  /** Documents that are searched. */
  readonly totalDocuments: number;
  /** Why the last try failed, safe to show; null when it did not. */
  readonly error: string | null;
}

/** How far the context's workspace is; null when all documents are searched by the model that it wants. */
export async function embeddingSwitch(ctx: Context, workspace: Workspace): Promise<EmbeddingSwitch | null> {
  const modelId = await wantedModelId(ctx, workspace);
  const { total, completed } = await publishedDocuments(ctx)
    .select([sql<number>`count(*)::int`.as('total'), sql<number>`(count(*) filter (where document_version.embedding_model_id = ${modelId}))::int`.as('completed')])
    .executeTakeFirstOrThrow();
  return completed === total ? null : { modelId, completedDocuments: completed, totalDocuments: total, error: workspace.embeddingError ?? null };
}

/** A query over the workspace's documents that are searched, with their versions. */
export function publishedDocuments(ctx: Context) {
  return scoped(ctx, Document).select(DocumentVersion).innerJoin('document_version', 'document_version.id', 'document.publishedVersionId');
}
