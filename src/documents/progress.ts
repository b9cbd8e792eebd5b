// How far an ingestion is. Each try of a job has a number; everything that a try writes is written in a transaction that
// first moves this number's job on. A try that was cancelled, or overtaken by another process while it was only asleep,
// thus changes nothing any more: its next write throws Superseded.
import { scoped } from '../accounts/scoped.ts';
import { holdWorkspace } from '../accounts/workspace.ts';
import { transactional, type Context } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { sql } from '../platform/database.ts';
import { enqueueReembedding, wakeReembedding, wantedModelId } from './embedding-switch.ts';
import { Document, DocumentVersion, IngestionJob, type DocumentMetadata, type DocumentStatus, type IngestionError, type IngestionStage } from './entity.ts';
import { lockDocument } from './locks.ts';

/** A job has changed; who wants to know how reads it. Key: the workspace. */
export const jobChanged = topic<JobChange>('documents.job');
export interface JobChange {
  readonly jobId: string;
  readonly documentId: string;
  readonly cancelled?: true;
  /** Its end, where the rows are about to be removed: nobody can count on reading them. Dates may come as text. */
  readonly removed?: { readonly job: IngestionJob; readonly document: Document };
}

/** This try no longer owns its job: it was cancelled, its document is being deleted, or another process has taken it over. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** A try that nobody survived counts as well: after so many the document is to blame. */
export const maxTries = 3;

/** One try of a job. */
export interface Try {
  readonly ctx: Context;
  readonly job: IngestionJob;
  readonly document: Document;
  readonly version: DocumentVersion;
  /** Where it stands, for the error of a failure. */
  stage: IngestionStage;
  /** When subscribers last heard of it. */
  announcedAt: number;
}

/** Begins the next try of a job; null when there is nothing left to do. */
export async function beginTry(ctx: Context, jobId: string): Promise<Try | null> {
  const begun = await transactional(ctx, async (tx) => {
    const job = await scoped(tx, IngestionJob).findOne({ id: jobId });
    const document = job && (await lockDocument(tx, job.documentId));
    const version = job && (await scoped(tx, DocumentVersion).findOne({ id: job.versionId }));
    if (!job || !document || !version || document.status === 'DELETING') return null;
    await tx.em.refresh(job);
    if (job.status !== 'QUEUED' && job.status !== 'RUNNING') return null;
    Object.assign(job, { status: 'RUNNING', stage: 'EXTRACTING', completedUnits: 0, totalUnits: null, attempt: job.attempt + 1, startedAt: job.startedAt ?? new Date() });
    Object.assign(document, { status: 'PROCESSING', updatedAt: new Date() });
    return { job, document, version };
  });
  if (!begun) return null;
  const attempt: Try = { ctx, ...begun, stage: 'EXTRACTING', announcedAt: 0 };
  ctx.log.info({ jobId, documentId: begun.document.id, attempt: begun.job.attempt }, 'an ingestion begins');
  announce(attempt);
  return attempt;
}

/** Moves the job on, and does `work` in the same transaction. Throws Superseded. */
export async function advance(
  attempt: Try,
  to: { stage: IngestionStage; completedUnits: number; totalUnits: number | null },
  work: (tx: Context) => Promise<void> = async () => undefined,
): Promise<void> {
  attempt.ctx.signal.throwIfAborted();
  await transactional(attempt.ctx, async (tx) => {
    const moved = await ownJob(tx, attempt).set(to).executeTakeFirstOrThrow();
    if (moved.numUpdatedRows === 0n) throw new Superseded();
    await work(tx);
  });
  const newStage = attempt.stage !== to.stage;
  attempt.stage = to.stage;
  if (newStage || performance.now() - attempt.announcedAt >= announceEveryMs) announce(attempt);
}

