// The background job that moves a workspace's documents to another embedding model, one after the other, while search goes
// on: a document's new vectors are made beside its old ones, and once they are complete one short transaction says that
// they count. So at every moment a document is found by a complete set of vectors. What the job has done stays done when
// it is interrupted; when the embedder fails, it is tried again later, and the old vectors serve until then.
import { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import { readWorkspace } from '../accounts/workspace.ts';
import { createContext, transactional, type App, type Context } from '../context.ts';
import { sql } from '../platform/database.ts';
import { modelsOf } from '../providers/catalog.ts';
import { book, spentOnEmbedding } from '../usage/ledger.ts';
import { inBatches } from './batches.ts';
import { Document, DocumentChunk, DocumentVersion } from './entity.ts';

const queue = 'reembed';
/** Texts of one request to the embedder. */
const requestSize = 64;

/** What a job of the queue says. */
interface ReembeddingTask {
  readonly workspaceId: string;
}

/** Lets the process work the queue off. Call before the jobs are started. */
export function defineReembedding(app: App): void {
  app.jobs.define<ReembeddingTask>({
    name: queue,
    concurrency: 1,
    // An embedder may be away for a night: a try every half minute.
    retryLimit: 2_000,
    expireInSeconds: 3_600,
    work: ({ workspaceId }, signal) => reembed(createContext(app, { workspaceId, signal })),
  });
}

/** Has the workspace's documents moved to the model that it wants now; call in the transaction that changes it, and `wakeReembedding` after. */
export async function enqueueReembedding(tx: Context): Promise<void> {
  await tx.app.jobs.enqueue(tx.em, queue, { workspaceId: (await readWorkspace(tx)).id } satisfies ReembeddingTask);
}

export function wakeReembedding(app: App): void {
  app.jobs.wake(queue);
}

/** How far the documents of a workspace are; null when all are embedded by the model that it wants. */
export interface EmbeddingSwitch {
  readonly modelId: string;
  readonly completedDocuments: number;
  readonly totalDocuments: number;
}

export async function embeddingSwitch(ctx: Context): Promise<EmbeddingSwitch | null> {
  const row = await published(ctx)
    .select([sql<number>`count(*)::int`.as('total'), sql<number>`count(*) filter (where document_version.embedding_model_id = workspace.embedding_model_id)::int`.as('completed'), sql<string | null>`max(workspace.embedding_model_id)`.as('modelId')])
    .executeTakeFirstOrThrow();
  return row.modelId === null || row.completed === row.total ? null : { modelId: row.modelId, completedDocuments: row.completed, totalDocuments: row.total };
}

/** The published versions of the workspace's documents. */
function published(ctx: Context) {
  return scoped(ctx, Document)
    .select(DocumentVersion, Workspace)
    .innerJoin('document_version', 'document_version.id', 'document.publishedVersionId')
    .innerJoin('workspace', 'workspace.id', 'document.workspaceId')
    .where('document.status', '!=', 'DELETING');
}

async function reembed(ctx: Context): Promise<void> {
  for (;;) {
    ctx.signal.throwIfAborted();
    // Read anew each time: the workspace may want another model by now, and documents come and go.
    const next = await published(ctx)
      .select(['document.id as documentId', 'document_version.id as versionId', 'workspace.embeddingModelId as modelId'])
      .whereRef('document_version.embeddingModelId', '!=', 'workspace.embeddingModelId')
      .orderBy('document.id')
      .limit(1)
      .executeTakeFirst();
    // A model that the catalog has lost cannot be moved to; the vectors that are there serve on.
    if (!next || !(await modelsOf(ctx)).find(next.modelId)?.isAvailable) break;
    if (ctx.app.vectors.available && !(await embedVersion(ctx, next))) continue;
    await moveVersion(ctx, next);
  }
  await removeUnused(ctx);
}

interface Move {
  readonly documentId: string;
  readonly versionId: string;
  readonly modelId: string;
}

/** Makes the version's vectors that are missing; false when the workspace has changed its mind meanwhile. */
async function embedVersion(ctx: Context, { versionId, modelId }: Move): Promise<boolean> {
  const { vectors } = ctx.app;
  const workspaceId = ctx.workspaceId as string;
  const ids = (await scoped(ctx, DocumentChunk).select().select('id').where('versionId', '=', versionId).orderBy('ordinal').execute()).map(({ id }) => id);
  const stored = await vectors.stored(ctx.em, { workspaceId, modelId, chunkIds: ids });
  const missing = ids.filter((id) => !stored.has(id));
  for (let at = 0; at < missing.length; at += requestSize) {
    ctx.signal.throwIfAborted();
    if ((await readWorkspace(ctx)).embeddingModelId !== modelId) return false;
    const chunks = await scoped(ctx, DocumentChunk).select().select(['id', 'text']).where('id', 'in', missing.slice(at, at + requestSize)).execute();
    const models = await modelsOf(ctx);
    const made = await models.embed({ modelId, texts: chunks.map(({ text }) => text), as: 'DOCUMENTS', signal: ctx.signal });
    await book(ctx, { userId: null }, [spentOnEmbedding(made.usage)]);
    const rows = chunks.map(({ id }, index) => ({ chunkId: id, workspaceId, modelId, vector: made.vectors[index] ?? [] }));
    await inBatches(rows, (some) => transactional(ctx, async (tx) => {
      // A document that is deleted or replaced meanwhile has lost its chunks.
      const left = await scoped(tx, DocumentChunk).select().select('id').where('id', 'in', some.map(({ chunkId }) => chunkId)).forKeyShare().execute();
      const kept = new Set(left.map(({ id }) => id));
      await vectors.upsert(tx.em, some.filter(({ chunkId }) => kept.has(chunkId)));
    }), 10);
  }
  return true;
}

/** From now on the version is searched by its new vectors, unless another one was published, or another model chosen. */
async function moveVersion(ctx: Context, { documentId, versionId, modelId }: Move): Promise<void> {
  await transactional(ctx, async (tx) => {
    const still = await published(tx)
      .select('document.id')
      .where('document.id', '=', documentId)
      .where('document.publishedVersionId', '=', versionId)
      .where('workspace.embeddingModelId', '=', modelId)
      .forNoKeyUpdate('document')
      .forShare('workspace')
      .executeTakeFirst();
    if (still) await scoped(tx, DocumentVersion).update().set({ embeddingModelId: modelId }).where('id', '=', versionId).execute();
  });
}

/** Vectors by which nothing is searched any more, in batches. */
async function removeUnused(ctx: Context): Promise<void> {
  const { vectors } = ctx.app;
  while ((await vectors.removeUnused(ctx.em, { workspaceId: ctx.workspaceId as string, limit: 200 })) > 0) ctx.signal.throwIfAborted();
}
