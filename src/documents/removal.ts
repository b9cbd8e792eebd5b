// The background job that removes a deleted document's rows. Some documents have hundreds of thousands of index rows, and
// the embedded database would hold up the process while one statement removes them all.
import { scoped } from '../accounts/scoped.ts';
import { createContext, type App } from '../context.ts';
import { Document, DocumentVersion } from './entity.ts';
import { deleteChunks } from './store.ts';
import { deleteText } from './text.ts';
import { deleteFile } from './uploads.ts';

/** The queue of removals. */
export const removalQueue = 'remove-document';

/** What a job of the queue says. */
export interface RemovalTask {
  readonly workspaceId: string;
  readonly documentId: string;
}

/** Lets the process work removals off. Call before the jobs are started. */
export function defineRemoval(app: App): void {
  app.jobs.define<RemovalTask>({
    name: removalQueue,
    concurrency: 1,
    retryLimit: 100,
    expireInSeconds: 900,
    work: (task) => removeDocument(app, task),
  });
}

/** Removes all rows of a document that is being deleted; what is gone already does no harm. */
export async function removeDocument(app: App, { workspaceId, documentId }: RemovalTask): Promise<void> {
  const ctx = createContext(app, { workspaceId });
  const document = await scoped(ctx, Document).select().select('status').where('id', '=', documentId).executeTakeFirst();
  if (document?.status !== 'DELETING') return;
  const versions = await scoped(ctx, DocumentVersion).select().select(['id', 'fileId']).where('documentId', '=', documentId).execute();
  for (const { id } of versions) {
    await deleteChunks(ctx, id);
    await deleteText(ctx, id);
  }
  await app.vectors.deleteDocument(ctx.em, { workspaceId, documentId });
  await scoped(ctx, Document).delete().where('id', '=', documentId).execute();
  for (const fileId of new Set(versions.flatMap((version) => version.fileId ?? []))) await deleteFile(ctx, fileId);
}
