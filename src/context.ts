// What code is handed: App, one per process; Context, one per operation (also of background work); Viewer, who asks.
import { randomUUID } from 'node:crypto';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import type { Bus } from './platform/bus.ts';
import type { Cache } from './platform/cache.ts';
import type { Config } from './platform/config.ts';
import type { Database, EntityManager } from './platform/database.ts';
import { ForbiddenError, shuttingDown, unauthenticated, type Permission } from './platform/errors.ts';
import type { Jobs } from './platform/jobs.ts';
import type { Limits } from './platform/limits.ts';
import type { Logger } from './platform/log.ts';
import type { Metrics } from './platform/metrics.ts';
import type { Redis } from './platform/redis.ts';
import type { AddressRules } from './models/addresses.ts';
import type { Models } from './models/catalog.ts';
import type { OwnProvider } from './models/installation.ts';

export const roles = ['OWNER', 'ADMIN', 'EDITOR', 'MEMBER', 'VIEWER'] as const;
export type Role = (typeof roles)[number];

/** One per process. Rooms add what they keep running by merging into this interface. */
export interface App {
  readonly config: Config;
  readonly log: Logger;
  readonly database: Database;
  /** Null without REDIS_URL. */
  readonly redis: Redis | null;
  readonly bus: Bus;
  readonly cache: Cache;
  readonly limits: Limits;
  readonly jobs: Jobs;
  /** The installation's models. Those of a workspace: modelsOf (providers). */
  readonly models: Models;
  /** The models of a workspace with these providers of its own. */
  readonly modelsWith: (workspaceId: string, own: readonly OwnProvider[]) => Models;
  /** Where providers of workspaces may lie. */
  readonly addressRules: AddressRules;
  readonly metrics: Metrics;
  /** Where runs keep the state of their graphs. */
  readonly checkpointer: BaseCheckpointSaver;
  readonly startedAt: Date;
  /** True from the moment the process is asked to stop: new work is refused with SHUTTING_DOWN. */
  draining: boolean;
  /** What this process does right now. */
  readonly activity: { subscriptions: number; runs: number };
}

/** A signed-in user in one workspace. */
export interface Viewer {
  readonly userId: string;
  readonly workspaceId: string;
  /** The device's sign-in session. */
  readonly authSessionId: string;
  readonly role: Role;
  readonly permissions: ReadonlySet<Permission>;
  /** When the access token ends; subscriptions end then, too. */
  readonly expiresAt: Date;
}

/** One per operation: nothing in it outlives the operation or serves another viewer. */
export interface Context {
  readonly app: App;
  /** The operation's unit of work; subscriptions take a fresh context for each event. */
  readonly em: EntityManager;
  /** Null for guests and for background work. */
  readonly viewer: Viewer | null;
  /** The workspace that every scoped query is fixed to; null for guests. */
  readonly workspaceId: string | null;
  /** Where the request comes from; null for background work. */
  readonly address: string | null;
  readonly requestId: string;
  readonly log: Logger;
  /** Aborts when the client has gone or the process stops. */
  readonly signal: AbortSignal;
}

/** On whose behalf a context acts: a viewer, a workspace (background work), or a guest. */
export interface Principal {
  readonly viewer?: Viewer | null;
  readonly workspaceId?: string;
  readonly address?: string;
  readonly requestId?: string;
  readonly signal?: AbortSignal;
}

/** A fresh context with a unit of work of its own. */
export function createContext(app: App, principal: Principal): Context {
  const requestId = principal.requestId ?? randomUUID();
  return {
    app,
    em: app.database.fork(),
    viewer: principal.viewer ?? null,
    workspaceId: principal.viewer?.workspaceId ?? principal.workspaceId ?? null,
    address: principal.address ?? null,
    requestId,
    log: app.log.child({ requestId }),
    signal: principal.signal ?? new AbortController().signal,
  };
}

/** The same principal with a fresh unit of work, e.g. for the next event of a subscription. */
export function renewContext(ctx: Context): Context {
  return { ...ctx, em: ctx.app.database.fork() };
}

/** The viewer; throws UNAUTHENTICATED for a guest. */
export function requireViewer(ctx: Context): Viewer {
  if (!ctx.viewer) throw unauthenticated();
  return ctx.viewer;
}

/** The viewer, when the role includes the permission; throws UNAUTHENTICATED or FORBIDDEN. First line of every service. */
export function permit(ctx: Context, permission: Permission): Viewer {
  const viewer = requireViewer(ctx);
  if (!viewer.permissions.has(permission)) throw new ForbiddenError(permission);
  return viewer;
}

/** Throws SHUTTING_DOWN while the process stops. First thing of whatever starts work that goes on in the background. */
export function assertTakesWork({ app }: Context): void {
  if (app.draining) throw shuttingDown();
}

/**
 * Runs `work` in one transaction with a unit of work of its own. On PGlite a transaction must await only its own
 * statements: there is one connection, and it waits for this transaction.
 */
export function transactional<T>(ctx: Context, work: (tx: Context) => Promise<T>): Promise<T> {
  return ctx.em.fork().transactional((em) => work({ ...ctx, em: em as EntityManager }));
}
