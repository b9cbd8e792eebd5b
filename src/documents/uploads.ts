// Bytes on their way in and out of the database: a file is written part by part while it arrives, hashed and measured,
// and never held as a whole. It belongs to no document until a version names it; one that none names is swept later.
import { createHash } from 'node:crypto';
import { scoped } from '../accounts/scoped.ts';
import { transactional, type Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { ValidationError } from '../platform/errors.ts';
import { UploadTooLargeError, type FileUpload } from '../platform/multipart.ts';
import { DocumentFile, DocumentPart, DocumentVersion } from './entity.ts';
import { ExtractionError } from './extract.ts';
import { detectMediaType, sanitizeFileName, type MediaType } from './media.ts';

/** A file as it lies in the database. */
export interface StoredFile {
  readonly id: string;
  /** Safe to show and to save under. */
  readonly name: string;
  readonly mediaType: MediaType;
  readonly sizeBytes: number;
  /** SHA-256, hex. */
  readonly checksum: string;
}

const partBytes = 256 * 1024;

/** Writes an uploaded file. Throws what is wrong with it (empty, too large, not a document), and leaves nothing behind then. */
export async function receiveFile(ctx: Context, upload: FileUpload): Promise<StoredFile> {
  return await storeFile(ctx, upload.stream, { name: sanitizeFileName(upload.name) });
}

/** Writes bytes; without a media type it is told from the content. Throws as receiveFile. */
export async function storeFile(
  ctx: Context,
  bytes: AsyncIterable<Uint8Array>,
  { name, mediaType: known }: { name: string; mediaType?: MediaType },
): Promise<StoredFile> {
  const { maxBytes } = ctx.app.config.uploads;
  const id = await transactional(ctx, async (tx) => tx.em.create(DocumentFile, { workspaceId: workspaceOf(ctx) }).id);
  try {
    const hash = createHash('sha256');
    let head: Uint8Array | null = null;
    let mediaType = known;
    let sizeBytes = 0;
    let part = 0;
    for await (const bytesOfPart of inParts(bytes)) {
      if (head === null) {
        head = bytesOfPart;
        if (!isContainer(head)) mediaType ??= await detectMediaType(head, name);
      }
      hash.update(bytesOfPart);
      sizeBytes += bytesOfPart.byteLength;
      if (sizeBytes > maxBytes) throw new UploadTooLargeError(name, maxBytes);
      await writePart(ctx, id, part++, bytesOfPart);
    }
    if (head === null) throw new ValidationError(`The file "${name}" is empty. Send one that has content.`, null, 'minLength');
    const whole = head;
    mediaType ??= await (whole.byteLength === sizeBytes
      ? typeOfContainer(whole, name)
      : oneAtATime(async () => typeOfContainer(await readFile(ctx, id), name)));
    return { id, name, mediaType, sizeBytes, checksum: hash.digest('hex') };
  } catch (error) {
    await deleteFile(ctx, id);
    throw error;
  }
}

/** An Office file that cannot be opened is taken as a Word document: its ingestion ends with the reason. */
async function typeOfContainer(bytes: Uint8Array, name: string): Promise<MediaType> {
  try {
    return await detectMediaType(bytes, name);
  } catch (error) {
    if (!(error instanceof ExtractionError) || error.code === 'UNSUPPORTED_MEDIA_TYPE') throw error;
    return 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
  }
}

/** All bytes of a file. */
export async function readFile(ctx: Context, id: string): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for (;;) {
    const { rows } = await sql<{ bytes: string }>`select encode(bytes, 'base64') as bytes from document_part
      where file_id = ${id}::uuid and part = ${parts.length}::int and workspace_id = ${workspaceOf(ctx)}::uuid`.execute(kysely(ctx.em));
    if (!rows[0]) return Buffer.concat(parts);
    parts.push(Buffer.from(rows[0].bytes, 'base64'));
  }
}

/** Deletes a file, in short statements. */
export async function deleteFile(ctx: Context, id: string): Promise<void> {
  for (;;) {
    const some = scoped(ctx, DocumentPart).select().select('part').where('fileId', '=', id).limit(20);
    const { numDeletedRows } = await scoped(ctx, DocumentPart).delete().where('fileId', '=', id).where('part', 'in', some).executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) break;
  }
  await scoped(ctx, DocumentFile).delete().where('id', '=', id).execute();
}

/** Deletes what a killed process left half uploaded: files that no version names, a day old. */
export async function sweepFiles(ctx: Context): Promise<void> {
  const left = await scoped(ctx, DocumentFile)
    .select(DocumentVersion)
    .leftJoin('document_version', 'document_version.fileId', 'document_file.id')
    .select('document_file.id')
    .where('document_version.id', 'is', null)
    .where('document_file.createdAt', '<', sql<Date>`now() - interval '1 day'`)
    .limit(20)
    .execute();
  for (const { id } of left) await deleteFile(ctx, id);
}

/** Base64 both ways: the embedded database takes ten times as long for binary values, and holds up the process for it. */
async function writePart(ctx: Context, fileId: string, part: number, bytes: Uint8Array): Promise<void> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  await sql`insert into document_part (file_id, part, workspace_id, bytes)
    values (${fileId}::uuid, ${part}::int, ${workspaceOf(ctx)}::uuid, decode(${text}, 'base64'))`.execute(kysely(ctx.em));
}

/** The same bytes in pieces of one part's size, the last one shorter. */
async function* inParts(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    waiting.push(piece);
    size += piece.byteLength;
    while (size >= partBytes) {
      const whole = Buffer.concat(waiting, size);
      yield whole.subarray(0, partBytes);
      waiting = [Buffer.from(whole.subarray(partBytes))];
      size -= partBytes;
    }
  }
  if (size > 0) yield Buffer.concat(waiting, size);
}

/** Whether the beginning does not tell the type: a zip's table of contents stands at its end. */
function isContainer(head: Uint8Array): boolean {
  const start = Buffer.from(head.buffer, head.byteOffset, head.byteLength).subarray(0, 1024).toString('latin1');
  return ['PK\u0003', 'PK\u0005', '\u00d0\u00cf\u0011\u00e0'].some((magic) => start.startsWith(magic)) || start.trimStart().indexOf('%PDF-') > 0;
}

let turn: Promise<unknown> = Promise.resolve();

/** Files that are read as a whole take turns, so that many uploads at once do not fill the memory. */
function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work);
  turn = mine.catch(() => undefined);
  return mine;
}

function workspaceOf(ctx: Context): string {
  if (ctx.workspaceId === null) throw new Error('A file belongs to a workspace; this context has none.');
  return ctx.workspaceId;
}
