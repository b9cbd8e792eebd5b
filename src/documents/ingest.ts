// The background job that makes an uploaded file searchable: extract its text, cut it into chunks, embed and index them
// under a version that nobody sees yet, then publish it in one step. Whatever goes wrong before leaves the version that was
// published earlier as it is. Each try begins by removing what the one before may have left.
import { scoped } from '../accounts/scoped.ts';
import { createContext, type App, type Context } from '../context.ts';
import { isConnectionFailure, patiently } from '../platform/transient.ts';
import { defaultRetrieval } from '../profiles/defaults.ts';
import { Profile, ProfileVersion } from '../profiles/entity.ts';
import { inBatches, nextTurn } from './batches.ts';
import type { ChunkOptions } from './chunk.ts';
import { embedChunks } from './embedding.ts';
import { DocumentVersion, IngestionJob, ProfileDocument, type DocumentMetadata, type IngestionError } from './entity.ts';
import { extract, ExtractionError, type ExtractedDocument } from './extract.ts';
import type { MediaType } from './media.ts';
import { advance, beginTry, finish, jobChanged, maxTries, putBack, Superseded, type Try } from './progress.ts';
import { deleteChunks, insertChunks, insertPostings, measureChunks, postingsOf, type StoredChunk, type VersionKey } from './store.ts';
import { deleteText, insertText, textPieces } from './text.ts';
import { deleteFile, readFile } from './uploads.ts';

/** The queue of ingestions. */
export const ingestionQueue = 'ingest';

/** What a job of the queue says. */
export interface IngestionTask {
  readonly workspaceId: string;
  readonly jobId: string;
}

/** Lets the process work ingestions off. Call before the jobs are started. */
export function defineIngestion(app: App): void {
  app.jobs.define<IngestionTask>({
    name: ingestionQueue,
    concurrency: app.database.pglite ? 1 : 2,
    // Tries are counted by the job itself, which knows whether the document or a restart is to blame.
    retryLimit: 100,
    expireInSeconds: 3600,
    work: (task, signal) => ingest(app, task, signal),
  });
}

/** Does a job of the queue; does nothing when it is done already. A throw asks for another try. */
export async function ingest(app: App, task: IngestionTask, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const ctx = createContext(app, { workspaceId: task.workspaceId, signal: AbortSignal.any([signal, stop.signal]) });
  const attempt = await beginTry(ctx, task.jobId);
  if (attempt) {
    const unwatch = await abortWhenCancelled(attempt, stop);
    try {
      await run(attempt);
    } catch (error) {
      const superseded = error instanceof Superseded || (stop.signal.aborted && !signal.aborted);
      if (superseded) ctx.log.info({ jobId: task.jobId, attempt: attempt.job.attempt }, 'an ingestion was cancelled or taken over');
      else await afterFailure(attempt, error, signal.aborted);
    } finally {
      await unwatch();
    }
  }
  await removeOutdated(ctx, task.jobId);
}

async function run(attempt: Try): Promise<void> {
  const { ctx, job, document, version } = attempt;
  if (job.attempt > maxTries) return await finish(attempt, { metadata: null, counts: null, error: deadly(attempt) });
  const key: VersionKey = { workspaceId: job.workspaceId, documentId: document.id, versionId: version.id };
  const cleaning = { stage: 'EXTRACTING', completedUnits: 0, totalUnits: null } as const;
  await deleteChunks(ctx, version.id, (work) => advance(attempt, cleaning, work));
  await advance(attempt, cleaning, (tx) => deleteText(tx, version.id));

  if (version.fileId == null) throw new Error('The bytes of this version were removed.');
  const extracted = await extract(await readFile(ctx, version.fileId), {
    name: document.name,
    // A text is of the type that its sender says; what is in a container is looked at again, and may not open.
    ...(document.mediaType.startsWith('text/') && { mediaType: document.mediaType as MediaType }),
    chunking: await chunkingOf(ctx, document.id),
    ...ctx.app.config.extraction,
    signal: ctx.signal,
  });
  const { text } = extracted;
  const chunks = await measureChunks(extracted.chunks ?? []);
  if (chunks.length === 0) throw new ExtractionError('DOCUMENT_HAS_NO_TEXT', 'The document holds no text that could be found. Upload one that has some.');
  await storeChunks(attempt, key, text, chunks);
  const embedded = await embedChunks(attempt, chunks);
  await storePostings(attempt, key, chunks);

  const termCount = chunks.reduce((sum, chunk) => sum + chunk.termCount, 0);
  const metadata = metadataOf(extracted);
  // Without vectors and without a single index term nothing would ever find it.
  if (embedded.error && termCount === 0) return await finish(attempt, { metadata, counts: null, error: embedded.error });
  const counts = { textLength: text.length, chunkCount: chunks.length, termCount, reusedChunkCount: embedded.reused };
  await finish(attempt, { metadata, counts, error: embedded.error });
}

async function storeChunks(attempt: Try, key: VersionKey, text: string, chunks: readonly StoredChunk[]): Promise<void> {
  const at = (completedUnits: number) => ({ stage: 'CHUNKING', completedUnits, totalUnits: chunks.length }) as const;
  await inBatches(textPieces(text), (pieces) => advance(attempt, at(0), (tx) => insertText(tx, key, pieces)), 2);
  await inBatches(chunks, (batch, done) => advance(attempt, at(done + batch.length), (tx) => insertChunks(tx, key, batch)));
}

async function storePostings(attempt: Try, key: VersionKey, chunks: readonly StoredChunk[]): Promise<void> {
  const totalUnits = chunks.length;
  const together = 8;
  await advance(attempt, { stage: 'INDEXING', completedUnits: 0, totalUnits });
  for (let done = 0; done < chunks.length; done += together) {
    const some = chunks.slice(done, done + together);
    const to = { stage: 'INDEXING', completedUnits: done + some.length, totalUnits } as const;
    await inBatches(postingsOf(some), (rows) => advance(attempt, to, (tx) => insertPostings(tx, key, rows)), 200);
  }
}

