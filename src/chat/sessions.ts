// Who may see a session, and the list of sessions as it changes.
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { permit, requireViewer, type App, type Context } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { kysely } from '../platform/database.ts';
import { latest } from '../platform/latest.ts';
import { NotFoundError } from '../platform/errors.ts';
import { ChatSession, type Visibility } from './entity.ts';
import { stateOf, watchSessions } from './watch.ts';

export const changeKinds = ['CREATED', 'UPDATED', 'DELETED'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** A client's name for what it asks, by which a second asking is recognised. */
export const idempotencyKey = z
  .string()
  .min(1, 'The idempotency key is empty.')
  .max(200, 'The idempotency key has more than 200 characters.')
  .refine((key) => !key.includes('\0'), 'The idempotency key holds a NUL character, which cannot be stored.');

/** A change of the session list, keyed by workspace. */
export interface SessionChange {
  readonly kind: ChangeKind;
  readonly sessionId: string;
  readonly ownerId: string;
  readonly visibility: Visibility;
  /** Tells one change of a session from the next, as each may be heard of by a message and by its row. */
  readonly state: string;
}
const sessionChanged = topic<SessionChange>('chat.sessions');
/** Sessions of which a list remembers what it was told last. */
const maxTold = 1_000;

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
  const { app } = ctx;
  const { userId, workspaceId } = permit(ctx, 'CHAT');
  return await latest<SessionChange>(async (offer) => {
    const told = new LRUCache<string, string>({ max: maxTold });
    const tell = (change: SessionChange): void => {
      told.set(change.sessionId, change.state);
      if (change.ownerId === userId || change.visibility === 'WORKSPACE') offer(change.sessionId, change);
    };
    const stop = await app.bus.subscribe(sessionChanged, workspaceId, tell);
    const unwatch = watchSessions(app, workspaceId, (change) => {
      const last = told.get(change.sessionId);
      // What was read before its deletion was heard of.
      if (last !== change.state && last !== 'DELETED') tell(change);
    });
    return async () => {
      unwatch();
      await stop();
    };
  });
}
