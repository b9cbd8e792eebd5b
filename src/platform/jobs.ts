// Background jobs by pg-boss: a job is a row, enqueued in the caller's transaction and worked off by any instance.
// pg-boss polls; `wake` after commit makes the workers of every instance look at once. A worker holds its job by a
// heartbeat: one that was killed loses it within some 20 seconds, and another begins the next try.
import { CompiledQuery } from 'kysely';
import { PgBoss, fromPglite, type Job } from 'pg-boss';
import { topic, type Bus } from './bus.ts';
import { jobLeaseSeconds, kysely, sql, type Database, type EntityManager } from './database.ts';
import type { Logger } from './log.ts';

/** Jobs wait in a queue, whose name is the key. */
const jobsWait = topic<null>('jobs.wait');
const pollSeconds = 2;
/** Several heartbeats per lease, and looks for leases that ran out. */
const heartbeatSeconds = 3;
const longestRetryDelaySeconds = 30;

export interface QueueDefinition<Data extends object> {
  readonly name: string;
  /** Jobs worked on at once by this process. */
  readonly concurrency: number;
  /** Tries after the first; a job that still fails stays failed. */
  readonly retryLimit: number;
  /** A try that takes longer has failed. */
  readonly expireInSeconds: number;
  /** Does one job. A throw counts as a failed try; `signal` aborts when the process stops. */
  work(data: Data, signal: AbortSignal): Promise<void>;
}

export interface Jobs {
  /** Registers a queue; call before `start`. */
  define<Data extends object>(queue: QueueDefinition<Data>): void;
  /** Adds a job inside the transaction of `em`; call `wake` after commit. With `afterSeconds` it begins so much later. */
  enqueue(em: EntityManager, queue: string, data: object, options?: { readonly afterSeconds?: number }): Promise<void>;
  /** Makes the workers of all instances look. */
  wake(queue: string): void;
  /** Jobs that wait or are worked on, over all queues. */
  pending(): Promise<number>;
  /** Opens the tables; with `work` also works the queues off. */
  start(options: { work: boolean }): Promise<void>;
  /** Stops fetching, waits for running jobs at most `timeoutMs`, then aborts them; they are tried again later. Jobs can still be added. */
  stop(timeoutMs: number): Promise<void>;
  /** Ends what is left, without waiting for any job. */
  close(): Promise<void>;
}

/** Jobs on the given database, which takes pg-boss' statements, too: it has no connections of its own. */
export function createJobs(database: Database, bus: Bus, log: Logger): Jobs {
  const queues: QueueDefinition<object>[] = [];
  const workers = new Map<string, string[]>();
  const unsubscribe: (() => Promise<void>)[] = [];
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
    async enqueue(em, queue, data, { afterSeconds = 0 } = {}) {
      if (!boss) throw new Error('Jobs are not started.');
      await boss.send(queue, data, { ...(afterSeconds > 0 && { startAfter: afterSeconds }), db: { executeSql: (text, values) => execute(em, text, values) } });
    },
    wake: (queue) => bus.publish(jobsWait, queue, null),
    async pending() {
      const rows = await sql<{ count: number }>`select count(*)::int as count from pgboss.job where state < 'completed'`.execute(kysely(database.fork()));
      return rows.rows[0]?.count ?? 0;
    },
    async start({ work }) {
      if (boss) return;
      stopping = new AbortController();
      const { pglite, pool } = database;
      boss = new PgBoss({
        ...(pglite && { db: fromPglite(pglite), backend: 'pglite' }),
        // Some of pg-boss' texts begin a transaction; the pool closes a connection on which a statement failed.
        ...(pool && { db: { executeSql: (text: string, values?: unknown[]) => pool.query(text, values) }, superviseIntervalSeconds: heartbeatSeconds, monitorIntervalSeconds: heartbeatSeconds }),
        schedule: false,
      });
      boss.on('error', (error) => log.error({ err: error }, 'background jobs'));
      await boss.start();
      for (const queue of queues) {
        const options = {
          retryLimit: queue.retryLimit,
          retryDelay: 1,
          retryBackoff: true,
          retryDelayMax: longestRetryDelaySeconds,
          expireInSeconds: queue.expireInSeconds,
          deleteAfterSeconds: 86_400,
          // An embedded database has one process, which hears itself.
          ...(pool && { heartbeatSeconds: jobLeaseSeconds }),
        };
        await boss.createQueue(queue.name, options);
        // A queue that was there keeps its options otherwise.
        await boss.updateQueue(queue.name, options);
      }
      // An embedded database has one process: whatever is active now was left by one that died.
      if (pglite) await pglite.query("update pgboss.job set state = 'retry', start_after = now() where state = 'active'");
      if (!work) return;
      for (const queue of queues) {
        const ids: string[] = [];
        for (let index = 0; index < queue.concurrency; index++) {
          const options = { pollingIntervalSeconds: pollSeconds, heartbeatRefreshSeconds: heartbeatSeconds };
          ids.push(await boss.work<object>(queue.name, options, (jobs: Job<object>[]) => workAll(queue, jobs)));
        }
        workers.set(queue.name, ids);
        unsubscribe.push(await bus.subscribe(jobsWait, queue.name, () => notify(queue.name)));
      }
    },
    async stop(timeoutMs) {
      workers.clear();
      const timer = setTimeout(() => stopping.abort(), timeoutMs);
      await boss?.stop({ graceful: true, timeout: timeoutMs + 1000 });
      await Promise.allSettled(running);
      clearTimeout(timer);
      await Promise.all(unsubscribe.splice(0).map((end) => end()));
    },
    async close() {
      await boss?.stop({ graceful: false });
      boss = null;
    },
  };

  function notify(queue: string): void {
    for (const id of workers.get(queue) ?? []) boss?.notifyWorker(id);
  }

  async function workAll(queue: QueueDefinition<object>, jobs: readonly Job<object>[]): Promise<void> {
    // The next job need not wait for the next poll.
    notify(queue.name);
    for (const job of jobs) {
      const done = queue.work(job.data, AbortSignal.any([stopping.signal, job.signal]));
      running.add(done);
      await done.finally(() => running.delete(done));
    }
  }
}
