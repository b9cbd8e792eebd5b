// The background job that brings a workspace's documents to the embedding model that it wants, one after the other, while
// search goes on. A document's new vectors are made beside its old ones; when they are complete, one short transaction
// says that they count. The old ones stay for a minute, for searches that had begun. So at every moment a document is found
// by a complete set of vectors. What is done stays done when the job is interrupted; an embedder that fails is asked again
// later, and the old vectors serve until then.
//
// Several instances may work on a workspace. Whoever begins with a version takes the next number of its revision, and all
// that it writes is written while the version has this number and the workspace wants this model: whoever was overtaken, or
// slept while the workspace changed its mind, changes nothing any more.
import type { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import { changeWorkspace, holdWorkspace, readWorkspace } from '../accounts/workspace.ts';
import { createContext, transactional, type App, type Context } from '../context.ts';
import type { Embedded } from '../models/embed.ts';
import { classifyProviderError } from '../models/failures.ts';
import { sql } from '../platform/database.ts';
import { modelsOf } from '../providers/catalog.ts';
import { book, spentOnEmbedding } from '../usage/ledger.ts';
import { inBatches, nextTurn } from './batches.ts';
import { publishedDocuments, reembeddingQueue, wantedModelId, type ReembeddingTask } from './embedding-switch.ts';
import { Document, DocumentChunk, DocumentVersion, IngestionJob } from './entity.ts';
import { lockDocument } from './locks.ts';
import { jobChanged } from './progress.ts';

/** Texts of one request to the embedder. */
const requestSize = 64;
/** More documents in a row that cannot be embedded, and the rest would only wait for the same answer. */
const failuresInARow = 3;
/** How long a search may go on with the models that it found when it began; old vectors stay as long. */
const graceSeconds = 60;

/** Lets the process work the queue off. Call before the jobs are started. */
export function defineReembedding(app: App): void {
  app.jobs.define<ReembeddingTask>({
    name: reembeddingQueue,
    concurrency: 1,
    // Never given up: an embedder may be away for days. Who does not want to wait chooses another model.
    retryLimit: 1_000_000,
    expireInSeconds: 24 * 3_600,
    work: (task, signal) => reembed(app, task, signal),
  });
}

/** Does a job of the queue; a throw asks for another try. */
export async function reembed(app: App, { workspaceId, onlyForget }: ReembeddingTask, signal: AbortSignal): Promise<void> {
  const ctx = createContext(app, { workspaceId, signal });
  if (!onlyForget) await moveVersions(ctx);
  await forgetOthers(ctx);
}

/** Moves all that can be moved; a throw asks for another try. */
async function moveVersions(ctx: Context): Promise<void> {
  const left = new Set<string>();
  let failure: unknown = null;
  let inARow = 0;
  for (let move = await nextMove(ctx, left); move !== null && inARow < failuresInARow; move = await nextMove(ctx, left)) {
    try {
      const isDone = !ctx.app.vectors.available || (await embedVersion(ctx, move));
      if (!isDone || !(await moveVersion(ctx, move))) left.add(move.versionId);
      else inARow = 0;
    } catch (error) {
      if (!(error instanceof EmbeddingFailure)) throw error;
      ctx.log.warn({ err: error.cause, documentId: move.documentId, modelId: move.modelId }, 'a document could not be embedded by another model; it is tried again');
      left.add(move.versionId);
      failure = error.cause;
      inARow++;
    }
    await nextTurn();
  }
  await setError(ctx, failure);
  if (failure !== null) throw failure;
}

interface Move {
  readonly documentId: string;
  readonly versionId: string;
  readonly modelId: string;
  readonly revision: number;
}

/** The embedder failed, not we. */
class EmbeddingFailure extends Error {}

/**
 * Begins with the next version that is searched by another model than the workspace wants now; null when none is left but
 * those in `left`. Versions that nobody has begun with come first, so that one that always fails does not hold up the others.
 */
async function nextMove(ctx: Context, left: ReadonlySet<string>): Promise<Move | null> {
  for (;;) {
    ctx.signal.throwIfAborted();
    const modelId = await wantedModelId(ctx, await readWorkspace(ctx));
    const next = await publishedDocuments(ctx)
      .select(['document.id as documentId', 'document_version.id as versionId'])
      .where('document_version.embeddingModelId', '!=', modelId)
      .where(sql<boolean>`document_version.id <> all(${sql.val([...left])}::uuid[])`)
      .orderBy('document_version.otherVectorsSince', (order) => order.asc().nullsFirst())
      .orderBy('document_version.id')
      .limit(1)
      .executeTakeFirst();
    if (!next) return null;
    const revision = await takeVersion(ctx, next.versionId);
    if (revision !== null) return { ...next, modelId, revision };
  }
}

/** Takes a version over from whoever works on it; null when it is gone. */
async function takeVersion(ctx: Context, versionId: string): Promise<number | null> {
  const row = await scoped(ctx, DocumentVersion)
    .update()
    .set({ embeddingRevision: sql<number>`embedding_revision + 1`, otherVectorsSince: sql<Date>`now()` })
    .where('id', '=', versionId)
    .returning('embeddingRevision')
    .executeTakeFirst();
  return row?.embeddingRevision ?? null;
}

/** Makes the version's vectors that are missing; false when somebody else took it over, or another model is wanted. */
async function embedVersion(ctx: Context, move: Move): Promise<boolean> {
  const { documentId, versionId, modelId } = move;
  const { vectors } = ctx.app;
  const workspaceId = ctx.workspaceId as string;
  for (let after = -1; ;) {
    ctx.signal.throwIfAborted();
    if (!(await isOurs(ctx, move))) return false;
    const chunks = await scoped(ctx, DocumentChunk).select().select(['id', 'text', 'ordinal']).where('versionId', '=', versionId).where('ordinal', '>', after).orderBy('ordinal').limit(requestSize).execute();
    const stored = await vectors.stored(ctx.em, { workspaceId, modelId, chunkIds: chunks.map(({ id }) => id) });
    const missing = chunks.filter(({ id }) => !stored.has(id));
    const made = await embed(ctx, modelId, missing.map(({ text }) => text));
    const rows = missing.map(({ id }, index) => ({ chunkId: id, workspaceId, documentId, versionId, modelId, vector: made[index] ?? [] }));
    let isLost = false;
    await inBatches(rows, async (some) => {
      isLost ||= !(await transactional(ctx, async (tx) => {
        if (!(await holdOurs(tx, move))) return false;
        await vectors.upsert(tx.em, some);
        return true;
      }));
    }, 10);
    if (isLost) return false;
    const last = chunks.at(-1);
    if (!last || chunks.length < requestSize) return true;
    after = last.ordinal;
  }
}

async function embed(ctx: Context, modelId: string, texts: readonly string[]): Promise<Embedded['vectors']> {
  try {
    const { vectors, usage } = await (await modelsOf(ctx)).embed({ modelId, texts, as: 'DOCUMENTS', signal: ctx.signal });
    // At once and for itself: it was paid for, whatever becomes of the vectors. Nobody in particular has asked for it.
    await book(ctx, { userId: null }, [spentOnEmbedding(usage)]);
    return vectors;
  } catch (error) {
    ctx.signal.throwIfAborted();
    throw new EmbeddingFailure('The embedder failed.', { cause: error });
  }
}

/** From now on the version is searched by its new vectors; false when it is no longer ours. */
async function moveVersion(ctx: Context, move: Move): Promise<boolean> {
  const { documentId, versionId, modelId, revision } = move;
  const moved = await transactional(ctx, async (tx) => {
    if (!(await holdOurs(tx, move))) return null;
    const since = ctx.app.vectors.available ? sql<Date>`now()` : null;
    await scoped(tx, DocumentVersion).update().set({ embeddingModelId: modelId, embeddingRevision: revision + 1, otherVectorsSince: since }).where('id', '=', versionId).execute();
    return ctx.app.vectors.available ? await completeVersion(tx, move) : [];
  });
  for (const jobId of moved ?? []) ctx.app.bus.publish(jobChanged, ctx.workspaceId as string, { jobId, documentId });
  return moved !== null;
}

/** A version whose ingestion had left vectors out has all of them now; returns the jobs that say so. */
async function completeVersion(tx: Context, { documentId, versionId }: Move): Promise<string[]> {
  const jobs = await scoped(tx, IngestionJob).update().set({ status: 'SUCCEEDED', error: null }).where('versionId', '=', versionId).where('status', '=', 'PARTIALLY_SUCCEEDED').returning('id').execute();
  if (jobs.length > 0) await scoped(tx, Document).update().set({ status: 'READY', error: null, updatedAt: sql<Date>`now()` }).where('id', '=', documentId).where('status', '=', 'PARTIALLY_READY').execute();
  return jobs.map(({ id }) => id);
}

/** Whether what was begun is still to be done. */
async function isOurs(ctx: Context, { versionId, modelId, revision }: Move): Promise<boolean> {
  const ours = await publishedDocuments(ctx).select('document.id').where('document_version.id', '=', versionId).where('document_version.embeddingRevision', '=', revision).executeTakeFirst();
  return ours !== undefined && (await wantedModelId(ctx, await readWorkspace(ctx))) === modelId;
}

/** The same, and it stays so until the transaction ends. */
async function holdOurs(tx: Context, move: Move): Promise<boolean> {
  const document = await lockDocument(tx, move.documentId);
  if (document?.publishedVersionId !== move.versionId) return false;
  const { embeddingRevision } = await scoped(tx, DocumentVersion).select().select('embeddingRevision').where('id', '=', move.versionId).forNoKeyUpdate().executeTakeFirstOrThrow();
  return embeddingRevision === move.revision && (await wantedModelId(tx, await holdWorkspace(tx))) === move.modelId;
}

/** Forgets vectors by which nothing is searched any more, and comes back for those that are to stay a while. */
async function forgetOthers(ctx: Context): Promise<void> {
  const { vectors } = ctx.app;
  if (!vectors.available) return;
  const workspaceId = ctx.workspaceId as string;
  const modelId = await wantedModelId(ctx, await readWorkspace(ctx));
  const mixed = await publishedDocuments(ctx)
    .select(['document.id as documentId', 'document_version.id as versionId', sql<boolean>`other_vectors_since <= now() - make_interval(secs => ${graceSeconds})`.as('isDue')])
    // The others are still on their way, and come here afterwards.
    .where('document_version.embeddingModelId', '=', modelId)
    .where('document_version.otherVectorsSince', 'is not', null)
    .execute();
  for (const { documentId, versionId } of mixed.filter(({ isDue }) => isDue)) {
    const revision = await takeVersion(ctx, versionId);
    if (revision === null) continue;
    const move: Move = { documentId, versionId, modelId, revision };
    for (let forgotten: number | null = null; forgotten !== 0;) {
      ctx.signal.throwIfAborted();
      forgotten = await transactional(ctx, async (tx) => ((await holdOurs(tx, move)) ? await vectors.forget(tx.em, { workspaceId, versionId, keepModelId: modelId }) : null));
      if (forgotten === null) break;
      await nextTurn();
      if (forgotten === 0) await scoped(ctx, DocumentVersion).update().set({ otherVectorsSince: null }).where('id', '=', versionId).where('embeddingRevision', '=', revision).execute();
    }
  }
  if (mixed.some(({ isDue }) => !isDue)) await transactional(ctx, (tx) => ctx.app.jobs.enqueue(tx.em, reembeddingQueue, { workspaceId, onlyForget: true } satisfies ReembeddingTask, { afterSeconds: graceSeconds }));
}

/** Says why documents are not there yet, or that nothing is wrong any more. */
async function setError(ctx: Context, failure: unknown): Promise<void> {
  const embeddingError = failure === null ? null : classifyProviderError(failure).message;
  const workspace: Workspace = await readWorkspace(ctx);
  if ((workspace.embeddingError ?? null) !== embeddingError) await changeWorkspace(ctx, { embeddingError });
}