/** How a try ends: with a version to publish, or with an error. */
export type Ending =
  | {
      readonly metadata: DocumentMetadata;
      readonly counts: Pick<DocumentVersion, 'textLength' | 'chunkCount' | 'termCount' | 'reusedChunkCount'>;
      /** What is missing of it; null when nothing is. */
      readonly error: IngestionError | null;
    }
  | { readonly metadata: DocumentMetadata | null; readonly counts: null; readonly error: IngestionError };

/** Ends the job: publishes the version, or says why not. Throws Superseded. */
export async function finish(attempt: Try, ending: Ending): Promise<void> {
  const { job, version } = attempt;
  let isOutdated = false;
  await transactional(attempt.ctx, async (tx) => {
    const document = await lockDocument(tx, job.documentId);
    const status = ending.counts === null ? 'FAILED' : ending.error === null ? 'SUCCEEDED' : 'PARTIALLY_SUCCEEDED';
    const stage = ending.counts === null ? attempt.stage : 'DONE';
    const ended = await ownJob(tx, attempt).set({ status, stage, error: ending.error, finishedAt: sql<Date>`now()` }).executeTakeFirstOrThrow();
    if (!document || ended.numUpdatedRows === 0n) throw new Superseded();
    if (ending.counts === null) {
      const status = await settledStatus(tx, document);
      Object.assign(document, { status, error: ending.error, updatedAt: new Date() });
      // What is known of a file that holds no text (its pages, say) is worth keeping.
      if (status === 'FAILED' && ending.metadata) document.metadata = ending.metadata;
      return;
    }
    await scoped(tx, DocumentVersion).update().set(ending.counts).where('id', '=', version.id).execute();
    Object.assign(document, {
      status: ending.error === null ? 'READY' : 'PARTIALLY_READY',
      error: ending.error,
      metadata: ending.metadata,
      publishedVersionId: version.id,
      updatedAt: new Date(),
    });
    // Held, so that a workspace that chooses another model at the same moment does so before this or sees what this published.
    isOutdated = version.embeddingModelId !== (await wantedModelId(tx, await holdWorkspace(tx)));
    if (isOutdated) await enqueueReembedding(tx);
  });
  if (isOutdated) wakeReembedding(attempt.ctx.app);
  // What was made from the version before.
  if (ending.counts !== null) await attempt.ctx.app.cache.invalidate([`document:${job.documentId}`]);
  announce(attempt);
}

/** Puts the job back for another try; the tries so far stay counted unless this one was only interrupted. */
export async function putBack(attempt: Try, { interrupted }: { interrupted: boolean }): Promise<void> {
  const tries = attempt.job.attempt - (interrupted ? 1 : 0);
  await ownJob(attempt.ctx, attempt).set({ status: 'QUEUED', stage: 'QUEUED', completedUnits: 0, totalUnits: null, attempt: tries }).execute();
  announce(attempt);
}

/** What a document is when nothing works on it: as good as its published version, or FAILED without one. */
export async function settledStatus(ctx: Context, document: Pick<Document, 'id' | 'publishedVersionId'>): Promise<DocumentStatus> {
  if (document.publishedVersionId == null) return 'FAILED';
  const job = await scoped(ctx, IngestionJob)
    .select()
    .select('status')
    .where('versionId', '=', document.publishedVersionId)
    .where('status', 'in', ['SUCCEEDED', 'PARTIALLY_SUCCEEDED'])
    .orderBy('finishedAt', 'desc')
    .limit(1)
    .executeTakeFirst();
  return job?.status === 'PARTIALLY_SUCCEEDED' ? 'PARTIALLY_READY' : 'READY';
}

const announceEveryMs = 200;

function announce(attempt: Try): void {
  const { ctx, job } = attempt;
  attempt.announcedAt = performance.now();
  ctx.app.bus.publish(jobChanged, job.workspaceId, { jobId: job.id, documentId: job.documentId });
}

function ownJob(ctx: Context, { job }: Try) {
  return scoped(ctx, IngestionJob).update().where('id', '=', job.id).where('attempt', '=', job.attempt).where('status', '=', 'RUNNING');
}
