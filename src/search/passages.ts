// Passages as a run uses them: the chunk's text with its place in the document.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { Document, DocumentChunk, DocumentVersion } from '../documents/entity.ts';

/** A chunk with what a citation needs to say of its document. Offsets are UTF-16 units in the version's stored text. */
export interface Passage {
  readonly chunkId: string;
  readonly documentId: string;
  readonly documentName: string;
  readonly versionId: string;
  /** Number of the document's version. */
  readonly documentVersion: number;
  readonly page: number | null;
  readonly headingPath: readonly string[];
  readonly startOffset: number;
  readonly endOffset: number;
  readonly text: string;
  readonly tokenCount: number;
}

/** Whether search sees all of these chunks: none of their documents was replaced or deleted. */
export async function arePublished(ctx: Context, chunkIds: readonly string[]): Promise<boolean> {
  if (chunkIds.length === 0) return true;
  const rows = await scoped(ctx, DocumentChunk)
    .select(Document)
    .innerJoin('document', (join) => join.onRef('document.id', '=', 'document_chunk.documentId').onRef('document.publishedVersionId', '=', 'document_chunk.versionId'))
    .select('document_chunk.id')
    .where('document_chunk.id', 'in', chunkIds)
    .execute();
  return rows.length === new Set(chunkIds).size;
}

/** The passages of these chunks in the order of the ids, in one statement; ids that name nothing are left out. */
export async function loadPassages(ctx: Context, chunkIds: readonly string[]): Promise<Passage[]> {
  if (chunkIds.length === 0) return [];
  const rows = await scoped(ctx, DocumentChunk)
    .select(Document, DocumentVersion)
    .innerJoin('document', 'document.id', 'document_chunk.documentId')
    .innerJoin('document_version', 'document_version.id', 'document_chunk.versionId')
    .select([
      'document_chunk.id as chunkId', 'document_chunk.documentId', 'document.name as documentName', 'document_chunk.versionId',
      'document_version.number as documentVersion', 'document_chunk.page', 'document_chunk.headingPath', 'document_chunk.startOffset',
      'document_chunk.endOffset', 'document_chunk.text', 'document_chunk.tokenCount',
    ])
    .where('document_chunk.id', 'in', chunkIds)
    .execute();
  const byId = new Map(rows.map((row) => [row.chunkId, { ...row, page: row.page ?? null }]));
  return chunkIds.flatMap((id) => byId.get(id) ?? []);
}
