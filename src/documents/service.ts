// What can be done with documents: add and replace them, ingest them again or stop that, let profiles use them, delete them.
//
// Bytes are stored first, outside any transaction; then document, version, attachments and job appear together in one.
// Each ingestion has a version of its own. A document has at most one unfinished job: a newer one cancels it.
import { wrap } from '@mikro-orm/core';
import { z } from 'zod';
import { Workspace } from '../accounts/entity.ts';
import { scoped } from '../accounts/scoped.ts';
import { permit, transactional, type Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { ConflictError, expectedErrors, GenericError, NotFoundError, UserErrors, validate, ValidationError, type UserError } from '../platform/errors.ts';
import type { FileUpload } from '../platform/multipart.ts';
import { Profile } from '../profiles/entity.ts';
import { text } from '../profiles/settings.ts';
import { Document, DocumentVersion, IngestionJob, ProfileDocument } from './entity.ts';
import { ingestionQueue, unknownMetadata, type IngestionTask } from './ingest.ts';
import { lockDocument } from './locks.ts';
import { sanitizeFileName, type MediaType } from './media.ts';
import { jobChanged, settledStatus } from './progress.ts';
import { removalQueue, type RemovalTask } from './removal.ts';
import { receiveFile, storeFile, sweepFiles, deleteFile, type StoredFile } from './uploads.ts';

/** What to do with a file whose bytes are there already. */
export const duplicatePolicies = ['RETURN_EXISTING', 'NEW_VERSION', 'REJECT'] as const;
export type DuplicatePolicy = (typeof duplicatePolicies)[number];

/** Types that addTextDocument takes. */
export const textMediaTypes = ['text/plain', 'text/markdown', 'text/html'] as const satisfies readonly MediaType[];

export interface Added {
  readonly document: Document;
  /** The ingestion; null when the document was there and nothing works on it. */
  readonly job: IngestionJob | null;
}

export interface Uploaded {
  readonly documents: readonly Document[];
  readonly jobs: readonly IngestionJob[];
  readonly userErrors: readonly UserError[];
}

interface Placement {
  readonly profileIds: readonly string[];
  readonly tags: readonly string[];
}

const tags = z
  .array(text('tag', 50).trim().min(1, 'A tag is empty.'))
  .max(20, 'A document has at most 20 tags.')
  .transform((given) => [...new Set(given)]);
const textDocument = z.object({
  name: text('name', 200).trim().min(1, 'The name is empty.'),
  mediaType: z.enum(textMediaTypes, `The media type of a text must be one of ${textMediaTypes.join(', ')}. Upload other documents as files.`),
  text: z.string().refine((given) => given.trim() !== '', { error: 'The text is empty.', params: { constraint: 'minLength' } }),
  tags,
});

/** Stores and ingests files; each that fails is told in `userErrors`, the others are added all the same. */
export async function uploadDocuments(
  ctx: Context,
  input: Placement & { readonly files: readonly Promise<FileUpload>[]; readonly onDuplicate: DuplicatePolicy },
): Promise<Uploaded> {
  permit(ctx, 'DOCUMENT_WRITE');
  const placement = { profileIds: input.profileIds, tags: validate(tags, input.tags, ['tags']) };
  await assertProfiles(ctx, input.profileIds);
  const { maxFiles } = ctx.app.config.uploads;
  if (input.files.length === 0 || input.files.length > maxFiles) {
    throw new GenericError('VALIDATION_FAILED', `The request has ${input.files.length} files. Send 1 to ${maxFiles} at once.`, ['files']);
  }
  await sweepFiles(ctx);
  const added: Added[] = [];
  const userErrors: UserError[] = [];
  // In the order in which they come through the connection: the next one starts when this one was read.
  for (const [index, file] of input.files.entries()) {
    try {
      added.push(await addFile(ctx, await receiveFile(ctx, await file), placement, input.onDuplicate));
    } catch (thrown) {
      const expected = expectedErrors(thrown);
      if (!expected) throw thrown;
      userErrors.push(...expected.map((error) => at(error, ['files', String(index)])));
    }
  }
  const documents = new Map(added.map(({ document }) => [document.id, document]));
  const jobs = new Map(added.flatMap(({ job }) => (job ? [[job.id, job]] : [])));
  return { documents: [...documents.values()], jobs: [...jobs.values()], userErrors };
}

/** Adds a document whose text is given, as it is. */
export async function addTextDocument(ctx: Context, input: Placement & { name: string; text: string; mediaType: string }): Promise<Added> {
  permit(ctx, 'DOCUMENT_WRITE');
  const valid = validate(textDocument, input);
  await assertProfiles(ctx, input.profileIds);
  const { maxBytes } = ctx.app.config.uploads;
  const bytes = Buffer.from(valid.text.toWellFormed());
  if (bytes.byteLength > maxBytes) {
    throw new GenericError('PAYLOAD_TOO_LARGE', `The text has ${bytes.byteLength} bytes; at most ${maxBytes} are taken. Split it.`, ['text']);
  }
  const file = await storeFile(ctx, only(bytes), { name: sanitizeFileName(valid.name), mediaType: valid.mediaType });
  return await addFile(ctx, file, { profileIds: input.profileIds, tags: valid.tags }, 'ALLOW');
}

/** Gives a document new bytes as its next version; what was published stays searchable until that is. */
export async function replaceDocument(ctx: Context, input: { id: string; file: Promise<FileUpload> }): Promise<Added> {
  permit(ctx, 'DOCUMENT_WRITE');
  if (!(await findDocument(ctx, input.id))) throw new NotFoundError('Document');
  let file: StoredFile;
  try {
    file = await receiveFile(ctx, await input.file);
  } catch (thrown) {
    const expected = expectedErrors(thrown);
    throw expected ? new UserErrors(expected.map((error) => at(error, ['file']))) : thrown;
  }
  return await using(ctx, file, async (tx) => addVersion(tx, await lockExisting(tx, input.id), file));
}

/** Ingests the newest bytes of a document again, e.g. after a failure; throws ConflictError while that is going on. */
export async function reingestDocument(ctx: Context, input: { id: string }): Promise<Added> {
  permit(ctx, 'DOCUMENT_WRITE');
  const added = await transactional(ctx, async (tx) => {
    const document = await lockExisting(tx, input.id);
    const unfinished = await unfinishedJob(tx, document.id);
    if (unfinished) {
      throw new ConflictError('The document is being ingested. Wait for that, or cancel it first.', ['id'], { type: 'IngestionJob', id: unfinished.id });
    }
    const latest = await scoped(tx, DocumentVersion).findOne({ documentId: document.id, number: document.latestVersion });
    if (latest?.fileId == null) throw new Error(`The newest version of document ${document.id} has no bytes.`);
    return await addVersion(tx, document, { id: latest.fileId, mediaType: document.mediaType as MediaType, sizeBytes: latest.sizeBytes, checksum: latest.checksum });
  });
  announce(ctx, [added.job]);
  return added;
}

/** Stops an ingestion; the document is what it was before, or FAILED if it never was anything. */
export async function cancelIngestion(ctx: Context, input: { jobId: string }): Promise<Added> {
  permit(ctx, 'DOCUMENT_WRITE');
  const cancelled = await transactional(ctx, async (tx) => {
    const job = await scoped(tx, IngestionJob).findOne({ id: input.jobId });
    const document = job && (await lockDocument(tx, job.documentId));
    if (!job || !document) throw new NotFoundError('IngestionJob', null, ['jobId']);
    await tx.em.refresh(job, { lockMode: 4 });
    if (!isUnfinished(job)) {
      throw new ConflictError('This ingestion has finished already.', ['jobId'], { type: 'IngestionJob', id: job.id });
    }
    Object.assign(job, { status: 'CANCELLED', finishedAt: new Date() });
    const status = await settledStatus(tx, document);
    Object.assign(document, { status, error: status === 'FAILED' ? cancelledError(job) : null, updatedAt: new Date() });
    return { document, job };
  });
  announce(ctx, [cancelled.job]);
  return cancelled;
}

/** Lets a profile use documents; those it may use already stay. */
export async function attachDocuments(ctx: Context, input: { profileId: string; documentIds: readonly string[] }): Promise<void> {
  permit(ctx, 'DOCUMENT_WRITE');
  await transactional(ctx, async (tx) => {
    await assertProfiles(tx, [input.profileId], () => ['profileId']);
    await attachWithin(tx, input.profileId, input.documentIds);
  });
}

/** As attachDocuments, inside the transaction that makes the profile; throws NotFoundError below `documentIds`. */
export async function attachWithin(tx: Context, profileId: string, documentIds: readonly string[]): Promise<void> {
  await assertDocuments(tx, documentIds);
  await attach(tx, [profileId], documentIds);
}

/** Takes documents from a profile; those that it may not use stay so. */
export async function detachDocuments(ctx: Context, input: { profileId: string; documentIds: readonly string[] }): Promise<void> {
  permit(ctx, 'DOCUMENT_WRITE');
  await assertProfiles(ctx, [input.profileId], () => ['profileId']);
  await assertDocuments(ctx, input.documentIds);
  if (input.documentIds.length === 0) return;
  await scoped(ctx, ProfileDocument).delete().where('profileId', '=', input.profileId).where('documentId', 'in', [...input.documentIds]).execute();
}

/** Deletes a document: nobody finds it from now on, and its rows go in the background. */
export async function deleteDocument(ctx: Context, input: { id: string }): Promise<void> {
  permit(ctx, 'DOCUMENT_WRITE');
  const { document, jobs } = await transactional(ctx, async (tx) => {
    const document = await lockExisting(tx, input.id);
    Object.assign(document, { status: 'DELETING', publishedVersionId: null, updatedAt: new Date() });
    await tx.em.flush();
    await scoped(tx, ProfileDocument).delete().where('documentId', '=', document.id).execute();
    const jobs = await cancelUnfinished(tx, document.id);
    await tx.app.jobs.enqueue(tx.em, removalQueue, { workspaceId: document.workspaceId, documentId: document.id } satisfies RemovalTask);
    return { document, jobs };
  });
  announce(ctx, jobs, document);
  ctx.app.jobs.wake(removalQueue);
}

/** A document that is not being deleted. */
export async function findDocument(ctx: Context, id: string): Promise<Document | null> {
  permit(ctx, 'DOCUMENT_READ');
  return await scoped(ctx, Document).findOne({ id, status: { $ne: 'DELETING' } });
}

/** Whether a job is still to come to an end. */
export function isUnfinished(job: Pick<IngestionJob, 'status'>): boolean {
  return job.status === 'QUEUED' || job.status === 'RUNNING';
}

/** Document, version, attachments and job of stored bytes, or what the policy says when the bytes are known. */
async function addFile(ctx: Context, file: StoredFile, placement: Placement, onDuplicate: DuplicatePolicy | 'ALLOW'): Promise<Added> {
  return await using(ctx, file, async (tx) => {
    // The same file twice at the same time: the second waits for the first and finds it.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`${ctx.workspaceId}:${file.checksum}`}, 0))`.execute(kysely(tx.em));
    const existing = onDuplicate === 'ALLOW' ? null : await duplicateOf(tx, file);
    if (!existing) {
      const document = tx.em.create(Document, {
        workspaceId: workspaceOf(tx),
        name: file.name,
        ...contentOf(file),
        status: 'PENDING',
        metadata: unknownMetadata,
        tags: [...placement.tags],
        uploadedById: tx.viewer?.userId ?? null,
        latestVersion: 0,
      });
      const added = await addVersion(tx, document, file);
      await attach(tx, placement.profileIds, [document.id]);
      return added;
    }
    if (onDuplicate === 'REJECT') {
      throw new ConflictError(`The same file is there already, as "${existing.name}".`, null, { type: 'Document', id: existing.id }, 'ALREADY_EXISTS');
    }
    existing.tags = [...new Set([...existing.tags, ...placement.tags])];
    await attach(tx, placement.profileIds, [existing.id]);
    if (onDuplicate === 'NEW_VERSION') return await addVersion(tx, existing, file);
    return { document: existing, job: await unfinishedJob(tx, existing.id) };
  });
}

/** Runs `work` in a transaction and tells of its job; the file is deleted unless a version names it afterwards. */
async function using(ctx: Context, file: StoredFile, work: (tx: Context) => Promise<Added>): Promise<Added> {
  let added: Added | null = null;
  let isUsed = false;
  try {
    added = await transactional(ctx, work);
    isUsed = added.job !== null && (await scoped(ctx, DocumentVersion).findOne({ id: added.job.versionId, fileId: file.id })) !== null;
    return added;
  } finally {
    if (!isUsed) await deleteFile(ctx, file.id);
    if (added?.job) announce(ctx, [added.job]);
  }
}

/** The next version of a document with its job, in place of a job that is not finished. */
async function addVersion(tx: Context, document: Document, file: Omit<StoredFile, 'name'>): Promise<Added & { job: IngestionJob }> {
  await cancelUnfinished(tx, document.id);
  const workspace = await tx.em.findOneOrFail(Workspace, { id: document.workspaceId });
  const number = document.latestVersion + 1;
  Object.assign(document, { ...contentOf(file), latestVersion: number, status: 'PENDING', error: null, updatedAt: new Date() });
  const { workspaceId, id: documentId } = document;
  const version = tx.em.create(DocumentVersion, {
    workspaceId, documentId, number, fileId: file.id, checksum: file.checksum, sizeBytes: file.sizeBytes, embeddingModelId: workspace.embeddingModelId,
  });
  const job = tx.em.create(IngestionJob, { workspaceId, documentId, versionId: version.id, status: 'QUEUED', stage: 'QUEUED' });
  await tx.em.flush();
  await tx.app.jobs.enqueue(tx.em, ingestionQueue, { workspaceId, jobId: job.id } satisfies IngestionTask);
  return { document, job };
}

async function cancelUnfinished(tx: Context, documentId: string): Promise<IngestionJob[]> {
  const jobs = await scoped(tx, IngestionJob).find({ documentId, status: { $in: ['QUEUED', 'RUNNING'] } }, { lockMode: 4 });
  for (const job of jobs) Object.assign(job, { status: 'CANCELLED', finishedAt: new Date() });
  await tx.em.flush();
  return jobs;
}

/** Tells subscribers and the worker; after commit. */
function announce(ctx: Context, jobs: readonly IngestionJob[], deleted: Document | null = null): void {
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

async function duplicateOf(tx: Context, file: StoredFile): Promise<Document | null> {
  const found = await scoped(tx, Document).findOne({ checksum: file.checksum, status: { $ne: 'DELETING' } }, { orderBy: { createdAt: 'asc' } });
  const locked = found && (await lockDocument(tx, found.id));
  return locked?.status === 'DELETING' ? null : locked;
}

async function lockExisting(tx: Context, id: string): Promise<Document> {
  const document = await lockDocument(tx, id);
  if (!document || document.status === 'DELETING') throw new NotFoundError('Document');
  return document;
}

async function unfinishedJob(ctx: Context, documentId: string): Promise<IngestionJob | null> {
  return await scoped(ctx, IngestionJob).findOne({ documentId, status: { $in: ['QUEUED', 'RUNNING'] } });
}

async function attach(tx: Context, profileIds: readonly string[], documentIds: readonly string[]): Promise<void> {
  const workspaceId = workspaceOf(tx);
  const attachedAt = new Date();
  const rows = profileIds.flatMap((profileId) => documentIds.map((documentId) => ({ profileId, documentId, workspaceId, attachedAt })));
  if (rows.length === 0) return;
  await kysely(tx.em, ProfileDocument).insertInto('profile_document').values(rows as never).onConflict((conflict) => conflict.doNothing()).execute();
}

async function assertProfiles(ctx: Context, ids: readonly string[], path = (index: number) => ['profileIds', String(index)]): Promise<void> {
  if (ids.length === 0) return;
  const found = await scoped(ctx, Profile).select().select('id').where('id', 'in', [...ids]).where('archivedAt', 'is', null).execute();
  const missing = ids.findIndex((id) => !found.some((row) => row.id === id));
  if (missing >= 0) throw new NotFoundError('Profile', null, path(missing));
}

async function assertDocuments(ctx: Context, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const found = await scoped(ctx, Document).select().select('id').where('id', 'in', [...ids]).where('status', '!=', 'DELETING').execute();
  const missing = ids.findIndex((id) => !found.some((row) => row.id === id));
  if (missing >= 0) throw new NotFoundError('Document', null, ['documentIds', String(missing)]);
}

function contentOf({ mediaType, sizeBytes, checksum }: Omit<StoredFile, 'name' | 'id'>) {
  return { mediaType, sizeBytes, checksum };
}

function cancelledError(job: IngestionJob) {
  const message = 'The ingestion was cancelled before the document could be searched. Start it again with reingestDocument.';
  return { code: 'DOCUMENT_NOT_READY', stage: job.stage, message, retryable: true, failedChunkCount: 0 } as const;
}

/** The same failure, tied to a field of the input. */
function at(error: UserError, field: readonly string[]): UserError {
  if (error instanceof ConflictError) return new ConflictError(error.message, field, error.existing, error.code);
  if (error instanceof ValidationError) return new ValidationError(error.message, field, error.constraint);
  return new GenericError(error.code, error.message, field, { cause: error });
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function workspaceOf(ctx: Context): string {
  if (ctx.workspaceId === null) throw new Error('A document belongs to a workspace; this context has none.');
  return ctx.workspaceId;
}
