// Which passages a search may see: the chunks of published versions in one workspace, optionally fewer. The index of
// words and the index of vectors ask with the same SQL, so that they can never disagree about it.
import type { RawBuilder } from 'kysely';
import { kysely, sql, type EntityManager } from '../platform/database.ts';

/** The passages to search; every restriction that is not null narrows them further. */
export interface PassageScope {
  readonly workspaceId: string;
  /** Only documents attached to this profile. */
  readonly profileId: string | null;
  /** Only these documents. */
  readonly documentIds: readonly string[] | null;
  /** Only documents with at least one of these tags. */
  readonly tags: readonly string[] | null;
}

/** SQL of the versions that search sees: rows of document_version, named `version`, with their `document`. */
export function publishedVersions(scope: PassageScope): RawBuilder<unknown> {
  return sql`document join document_version version on version.id = document.published_version_id
    where document.workspace_id = ${scope.workspaceId}::uuid and ${narrowed(scope)}`;
}

/**
 * SQL that goes from rows with a chunk's id, e.g. `posting.chunk_id`, to their `chunk`, and drops those out of scope. The
 * rows must be of the scope's workspace already. It is not asked for again, on purpose: without statistics, which an
 * embedded database never has, the planner would rather walk through every document of the workspace than look up a few.
 */
export function joinPublishedChunks(scope: PassageScope, chunkId: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`join document_chunk chunk on chunk.id = ${chunkId}
    join document on document.id = chunk.document_id and document.published_version_id = chunk.version_id and ${narrowed(scope)}`;
}

/** What the scope holds. */
export interface ScopeStamp {
  /** Another one whenever other passages are in the scope, and never one that was before. */
  readonly hash: string;
  /** The models of the vectors in the scope. */
  readonly embeddingModelIds: readonly string[];
}

/**
 * Names what the scope holds, in one statement that reads no passage. A document never goes back to an earlier version and
 * loses no tag, and its version's number of embeddings only goes up; one that is taken from a profile and given back has another time of attachment.
 */
export async function scopeStamp(em: EntityManager, scope: PassageScope): Promise<ScopeStamp> {
  const attachments = scope.profileId === null
    ? sql`''`
    : sql`(select coalesce(md5(string_agg(document_id::text || attached_at::text, ',' order by document_id)), '') from profile_document
        where profile_id = ${scope.profileId}::uuid and workspace_id = ${scope.workspaceId}::uuid)`;
  const { rows } = await sql<{ hash: string; embeddingModelIds: readonly string[] | null }>`
    select coalesce(md5(string_agg(version.id::text || version.embedding_revision || version.embedding_model_id, ',' order by version.id)), '') || ${attachments} as hash,
      array_agg(distinct version.embedding_model_id) as "embeddingModelIds"
    from ${publishedVersions(scope)}`.execute(kysely(em));
  return { hash: rows[0]?.hash ?? '', embeddingModelIds: rows[0]?.embeddingModelIds ?? [] };
}

/** The versions that search sees. */
export async function publishedVersionIds(em: EntityManager, scope: PassageScope): Promise<string[]> {
  return (await sql<{ id: string }>`select version.id::text as id from ${publishedVersions(scope)}`.execute(kysely(em))).rows.map(({ id }) => id);
}

function narrowed(scope: PassageScope): RawBuilder<boolean> {
  const conditions = [sql`true`];
  if (scope.profileId !== null) {
    conditions.push(sql`exists (
      select from profile_document attached
      where attached.profile_id = ${scope.profileId}::uuid and attached.document_id = document.id and attached.workspace_id = ${scope.workspaceId}::uuid
    )`);
  }
  if (scope.documentIds !== null) conditions.push(sql`document.id = any(${sql.val(scope.documentIds)}::uuid[])`);
  if (scope.tags !== null) conditions.push(sql`document.tags && ${sql.val(scope.tags)}::text[]`);
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}
