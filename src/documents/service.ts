// What can be done with documents: add and replace them, ingest them again or stop that, let profiles use them, delete them.
//
// Bytes are stored first, outside any transaction; then document, version, attachments and job appear together in one.
// Each ingestion has a version of its own. A document has at most one unfinished job: a newer one cancels it.
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { assertTakesWork, permit, transactional, type Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { ConflictError, expectedErrors, GenericError, NotFoundError, UserErrors, validate, ValidationError, type UserError } from '../platform/errors.ts';
import type { FileUpload } from '../platform/multipart.ts';
import { text } from '../profiles/settings.ts';
import { assertProfiles, attach } from './attachments.ts';
import { Document, DocumentVersion, IngestionJob, ProfileDocument } from './entity.ts';
import { unknownMetadata } from './ingest.ts';
import { lockDocument } from './locks.ts';
import { sanitizeFileName, type MediaType } from './media.ts';
import { settledStatus } from './progress.ts';
import { removalQueue, type RemovalTask } from './removal.ts';
import { deleteFile, receiveFile, storeFile, sweepFiles, type StoredFile } from './uploads.ts';
import { addVersion, announce, cancelUnfinished, contentOf, isUnfinished, unfinishedJob, type Added, type AddedVersion } from './versions.ts';

/** What to do with a file whose bytes are there already. */
export const duplicatePolicies = ['RETURN_EXISTING', 'NEW_VERSION', 'REJECT'] as const;
export type DuplicatePolicy = (typeof duplicatePolicies)[number];

/** Types that addTextDocument takes. */
export const textMediaTypes = ['text/plain', 'text/markdown', 'text/html'] as const satisfies readonly MediaType[];

export { attachDocuments, attachWithin, detachDocuments } from './attachments.ts';
export type { Added } from './versions.ts';

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
  assertTakesWork(ctx);
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
  assertTakesWork(ctx);
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
  assertTakesWork(ctx);
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
  assertTakesWork(ctx);
  const added = await transactional(ctx, async (tx) => {
    const document = await lockExisting(tx, input.id);
    const unfinished = await unfinishedJob(tx, document.id);
    if (unfinished) {
      throw new ConflictError('The document is being ingested. Wait for that, or cancel it first.', ['id'], { type: 'IngestionJob', id: unfinished.id });
    }
    return await addVersion(tx, document, await newestFile(tx, document));
  });
  announce(ctx, [...added.cancelled, added.job]);
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
  await ctx.app.cache.invalidate([`document:${document.id}`]);
  announce(ctx, jobs, document);
  ctx.app.jobs.wake(removalQueue);
}

/** A document that is not being deleted. */
export async function findDocument(ctx: Context, id: string): Promise<Document | null> {
  permit(ctx, 'DOCUMENT_READ');
  return await scoped(ctx, Document).findOne({ id, status: { $ne: 'DELETING' } });
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
async function using(ctx: Context, file: StoredFile, work: (tx: Context) => Promise<Added | AddedVersion>): Promise<Added> {
  let added: Added | AddedVersion | null = null;
  let isUsed = false;
  try {
    added = await transactional(ctx, work);
    isUsed = added.job !== null && (await scoped(ctx, DocumentVersion).findOne({ id: added.job.versionId, fileId: file.id })) !== null;
    return added;
  } finally {
    if (!isUsed) await deleteFile(ctx, file.id);
    if (added && 'cancelled' in added) announce(ctx, [...added.cancelled, added.job]);
  }
}

async function newestFile(tx: Context, document: Document): Promise<Omit<StoredFile, 'name'>> {
  const latest = await scoped(tx, DocumentVersion).findOne({ documentId: document.id, number: document.latestVersion });
  if (latest?.fileId == null) throw new Error(`The newest version of document ${document.id} has no bytes.`);
  return { id: latest.fileId, mediaType: document.mediaType as MediaType, sizeBytes: latest.sizeBytes, checksum: latest.checksum };
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
