// The order of locks: a document's row first, then its jobs'.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { Document } from './entity.ts';

/**
 * The document, locked until the transaction ends; null when there is none. The lock lets rows be inserted that refer to the
 * document: an ingestion does so while it holds the lock of its job, and would wait in a circle otherwise.
 */
export async function lockDocument(tx: Context, id: string): Promise<Document | null> {
  const locked = await scoped(tx, Document).select().select('document.id').where('document.id', '=', id).forNoKeyUpdate().executeTakeFirst();
  return locked ? await scoped(tx, Document).findOne({ id }, { refresh: true }) : null;
}
