// Whether people who are signed in may still do what they have begun. A message tells at once; when it is lost, or there are
// no messages, the rows of other instances tell a moment later.
import type { App, Role, Viewer } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { defineWatch } from '../platform/watch.ts';
import { AuthSession, Member } from './entity.ts';
import { accessChanged, viewerOf } from './service.ts';

interface Listener {
  readonly viewer: Viewer;
  readonly learn: (role: Role | null) => void;
}

const watch = defineWatch<App, Listener>({
  what: 'sign-ins',
  intervalMs: 2_000,
  open: (app) => async (listeners) => {
    const roles = await rolesNow(app, [...new Set(listeners.map(({ viewer }) => viewer.authSessionId))]);
    for (const { viewer, learn } of listeners) learn(roles.get(keyOf(viewer.authSessionId, viewer.workspaceId)) ?? null);
  },
});

/**
 * Calls `on` whenever the viewer's role has become another, with null once the sign-in has ended or the membership is gone.
 * Returns its ending.
 */
export async function watchAccess(app: App, viewer: Viewer, on: (role: Role | null) => void): Promise<() => Promise<void>> {
  let last: Role | null = viewer.role;
  const learn = (role: Role | null): void => {
    if (role === last) return;
    last = role;
    on(role);
  };
  const stop = await app.bus.subscribe(accessChanged, viewer.userId, () => {
    viewerOf(app, viewer).then(
      ({ role }) => learn(role),
      // Also when it cannot be found out.
      () => learn(null),
    );
  });
  const unwatch = watch(app, { viewer, learn });
  return async () => {
    unwatch();
    await stop();
  };
}

/** The roles of these sign-ins in the workspaces of their users; what has ended is not among them. */
async function rolesNow(app: App, authSessionIds: readonly string[]): Promise<Map<string, Role>> {
  const rows = await kysely(app.database.fork(), AuthSession, Member)
    .selectFrom('auth_session')
    .innerJoin('member', 'member.userId', 'auth_session.userId')
    .select(['auth_session.id', 'member.workspaceId', 'member.role'])
    .where(sql<boolean>`auth_session.id = any(${sql.val(authSessionIds)}::uuid[])`)
    .where('auth_session.revokedAt', 'is', null)
    .execute();
  return new Map(rows.map(({ id, workspaceId, role }) => [keyOf(id, workspaceId), role]));
}

function keyOf(authSessionId: string, workspaceId: string): string {
  return `${authSessionId} ${workspaceId}`;
}
