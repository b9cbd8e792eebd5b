// The row of the context's workspace: locked and changed here, after whoever asks has decided that it may be.
import type { Context } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { Workspace } from './entity.ts';

/** Holds the workspace until the transaction ends: others who lock it wait, who only refers to it does not. */
export async function lockWorkspace(tx: Context): Promise<void> {
  await kysely(tx.em, Workspace).selectFrom('workspace').select('id').where('id', '=', idOf(tx)).forNoKeyUpdate().executeTakeFirstOrThrow();
}

/** The workspace, which nobody changes until the transaction ends; others may hold it, too. */
export async function holdWorkspace(tx: Context): Promise<Workspace> {
  return (await kysely(tx.em, Workspace).selectFrom('workspace').selectAll().where('id', '=', idOf(tx)).forShare().executeTakeFirstOrThrow()) as Workspace;
}

/** Sets columns of the workspace. */
export async function changeWorkspace(tx: Context, change: Partial<Pick<Workspace, 'name' | 'defaultProfileId' | 'embeddingModelId' | 'embeddingError'>>): Promise<void> {
  if (Object.keys(change).length === 0) return;
  await kysely(tx.em, Workspace).updateTable('workspace').set(change).where('id', '=', idOf(tx)).execute();
}

/** The workspace as it is now. */
export async function readWorkspace(ctx: Context): Promise<Workspace> {
  return (await kysely(ctx.em, Workspace).selectFrom('workspace').selectAll().where('id', '=', idOf(ctx)).executeTakeFirstOrThrow()) as Workspace;
}

function idOf({ workspaceId }: Context): string {
  if (workspaceId === null) throw new Error('This context has no workspace.');
  return workspaceId;
}
