// Which passages a search may see: the chunks of published versions in one workspace, optionally fewer. The index of
// words and the index of vectors ask with the same SQL, so that they can never disagree about it.
import type { RawBuilder } from 'kysely';
import { sql } from '../platform/database.ts';

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

/** SQL of the versions in a scope: rows of document_version, named `version`, joined with their `document`. */
export function publishedVersions(scope: PassageScope): RawBuilder<unknown> {
  const conditions = [sql`document.workspace_id = ${scope.workspaceId}::uuid`, sql`version.workspace_id = ${scope.workspaceId}::uuid`];
  if (scope.profileId !== null) {
    conditions.push(sql`exists (
      select from profile_document attached
      where attached.profile_id = ${scope.profileId}::uuid and attached.document_id = document.id and attached.workspace_id = document.workspace_id
    )`);
  }
  if (scope.documentIds !== null) conditions.push(sql`document.id = any(${sql.val(scope.documentIds)}::uuid[])`);
  if (scope.tags !== null) conditions.push(sql`document.tags && ${sql.val(scope.tags)}::text[]`);
  return sql`document join document_version version on version.id = document.published_version_id where ${sql.join(conditions, sql` and `)}`;
}
