// How documents are read: lists, and what loaders ask for many parents in one statement each.
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { permit, type Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { validate } from '../platform/errors.ts';
import { paginate, paginateEach, type OrderTerm, type Page, type PageArgs } from '../platform/page.ts';
import { Profile } from '../profiles/entity.ts';
import { text } from '../profiles/settings.ts';
import { Document, DocumentChunk, DocumentVersion, IngestionJob, ProfileDocument, type DocumentStatus } from './entity.ts';

export interface DocumentFilter {
  readonly status?: readonly DocumentStatus[] | null | undefined;
  readonly mediaType?: readonly string[] | null | undefined;
  readonly tag?: string | null | undefined;
  readonly nameContains?: string | null | undefined;
  readonly createdAfter?: Date | null | undefined;
}

export interface DocumentList extends PageArgs {
  readonly filterBy?: DocumentFilter | null | undefined;
  readonly orderBy?: { readonly field: 'NAME' | 'CREATED_AT' | 'SIZE' | 'STATUS'; readonly direction: 'ASC' | 'DESC' } | null | undefined;
}

/** A chunk with the number of the version that it is of. */
export type ChunkRow = DocumentChunk & { readonly documentVersion: number };

/** A page of the workspace's documents, newest first when no order is given; those being deleted only when asked for. */
export async function listDocuments(ctx: Context, list: DocumentList): Promise<Page<Document>> {
  permit(ctx, 'DOCUMENT_READ');
  const query = filtered(scoped(ctx, Document).select().selectAll('document').select(sortName.as('sortName')) as never, list.filterBy);
  const direction = list.orderBy?.direction === 'ASC' ? 'asc' : 'desc';
  const order = [terms(direction)[list.orderBy?.field ?? 'CREATED_AT'], byId(direction)];
  return (await paginate(query as never, order as never, list)) as Page<Document>;
}

/** The documents of each profile, newest first. */
export async function documentsOfProfiles(ctx: Context, profileIds: readonly string[], list: DocumentList): Promise<Page<Document>[]> {
  permit(ctx, 'DOCUMENT_READ');
  const query = scoped(ctx, ProfileDocument).select(Document).innerJoin('document', 'document.id', 'profile_document.documentId').selectAll('document');
  const order = [terms('desc').CREATED_AT, byId('desc')];
  const pages = await paginateEach(
    kysely(ctx.em, Document, ProfileDocument), profileIds, filtered(query as never, list.filterBy) as never, sql.ref('profile_document.profileId'), order as never, list,
  );
  return pages as Page<Document>[];
}

/** The versions of each document, newest first. */
export async function versionsOfDocuments(ctx: Context, documentIds: readonly string[], args: PageArgs): Promise<Page<DocumentVersion>[]> {
  permit(ctx, 'DOCUMENT_READ');
  return await paginateEach(
    kysely(ctx.em, DocumentVersion),
    documentIds,
    scoped(ctx, DocumentVersion).select().selectAll('document_version') as never,
    sql.ref('document_version.documentId'),
    [{ by: sql.ref('document_version.number'), direction: 'desc', value: (row: DocumentVersion) => row.number }],
    args,
  );
}

/** The chunks of each document's published version, in the order of the text. */
export async function chunksOfDocuments(ctx: Context, documentIds: readonly string[], args: PageArgs): Promise<Page<ChunkRow>[]> {
  permit(ctx, 'DOCUMENT_READ');
  return await paginateEach(
    kysely(ctx.em, DocumentChunk, Document, DocumentVersion),
    documentIds,
    publishedChunks(ctx) as never,
    sql.ref('document_chunk.documentId'),
    [{ by: sql.ref('document_chunk.ordinal'), direction: 'asc', value: (row: ChunkRow) => row.ordinal }],
    args,
  );
}

/** Documents by id; `deleting` finds those that are being deleted, too. */
export async function documentsById(ctx: Context, ids: readonly string[], { deleting = false } = {}): Promise<Document[]> {
  permit(ctx, 'DOCUMENT_READ');
  if (ids.length === 0) return [];
  let query = scoped(ctx, Document).select().selectAll().where('id', 'in', [...ids]);
  if (!deleting) query = query.where('status', '!=', 'DELETING');
  return (await query.execute()) as Document[];
}

/** Versions by id. */
export async function versionsById(ctx: Context, ids: readonly string[]): Promise<DocumentVersion[]> {
  permit(ctx, 'DOCUMENT_READ');
  if (ids.length === 0) return [];
  return (await scoped(ctx, DocumentVersion)
    .select(Document)
    .innerJoin('document', 'document.id', 'document_version.documentId')
    .selectAll('document_version')
    .where('document_version.id', 'in', [...ids])
    .where('document.status', '!=', 'DELETING')
    .execute()) as DocumentVersion[];
}

/** Chunks of published versions by id. */
export async function chunksById(ctx: Context, ids: readonly string[]): Promise<ChunkRow[]> {
  permit(ctx, 'DOCUMENT_READ');
  if (ids.length === 0) return [];
  return (await publishedChunks(ctx).where('document_chunk.id', 'in', [...ids]).execute()) as ChunkRow[];
}

/** Ingestion jobs by id. */
export async function jobsById(ctx: Context, ids: readonly string[]): Promise<IngestionJob[]> {
  permit(ctx, 'DOCUMENT_READ');
  if (ids.length === 0) return [];
  return (await scoped(ctx, IngestionJob).select().selectAll().where('id', 'in', [...ids]).execute()) as IngestionJob[];
}

/** Each document's published version, or its newest one while none is published; by document id. */
export async function currentVersions(ctx: Context, documentIds: readonly string[]): Promise<Map<string, DocumentVersion>> {
  permit(ctx, 'DOCUMENT_READ');
  const rows = (await scoped(ctx, DocumentVersion)
    .select(Document)
    .innerJoin('document', 'document.id', 'document_version.documentId')
    .selectAll('document_version')
    .where('document_version.documentId', 'in', [...documentIds])
    .where(sql<boolean>`case when ${sql.ref('document.publishedVersionId')} is null
      then ${sql.ref('document_version.number')} = ${sql.ref('document.latestVersion')}
      else ${sql.ref('document_version.id')} = ${sql.ref('document.publishedVersionId')} end`)
    .execute()) as DocumentVersion[];
  return new Map(rows.map((row) => [row.documentId, row]));
}

/** Each document's newest job, by document id. */
export async function latestJobs(ctx: Context, documentIds: readonly string[]): Promise<Map<string, IngestionJob>> {
  permit(ctx, 'DOCUMENT_READ');
  const rows = (await scoped(ctx, IngestionJob)
    .select()
    .distinctOn('documentId')
    .selectAll()
    .where('documentId', 'in', [...documentIds])
    .orderBy('documentId')
    .orderBy('queuedAt', 'desc')
    .orderBy('id', 'desc')
    .execute()) as IngestionJob[];
  return new Map(rows.map((row) => [row.documentId, row]));
}

/** The profiles that may use each document, by name; archived ones are left out. */
export async function profilesOfDocuments(ctx: Context, documentIds: readonly string[]): Promise<Map<string, Profile[]>> {
  permit(ctx, 'PROFILE_READ');
  const rows = await scoped(ctx, ProfileDocument)
    .select(Profile)
    .innerJoin('profile', 'profile.id', 'profile_document.profileId')
    .selectAll('profile')
    .select('profile_document.documentId')
    .where('profile_document.documentId', 'in', [...documentIds])
    .where('profile.archivedAt', 'is', null)
    .orderBy('profile.name')
    .orderBy('profile.id')
    .execute();
  return Map.groupBy(rows as unknown as (Profile & { documentId: string })[], (row) => row.documentId);
}

function publishedChunks(ctx: Context) {
  return scoped(ctx, DocumentChunk)
    .select(Document, DocumentVersion)
    .innerJoin('document_version', 'document_version.id', 'document_chunk.versionId')
    .innerJoin('document', 'document.publishedVersionId', 'document_version.id')
    .selectAll('document_chunk')
    .select('document_version.number as documentVersion');
}

const filter = z.object({
  tag: text('tag', 50).nullish(),
  nameContains: text('text to look for', 200).nullish(),
  mediaType: z.array(text('media type', 200)).max(20, 'Ask for at most 20 media types.').nullish(),
});

type DocumentQuery = ReturnType<typeof scopedDocuments>;
const scopedDocuments = (ctx: Context) => scoped(ctx, Document).select().selectAll('document');

function filtered(query: DocumentQuery, filterBy: DocumentFilter | null | undefined): DocumentQuery {
  const { tag, nameContains, mediaType } = validate(filter, filterBy ?? {}, ['filterBy']);
  const { status, createdAfter } = filterBy ?? {};
  let narrowed = status ? query.where('document.status', 'in', status.length > 0 ? [...status] : [null as never]) : query.where('document.status', '!=', 'DELETING');
  if (mediaType) narrowed = narrowed.where('document.mediaType', 'in', mediaType.length > 0 ? mediaType : [null as never]);
  if (tag) narrowed = narrowed.where(sql<boolean>`${tag} = any(${sql.ref('document.tags')})`);
  if (nameContains) narrowed = narrowed.where(sql<boolean>`strpos(${sortName}, lower(${nameContains})) > 0`);
  if (createdAfter) narrowed = narrowed.where('document.createdAt', '>', createdAfter);
  return narrowed;
}

const sortName = sql<string>`lower(${sql.ref('document.name')})`;
type Direction = OrderTerm<Document>['direction'];
const byId = (direction: Direction): OrderTerm<Document> => ({ by: sql.ref('document.id'), direction, value: (row) => row.id });
const terms = (direction: Direction) => ({
  NAME: { by: sortName, direction, value: (row: Document & { sortName: string }) => row.sortName },
  CREATED_AT: { by: sql.ref('document.createdAt'), direction, value: (row: Document) => row.createdAt.toISOString() },
  SIZE: { by: sql.ref('document.sizeBytes'), direction, value: (row: Document) => row.sizeBytes },
  STATUS: { by: sql.ref('document.status'), direction, value: (row: Document) => row.status },
});
