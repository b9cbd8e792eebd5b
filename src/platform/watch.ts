// Rows that other processes change. Messages between processes may be late, lost, or not set up at all; the rows are always
// there. One look per interval serves everybody in this process who watches, while anybody does. The embedded database has
// one process, which hears itself.
import type { Database } from './database.ts';
import type { Logger } from './log.ts';

/** Looks at the rows for all listeners; `seconds` have passed since the last look that succeeded began. */
export type Look<L> = (listeners: readonly L[], seconds: number) => Promise<void>;

export interface WatchOptions<A, L> {
  /** What is watched, for the log, e.g. "ingestions". */
  readonly what: string;
  readonly intervalMs: number;
  /** Begins anew whenever there are listeners again. */
  open(app: A): Look<L>;
}

/** Defines what can be watched; the result adds a listener and returns its ending. */
export function defineWatch<A extends { readonly database: Pick<Database, 'kind'>; readonly log: Logger }, L>({ what, intervalMs, open }: WatchOptions<A, L>): (app: A, listener: L) => () => void {
  const watches = new WeakMap<A, Set<L>>();

  function start(app: A): Set<L> {
    const listeners = new Set<L>();
    const look = open(app);
    let lookedAt = performance.now();
    const wait = (): void => void setTimeout(tick, intervalMs).unref();
    const tick = async (): Promise<void> => {
      if (listeners.size === 0) return void watches.delete(app);
      const begun = performance.now();
      try {
        await look([...listeners], (begun - lookedAt) / 1000);
        lookedAt = begun;
      } catch (error) {
        app.log.warn({ err: error, what }, 'rows that other processes change cannot be read; tried again');
      }
      wait();
    };
    watches.set(app, listeners);
    wait();
    return listeners;
  }

  return (app, listener) => {
    if (app.database.kind === 'pglite') return () => undefined;
    const listeners = watches.get(app) ?? start(app);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
}
