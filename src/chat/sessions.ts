// Who may see a session, and the list of sessions as it changes.
import { scoped } from '../accounts/scoped.ts';
import { permit, requireViewer, type App, type Context } from '../context.ts';
import { stateOf, type Change, type ChangeKind } from '../platform/changes.ts';
import { kysely } from '../platform/database.ts';
import { NotFoundError } from '../platform/errors.ts';
import { ChatSession, type Visibility } from './entity.ts';
import { followSessions, sessionChanged } from './watch.ts';

/** A change of the session list. */
export interface SessionChange extends Change {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly visibility: Visibility;
}

/** The sessions that the viewer may see: their own, and those shared with the workspace. */
export function visibleSessions(ctx: Context) {
  const viewer = requireViewer(ctx);
  return scoped(ctx, ChatSession)
    .select()
    .where((eb) => eb.or([eb('chat_session.ownerId', '=', viewer.userId), eb('chat_session.visibility', '=', 'WORKSPACE')]));
}

/** A session that the viewer may write to, for change; locked until the transaction ends. Throws NotFoundError. */
export async function lockSession(tx: Context, id: string, field: readonly string[] = ['id']): Promise<ChatSession> {
  const found = await visibleSessions(tx).selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!found) throw new NotFoundError('ChatSession', id, field);
  return found as ChatSession;
}

/** Throws NotFoundError unless the viewer may see the session. */
export async function assertVisible(ctx: Context, id: string, field: readonly string[] = ['id']): Promise<void> {
  const found = await visibleSessions(ctx).select('id').where('id', '=', id).executeTakeFirst();
  if (!found) throw new NotFoundError('ChatSession', id, field);
}

/** Tells session lists of a change; of a deleted session pass the row as it was. */
export async function announceSession(app: App, sessionId: string, kind: ChangeKind, row?: ChatSession): Promise<void> {
  const session =
    row ??
    (await kysely(app.database.fork(), ChatSession).selectFrom('chat_session').select(['workspaceId', 'ownerId', 'visibility', 'updatedAt']).where('id', '=', sessionId).executeTakeFirst());
  if (!session) return;
  app.bus.publish(sessionChanged, session.workspaceId, { kind, sessionId, ownerId: session.ownerId, visibility: session.visibility, state: stateOf(kind, session.updatedAt) });
}

/** Every change of the sessions that the viewer may see; a slow reader gets each session's newest. */
export async function sessionChanges(ctx: Context): Promise<AsyncIterableIterator<SessionChange>> {
  const { userId, workspaceId } = permit(ctx, 'CHAT');
  return await followSessions(ctx.app, workspaceId, (change) => change.ownerId === userId || change.visibility === 'WORKSPACE');
}
