// Changes of session lists that other instances made, read from the rows once a second.
import type { App } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { defineWatch } from '../platform/watch.ts';
import { ChatSession, DeletedSession } from './entity.ts';
import type { ChangeKind, SessionChange } from './sessions.ts';

interface Listener {
  readonly workspaceId: string;
  readonly on: (change: SessionChange) => void;
}

/** Rows become visible later than their times say: a transaction takes its time, and clocks of instances differ a little. */
const overlapSeconds = 10;

const watch = defineWatch<App, Listener>({
  what: 'session lists',
  intervalMs: 1_000,
  open(app) {
    let seen = new Map<string, string>();
    return async (listeners, seconds) => {
      const rows = await recentSessions(app, [...new Set(listeners.map((listener) => listener.workspaceId))], seconds + overlapSeconds);
      const states = new Map<string, string>();
      for (const { id: sessionId, workspaceId, ownerId, visibility, isNew, isDeleted, updatedAt } of rows) {
        const kind = isDeleted ? 'DELETED' : isNew && !seen.has(sessionId) ? 'CREATED' : 'UPDATED';
        const state = stateOf(kind, updatedAt);
        states.set(sessionId, state);
        if (seen.get(sessionId) === state) continue;
        for (const listener of listeners) if (listener.workspaceId === workspaceId) listener.on({ kind, sessionId, ownerId, visibility, state });
      }
      seen = states;
    };
  },
});

/** Calls `on` for each change in the workspace, its own process' included; returns its ending. */
export function watchSessions(app: App, workspaceId: string, on: (change: SessionChange) => void): () => void {
  return watch(app, { workspaceId, on });
}

/** What tells one change of a session from the next. */
export function stateOf(kind: ChangeKind, updatedAt: Date): string {
  return kind === 'DELETED' ? kind : updatedAt.toISOString();
}

async function recentSessions(app: App, workspaceIds: readonly string[], seconds: number) {
  const recently = sql<Date>`now() - make_interval(secs => ${seconds})`;
  const db = kysely(app.database.fork(), ChatSession, DeletedSession);
  return await db
    .selectFrom('chat_session')
    .select((eb) => ['id', 'workspaceId', 'ownerId', 'visibility', 'updatedAt', eb('createdAt', '>', recently).as('isNew'), sql<boolean>`false`.as('isDeleted')])
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