/** The sizes that the first of the document's profiles asks for. */
async function chunkingOf(ctx: Context, documentId: string): Promise<ChunkOptions> {
  const row = await scoped(ctx, ProfileDocument)
    .select(Profile, ProfileVersion)
    .innerJoin('profile', 'profile.id', 'profile_document.profileId')
    .innerJoin('profile_version', (join) =>
      join.onRef('profile_version.profileId', '=', 'profile.id').onRef('profile_version.number', '=', 'profile.currentVersion'))
    .select('profile_version.retrieval')
    .where('profile_document.documentId', '=', documentId)
    .where('profile.archivedAt', 'is', null)
    .orderBy('profile_document.attachedAt')
    .orderBy('profile.id')
    .limit(1)
    .executeTakeFirst();
  const { chunkSize, chunkOverlap } = row?.retrieval ?? defaultRetrieval;
  return { chunkSize, chunkOverlap };
}

function metadataOf({ metadata, wordCount, language }: ExtractedDocument): DocumentMetadata {
  return {
    title: metadata.title ?? null,
    author: metadata.author ?? null,
    pageCount: metadata.pageCount ?? null,
    wordCount,
    language,
    documentCreatedAt: metadata.documentCreatedAt?.toISOString() ?? null,
    extra: metadata.extra,
  };
}

/** What is told of a document that nobody survived to say anything about. */
function deadly({ stage }: Try): IngestionError {
  const message = `The process that read the document ended ${maxTries} times before it was done; it is not tried again by itself. Upload another version, or start the ingestion again.`;
  return { code: 'INTERNAL', stage, message, retryable: true, failedChunkCount: 0 };
}

/** An expected failure ends the job. An unexpected one is tried again, and ends it when it comes every time. */
async function afterFailure(attempt: Try, error: unknown, interrupted: boolean): Promise<void> {
  const { ctx, job, stage } = attempt;
  // When the process stops, its own signal would forbid the writing, too.
  const afterwards: Try = { ...attempt, ctx: createContext(ctx.app, { workspaceId: job.workspaceId, requestId: ctx.requestId }) };
  // Neither a process that stops nor a database that was away says anything of the document.
  if (interrupted || isConnectionFailure(error)) {
    ctx.log.warn({ err: error, jobId: job.id, documentId: job.documentId }, 'an ingestion was interrupted; it is tried again');
    const back = (): Promise<void> => putBack(afterwards, { interrupted: true });
    await (interrupted ? back() : patiently(back));
    throw error;
  }
  if (error instanceof ExtractionError) {
    const { code, message, retryable, pageCount } = error;
    ctx.log.info({ jobId: job.id, documentId: job.documentId, code, detail: error.cause }, 'a document cannot be read');
    const failure: IngestionError = { code, stage, message, retryable, failedChunkCount: 0 };
    return await end(afterwards, pageCount === null ? null : { ...unknownMetadata, pageCount }, failure);
  }
  ctx.log.error({ err: error, jobId: job.id, documentId: job.documentId, attempt: job.attempt }, 'an ingestion failed unexpectedly');
  if (job.attempt < maxTries) {
    await putBack(afterwards, { interrupted: false });
    throw error;
  }
  const message = `Something went wrong on our side, ${maxTries} times. Start the ingestion again later; quote the request ${ctx.requestId} when you report it.`;
  await end(afterwards, null, { code: 'INTERNAL', stage, message, retryable: true, failedChunkCount: 0 });
}

/** Nothing is known of a document that was never read. */
export const unknownMetadata: DocumentMetadata = {
  title: null, author: null, pageCount: null, wordCount: 0, language: null, documentCreatedAt: null, extra: {},
};

async function end(attempt: Try, metadata: DocumentMetadata | null, error: IngestionError): Promise<void> {
  try {
    await finish(attempt, { metadata, counts: null, error });
  } catch (thrown) {
    if (!(thrown instanceof Superseded)) throw thrown;
  }
}

/** Cancelling kills the reader at once instead of at the next write. */
async function abortWhenCancelled(attempt: Try, stop: AbortController): Promise<() => Promise<void>> {
  const { ctx, job } = attempt;
  return await ctx.app.bus.subscribe(jobChanged, job.workspaceId, (event) => {
    if (event.jobId !== job.id || event.cancelled !== true) return;
    stop.abort(new Superseded());
  });
}

/**
 * Removes what no longer serves anything: what was made of a version that is not published; or the chunks and bytes of the
 * versions before the published one, whose texts stay, as citations point into them. Each version has one job, so that this
 * never meets another job's rows.
 */
async function removeOutdated(ctx: Context, jobId: string): Promise<void> {
  const job = await scoped(ctx, IngestionJob).select().selectAll().where('id', '=', jobId).executeTakeFirst();
  if (!job || job.status === 'QUEUED' || job.status === 'RUNNING') return;
  if (job.status === 'FAILED' || job.status === 'CANCELLED') {
    await deleteChunks(ctx, job.versionId);
    return await deleteText(ctx, job.versionId);
  }
  const versions = await scoped(ctx, DocumentVersion).select().select(['id', 'number', 'fileId']).where('documentId', '=', job.documentId).execute();
  const published = versions.find((version) => version.id === job.versionId);
  for (const version of versions) {
    if (!published || version.number >= published.number) continue;
    await deleteChunks(ctx, version.id);
    if (version.fileId != null && version.fileId !== published.fileId) await deleteFile(ctx, version.fileId);
    await nextTurn();
  }
}
