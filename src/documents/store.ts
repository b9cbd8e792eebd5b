// The rows that make a version searchable: its chunks and their index terms. They are written in batches, each in the
// transaction that it is given, and removed in batches, too.
import { createHash, randomUUID } from 'node:crypto';
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { tokenize } from '../text/tokenise.ts';
import { nextTurn } from './batches.ts';
import type { Chunk } from './chunk.ts';
import { DocumentChunk } from './entity.ts';

/** The version that rows are written for. */
export interface VersionKey {
  readonly workspaceId: string;
  readonly documentId: string;
  readonly versionId: string;
}

/** A chunk as it is stored. */
export interface StoredChunk extends Chunk {
  readonly id: string;
  /** SHA-256 of heading path and text, hex. */
  readonly checksum: string;
  /** Its length in index terms. */
  readonly termCount: number;
}

/** One row of the index. */
export interface PostingRow {
  readonly chunkId: string;
  readonly term: string;
  readonly frequency: number;
}

/** Names and measures the chunks, leaving time for other work. */
export async function measureChunks(chunks: readonly Chunk[]): Promise<StoredChunk[]> {
  const measured: StoredChunk[] = [];
  for (const chunk of chunks) {
    const checksum = createHash('sha256').update(JSON.stringify([chunk.headingPath, chunk.text])).digest('hex');
    measured.push({ ...chunk, id: randomUUID(), checksum, termCount: tokenize(chunk.text).length });
    await nextTurn();
  }
  return measured;
}

/** The index rows of chunks. Made when they are written: those of a long document would fill the memory. */
export function postingsOf(chunks: readonly Pick<StoredChunk, 'id' | 'text'>[]): PostingRow[] {
  return chunks.flatMap(({ id, text }) => {
    const frequencies = new Map<string, number>();
    for (const { term } of tokenize(text)) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
    return [...frequencies].map(([term, frequency]) => ({ chunkId: id, term, frequency }));
  });
}

/** Writes chunks. */
export async function insertChunks(tx: Context, { workspaceId, documentId, versionId }: VersionKey, chunks: readonly StoredChunk[]): Promise<void> {
  // One value instead of a dozen for each row: reading many parameters takes longer than reading the JSON.
  await sql`insert into document_chunk (id, workspace_id, document_id, version_id, ordinal, text, token_count, term_count, page,
      heading_path, start_offset, end_offset, checksum)
    select id, ${workspaceId}::uuid, ${documentId}::uuid, ${versionId}::uuid, ordinal, text, "tokenCount", "termCount", page,
      "headingPath", start, "end", checksum
    from json_to_recordset(${JSON.stringify(chunks)}::json) as chunk(id uuid, ordinal int, text text, "tokenCount" int, "termCount" int,
      page int, "headingPath" text[], start int, "end" int, checksum text)`.execute(kysely(tx.em));
}

/** Writes index rows. */
export async function insertPostings(tx: Context, { workspaceId }: VersionKey, rows: readonly PostingRow[]): Promise<void> {
  await sql`insert into posting (chunk_id, term, workspace_id, frequency)
    select chunk_id, term, ${workspaceId}::uuid, frequency
    from unnest(${sql.val(rows.map((row) => row.chunkId))}::uuid[], ${sql.val(rows.map((row) => row.term))}::text[], ${sql.val(rows.map((row) => row.frequency))}::int[])
      as posting(chunk_id, term, frequency)`.execute(kysely(tx.em));
}

/** Chunk ids by checksum of a version. */
export async function chunkIdsByChecksum(ctx: Context, versionId: string): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (let after = -1; ;) {
    const rows = await scoped(ctx, DocumentChunk)
      .select()
      .select(['id', 'checksum', 'ordinal'])
      .where('versionId', '=', versionId)
      .where('ordinal', '>', after)
      .orderBy('ordinal')
      .limit(500)
      .execute();
    for (const row of rows) ids.set(row.checksum, row.id);
    after = rows.at(-1)?.ordinal ?? after;
    if (rows.length < 500) return ids;
    await nextTurn();
  }
}

/**
 * Removes a version's chunks with all that hangs on them, in short statements. Each is given to `step`, which may do it in
 * a transaction of its own and refuse.
 */
export async function deleteChunks(ctx: Context, versionId: string, step: (work: (tx: Context) => Promise<void>) => Promise<void> = (work) => work(ctx)): Promise<void> {
  for (let deleted = -1n; deleted !== 0n;) {
    await step(async (tx) => {
      const some = scoped(tx, DocumentChunk).select().select('id').where('versionId', '=', versionId).limit(25);
      deleted = (await scoped(tx, DocumentChunk).delete().where('id', 'in', some).executeTakeFirstOrThrow()).numDeletedRows;
    });
    await nextTurn();
  }
  // In the database the vectors went with the chunks; a store elsewhere has to be told.
  await ctx.app.vectors.forget(ctx.em, { workspaceId: ctx.workspaceId as string, versionId, keepModelId: null });
}
