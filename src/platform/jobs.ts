// Background jobs by pg-boss: a job is a row, enqueued in the caller's transaction and worked off by any instance.
// pg-boss polls; `wake` after commit makes a worker of this process look at once.
import { CompiledQuery } from 'kysely';
import { PgBoss, fromPglite, type Job } from 'pg-boss';
import { kysely, sql, type Database, type EntityManager } from './database.ts';
import type { Logger } from './log.ts';

export interface QueueDefinition<Data extends object> {
  readonly name: string;
  /** Jobs worked on at once by this process. */
  readonly concurrency: number;
  /** Tries after the first; a job that still fails stays failed. */
  readonly retryLimit: number;
  /** A worker that says nothing for so long has lost the job. */
  readonly expireInSeconds: number;
  /** Does one job. A throw counts as a failed try; `signal` aborts when the process stops. */
  work(data: Data, signal: AbortSignal): Promise<void>;
}

export interface Jobs {
  /** Registers a queue; call before `start`. */
  define<Data extends object>(queue: QueueDefinition<Data>): void;
  /** Adds a job inside the transaction of `em`; call `wake` after commit. */
  enqueue(em: EntityManager, queue: string, data: object): Promise<void>;
  wake(queue: string): void;
  /** Jobs that wait or are worked on, over all queues. */
  pending(): Promise<number>;
  /** Opens the tables; with `work` also works the queues off. */
  start(options: { work: boolean }): Promise<void>;
  /** Stops fetching, waits for running jobs at most `timeoutMs`, then aborts them; they are tried again later. Jobs can still be added. */
  stop(timeoutMs: number): Promise<void>;
  /** Closes the connections of their own that jobs have. */
  close(): Promise<void>;
}

/** Jobs on the given database. */
export function createJobs(database: Database, databaseUrl: string | null, log: Logger): Jobs {
  const queues: QueueDefinition<object>[] = [];
  const workers = new Map<string, string[]>();
  const running = new Set<Promise<void>>();
  let stopping = new AbortController();
  let boss: PgBoss | null = null;

  const execute = async (em: EntityManager, text: string, values: readonly unknown[] = []) => {
    const result = await kysely(em).executeQuery(CompiledQuery.raw(text, [...values]));
    return { rows: result.rows };
  };

  return {
    define(queue) {
      queues.push(queue as unknown as QueueDefinition<object>);
    },
    async enqueue(em, queue, data) {
      if (!boss) throw new Error('Jobs are not started.');
      await boss.send(queue, data, { db: { executeSql: (text, values) => execute(em, text, values) } });
    },
    wake(queue) {
      for (const id of workers.get(queue) ?? []) boss?.notifyWorker(id);
    },
    async pending() {
      const rows = await sql<{ count: number }>`select count(*)::int as count from pgboss.job where state < 'completed'`.execute(kysely(database.fork()));
      return rows.rows[0]?.count ?? 0;
    },
    async start({ work }) {
      if (boss) return;
      stopping = new AbortController();
      boss = new PgBoss({
        ...(database.pglite ? { db: fromPglite(database.pglite), backend: 'pglite' } : { connectionString: databaseUrl as string, max: 3 }),
        schedule: false,
      });
      boss.on('error', (error) => log.error({ err: error }, 'background jobs'));
      await boss.start();
      for (const queue of queues) {
        await boss.createQueue(queue.name, {
          retryLimit: queue.retryLimit,
          retryDelay: 1,
          retryBackoff: true,
          expireInSeconds: queue.expireInSeconds,
          deleteAfterSeconds: 86_400,
        });
      }
      // An embedded database has one process: whatever is active now was left by one that died.
      if (database.pglite) await database.pglite.query("update pgboss.job set state = 'retry', start_after = now() where state = 'active'");
      if (!work) return;
      for (const queue of queues) {
        const ids: string[] = [];
        for (let index = 0; index < queue.concurrency; index++) {
          ids.push(await boss.work<object>(queue.name, { pollingIntervalSeconds: 2 }, (jobs: Job<object>[]) => workAll(queue, jobs)));
        }
        workers.set(queue.name, ids);
      }
    },
    async stop(timeoutMs) {
      workers.clear();
      const timer = setTimeout(() => stopping.abort(), timeoutMs);
      await boss?.stop({ graceful: true, timeout: timeoutMs + 1000, close: false });
      await Promise.allSettled(running);
      clearTimeout(timer);
    },
    async close() {
      await boss?.stop({ graceful: false, close: true });
      boss = null;
    },
  };

  async function workAll(queue: QueueDefinition<object>, jobs: readonly Job<object>[]): Promise<void> {
    for (const job of jobs) {
      const done = queue.work(job.data, AbortSignal.any([stopping.signal, job.signal]));
      running.add(done);
      await done.finally(() => running.delete(done));
    }
  }
}
