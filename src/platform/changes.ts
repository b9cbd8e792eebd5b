// Changes of a list, e.g. of sessions, as its subscribers hear of them: by messages at once, and from the rows where messages
// are late, lost, or not set up. Each change is told once, and a slow reader gets the newest of each item.
import { LRUCache } from 'lru-cache';
import type { Bus, Topic } from './bus.ts';
import type { Database } from './database.ts';
import { latest } from './latest.ts';
import type { Logger } from './log.ts';
import { defineWatch } from './watch.ts';

export const changeKinds = ['CREATED', 'UPDATED', 'DELETED'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** A change of one item. */
export interface Change {
  readonly kind: ChangeKind;
  /** Tells one change of an item from the next, as each may be heard of by a message and by its row: see stateOf. */
  readonly state: string;
}

/** An item that changed lately, or is gone since lately. */
export interface ChangedRow {
  readonly id: string;
  readonly workspaceId: string;
  /** Whether it was made within the same time. */
  readonly isNew: boolean;
  readonly isDeleted: boolean;
  readonly updatedAt: Date;
}

export interface ChangesOptions<A, C extends Change, R extends ChangedRow> {
  /** What is watched, for the log, e.g. "session lists". */
  readonly what: string;
  /** Keyed by workspace. */
  readonly topic: Topic<C>;
  idOf(change: C): string;
  /** The items of these workspaces that changed in the last `seconds`. */
  recent(app: A, workspaceIds: readonly string[], seconds: number): Promise<readonly R[]>;
  changeOf(row: R, kind: ChangeKind, state: string): C;
}

/** What a list needs of the app. */
interface Host {
  readonly database: Pick<Database, 'kind'>;
  readonly log: Logger;
  readonly bus: Bus;
}
interface Listener<C> {
  readonly workspaceId: string;
  readonly on: (change: C) => void;
}

/** Rows become visible later than their times say: a transaction takes its time, and clocks of instances differ a little. */
const overlapSeconds = 10;
/** Items of which a list remembers what it was told last. */
const maxTold = 1_000;

/** What tells one change of an item from the next. */
export function stateOf(kind: ChangeKind, updatedAt: Date): string {
  return kind === 'DELETED' ? kind : updatedAt.toISOString();
}

/** Defines a list; the result follows those of its changes in a workspace that `concerns` lets through. */
export function defineChanges<A extends Host, C extends Change, R extends ChangedRow>({
  what, topic, idOf, recent, changeOf,
}: ChangesOptions<A, C, R>): (app: A, workspaceId: string, concerns: (change: C) => boolean) => Promise<AsyncIterableIterator<C>> {
  const watch = defineWatch<A, Listener<C>>({
    what,
    intervalMs: 1_000,
    open(app) {
      let seen = new Map<string, string>();
      return async (listeners, seconds) => {
        const states = new Map<string, string>();
        for (const row of await recent(app, [...new Set(listeners.map((listener) => listener.workspaceId))], seconds + overlapSeconds)) {
          const kind = row.isDeleted ? 'DELETED' : row.isNew && !seen.has(row.id) ? 'CREATED' : 'UPDATED';
          const state = stateOf(kind, row.updatedAt);
          states.set(row.id, state);
          if (seen.get(row.id) === state) continue;
          for (const listener of listeners) if (listener.workspaceId === row.workspaceId) listener.on(changeOf(row, kind, state));
        }
        seen = states;
      };
    },
  });

  return (app, workspaceId, concerns) =>
    latest<C>(async (offer) => {
      const told = new LRUCache<string, string>({ max: maxTold });
      const on = (change: C): void => {
        const id = idOf(change);
        const last = told.get(id);
        // Heard of both ways; or what was there before its deletion, heard of late.
        if (last === change.state || last === 'DELETED') return;
        told.set(id, change.state);
        if (concerns(change)) offer(id, change);
      };
      const stop = await app.bus.subscribe(topic, workspaceId, on);
      const unwatch = watch(app, { workspaceId, on });
      return async () => {
        unwatch();
        await stop();
      };
    });
}
