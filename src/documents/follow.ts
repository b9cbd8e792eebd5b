// The subscription to ingestions: where matching jobs stand, then each change. A reader that is slow gets each job's newest
// state; what it has not read yet costs one entry per job. Bus messages only wake: the state is read from the rows.
import { scoped } from '../accounts/scoped.ts';
import { createContext, permit, type Context } from '../context.ts';
import { NotFoundError } from '../platform/errors.ts';
import { latest } from '../platform/latest.ts';
import { Profile } from '../profiles/entity.ts';
import { IngestionJob, ProfileDocument, type Document } from './entity.ts';
import { jobChanged, type JobChange } from './progress.ts';
import { findDocument } from './service.ts';
import { isUnfinished } from './versions.ts';
import { watchJobs } from './watch.ts';

/** Which jobs; all of the workspace when nothing is given. */
export interface JobFilter {
  readonly jobId: string | null;
  readonly documentId: string | null;
  readonly profileId: string | null;
}

/** A job as it was told; with its document where that can no longer be read. */
export type FollowedJob = IngestionJob & { readonly owner?: Document };

/**
 * The state of matching unfinished jobs, then every change. A job that is named is told in any case, and ends the stream when
 * it ends. Throws NotFoundError for an id that names nothing in the workspace.
 */
export async function followJobs(ctx: Context, filter: JobFilter): Promise<AsyncIterableIterator<FollowedJob>> {
  const viewer = permit(ctx, 'DOCUMENT_READ');
  await assertVisible(ctx, filter);
  const changes = await latest<Pick<JobChange, 'jobId' | 'removed'>>(async (offer) => {
    const on = (change: JobChange): void => {
      const { jobId, documentId } = change;
      if ((filter.jobId ?? jobId) === jobId && (filter.documentId ?? documentId) === documentId) offer(jobId, change);
    };
    const stop = await ctx.app.bus.subscribe(jobChanged, viewer.workspaceId, on);
    const unwatch = watchJobs(ctx.app, viewer.workspaceId, on);
    const close = async (): Promise<void> => {
      unwatch();
      await stop();
    };
    try {
      for (const id of await currentJobs(createContext(ctx.app, { viewer }), filter)) offer(id, { jobId: id });
    } catch (error) {
      await close();
      throw error;
    }
    return close;
  });
  const told = new Told();
  const iterator: AsyncIterableIterator<FollowedJob> = {
    async next() {
      for (;;) {
        const next = await changes.next();
        if (next.done) return { value: undefined, done: true };
        const { jobId, removed } = next.value;
        // A job that was told before it ended: its end is told even if its document was detached since.
        const profileId = told.isOpen(jobId) ? null : filter.profileId;
        const job = removed ? profileId === null && lastState(removed) : await readJob(createContext(ctx.app, { viewer }), jobId, profileId);
        if (!job || !told.isNews(job)) continue;
        if (filter.jobId !== null && !isUnfinished(job)) await changes.return?.();
        return { value: job, done: false };
      }
    },
    async return() {
      await changes.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

/** What a reader knows of the jobs it was told of lately. */
class Told {
  readonly #states = new Map<string, { readonly state: string; readonly open: boolean }>();

  isOpen(jobId: string): boolean {
    return this.#states.get(jobId)?.open ?? false;
  }

  /** Whether this state is another than the one told last; remembers it. */
  isNews(job: IngestionJob): boolean {
    const state = `${job.status} ${job.stage} ${job.completedUnits} ${job.attempt}`;
    if (this.#states.get(job.id)?.state === state) return false;
    this.#states.delete(job.id);
    this.#states.set(job.id, { state, open: isUnfinished(job) });
    const [oldest] = this.#states.keys();
    if (this.#states.size > 1000 && oldest !== undefined) this.#states.delete(oldest);
    return true;
  }
}

async function assertVisible(ctx: Context, { jobId, documentId, profileId }: JobFilter): Promise<void> {
  if (jobId !== null && !(await readJob(ctx, jobId, null))) throw new NotFoundError('IngestionJob', null, ['jobId']);
  if (documentId !== null && !(await findDocument(ctx, documentId))) throw new NotFoundError('Document', null, ['documentId']);
  if (profileId === null) return;
  const profile = await scoped(ctx, Profile).select().select('id').where('id', '=', profileId).executeTakeFirst();
  if (!profile) throw new NotFoundError('Profile', null, ['profileId']);
}

async function currentJobs(ctx: Context, { jobId, documentId, profileId }: JobFilter): Promise<string[]> {
  let query = scoped(ctx, IngestionJob).select().select('ingestion_job.id').orderBy('ingestion_job.queuedAt').orderBy('ingestion_job.id');
  if (jobId === null) query = query.where('ingestion_job.status', 'in', ['QUEUED', 'RUNNING']);
  else query = query.where('ingestion_job.id', '=', jobId);
  if (documentId !== null) query = query.where('ingestion_job.documentId', '=', documentId);
  if (profileId !== null) query = query.where('ingestion_job.documentId', 'in', documentsOf(ctx, profileId));
  return (await query.execute()).map((row) => row.id);
}

async function readJob(ctx: Context, id: string, profileId: string | null): Promise<IngestionJob | null> {
  let query = scoped(ctx, IngestionJob).select().selectAll().where('id', '=', id);
  if (profileId !== null) query = query.where('documentId', 'in', documentsOf(ctx, profileId));
  return ((await query.executeTakeFirst()) as IngestionJob | undefined) ?? null;
}

/** The rows of a deleted document as they were; another instance sends them as JSON. */
function lastState({ job, document }: NonNullable<JobChange['removed']>): FollowedJob {
  const date = (value: Date | string | null | undefined): Date | null => (value == null ? null : new Date(value));
  const owner = { ...document, createdAt: new Date(document.createdAt), updatedAt: new Date(document.updatedAt) };
  return { ...job, owner, queuedAt: new Date(job.queuedAt), startedAt: date(job.startedAt), finishedAt: date(job.finishedAt) };
}

function documentsOf(ctx: Context, profileId: string) {
  return scoped(ctx, ProfileDocument).select().select('profile_document.documentId').where('profile_document.profileId', '=', profileId);
}
