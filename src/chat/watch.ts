// Changes of session lists: what is told of them, and how they are found in the rows when other instances made them.
import type { App } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { defineChanges } from '../platform/changes.ts';
import { kysely, sql } from '../platform/database.ts';
import { ChatSession, DeletedSession } from './entity.ts';
import type { SessionChange } from './sessions.ts';

/** Keyed by workspace. */
export const sessionChanged = topic<SessionChange>('chat.sessions');

/** Follows the changes of a workspace's sessions. */
export const followSessions = defineChanges({
  what: 'session lists',
  topic: sessionChanged,
  idOf: (change) => change.sessionId,
  recent: recentSessions,
  changeOf: ({ id: sessionId, ownerId, visibility }, kind, state): SessionChange => ({ kind, sessionId, ownerId, visibility, state }),
});

async function recentSessions(app: App, workspaceIds: readonly string[], seconds: number) {
  const recently = sql<Date>`now() - make_interval(secs => ${seconds})`;
  const db = kysely(app.database.fork(), ChatSession, DeletedSession);
  return await db
    .selectFrom('chat_session')
    .select((eb) => ['id', 'workspaceId', 'ownerId', 'visibility', 'updatedAt', eb('createdAt', '>', recently).$castTo<boolean>().as('isNew'), sql<boolean>`false`.as('isDeleted')])
    .where('workspaceId', 'in', [...workspaceIds])
    .where('updatedAt', '>', recently)
    .unionAll(
      db
        .selectFrom('deleted_session')
        .select(['id', 'workspaceId', 'ownerId', 'visibility', 'deletedAt as updatedAt', sql<boolean>`false`.as('isNew'), sql<boolean>`true`.as('isDeleted')])
        .where('workspaceId', 'in', [...workspaceIds])
        .where('deletedAt', '>', recently),
    )
    .execute();
}
