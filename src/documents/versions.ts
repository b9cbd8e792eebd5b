// Versions and their jobs: each ingestion has a version of its own, and a document at most one that is not finished.
import { wrap } from '@mikro-orm/core';
import { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { wantedModelId } from './embedding-switch.ts';
import { DocumentVersion, IngestionJob, type Document } from './entity.ts';
import { ingestionQueue, type IngestionTask } from './ingest.ts';
import { jobChanged } from './progress.ts';
import type { StoredFile } from './uploads.ts';

export interface Added {
  readonly document: Document;
  /** The ingestion; null when the document was there and nothing works on it. */
  readonly job: IngestionJob | null;
}

/** A version that was added to a document, and what it has cancelled: to be announced after the transaction. */
export interface AddedVersion extends Added {
  readonly job: IngestionJob;
  readonly cancelled: readonly IngestionJob[];
}

/** The next version of a document with its job, in place of a job that is not finished. */
export async function addVersion(tx: Context, document: Document, file: Omit<StoredFile, 'name'>): Promise<AddedVersion> {
  const cancelled = await cancelUnfinished(tx, document.id);
  const embeddingModelId = await wantedModelId(tx, await tx.em.findOneOrFail(Workspace, { id: document.workspaceId }));
  const number = document.latestVersion + 1;
  Object.assign(document, { ...contentOf(file), latestVersion: number, status: 'PENDING', error: null, updatedAt: new Date() });
  const { workspaceId, id: documentId } = document;
  const version = tx.em.create(DocumentVersion, {
    workspaceId, documentId, number, fileId: file.id, checksum: file.checksum, sizeBytes: file.sizeBytes, embeddingModelId,
  });
  const job = tx.em.create(IngestionJob, { workspaceId, documentId, versionId: version.id, status: 'QUEUED', stage: 'QUEUED' });
  await tx.em.flush();
  await tx.app.jobs.enqueue(tx.em, ingestionQueue, { workspaceId, jobId: job.id } satisfies IngestionTask);
  return { document, job, cancelled };
}

/** Cancels what is not finished of a document; `announce` it after the transaction. */
export async function cancelUnfinished(tx: Context, documentId: string): Promise<IngestionJob[]> {
  const jobs = await scoped(tx, IngestionJob).find({ documentId, status: { $in: ['QUEUED', 'RUNNING'] } }, { lockMode: 4 });
  for (const job of jobs) Object.assign(job, { status: 'CANCELLED', finishedAt: new Date() });
  await tx.em.flush();
  return jobs;
}

/** Tells subscribers and the worker; after commit. */
export function announce(ctx: Context, jobs: readonly IngestionJob[], deleted: Document | null = null): void {
  for (const job of jobs) {
    ctx.app.bus.publish(jobChanged, job.workspaceId, {
      jobId: job.id,
      documentId: job.documentId,
      ...(job.status === 'CANCELLED' && { cancelled: true }),
      ...(deleted && { removed: { job: wrap(job).toPOJO() as IngestionJob, document: wrap(deleted).toPOJO() as Document } }),
    });
  }
  if (jobs.some(isUnfinished)) ctx.app.jobs.wake(ingestionQueue);
}

/** The job that works on a document, or waits to. */
export async function unfinishedJob(ctx: Context, documentId: string): Promise<IngestionJob | null> {
  return await scoped(ctx, IngestionJob).findOne({ documentId, status: { $in: ['QUEUED', 'RUNNING'] } });
}

/** Whether a job is still to come to an end. */
export function isUnfinished(job: Pick<IngestionJob, 'status'>): boolean {
  return job.status === 'QUEUED' || job.status === 'RUNNING';
}

/** What a document says of its newest bytes. */
export function contentOf({ mediaType, sizeBytes, checksum }: Omit<StoredFile, 'name' | 'id'>) {
  return { mediaType, sizeBytes, checksum };
}

