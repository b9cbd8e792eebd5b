// The run engine of one instance: claims runs with a lease in database time, works on them, renews, and gives them back
// when the process stops. A run whose lease has run out is taken over by whoever sees it first.
import type { App } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { within } from '../platform/within.ts';
import { endOverdueRuns } from './ending.ts';
import { Run } from './entity.ts';
import { createLease, type Lease } from './lease.ts';
import { removeLeftCheckpoints } from './leftovers.ts';
import { executeRun } from './run.ts';
import { hearEngines, tellEngines } from './run-changed.ts';
import { RunCancelledError, RunLostError, RunTimedOutError } from './run-error.ts';

/** Leases are renewed so often while they last. */
const renewalsPerLease = 3;
/** Milliseconds after which runs and cancellations are found that no message told of. */
const lookIntervalMs = 1_000;
/** Milliseconds between two removals of what runs have left behind. */
const tidyIntervalMs = 3_600_000;
/** Milliseconds for runs to let go of what they do when they are handed over, and for the database to be told. */
const handOverMs = 700;

export interface RunEngine {
  start(): Promise<void>;
  /**
   * Stops claiming, waits for the runs it has, and hands over those that still run after `timeoutMs`: their leases are given
   * up, and the others told. Takes no more than 1.5 s longer, whatever hangs; a lease that is not given up runs out.
   */
  stop(timeoutMs: number): Promise<void>;
}

/** The engine of this instance; not yet started. */
export function createRunEngine(app: App): RunEngine {
  const owner = app.config.instanceId;
  const { capacity, leaseSeconds, maxSeconds } = app.config.runs;
  const working = new Map<string, { readonly controller: AbortController; readonly lease: Lease; readonly done: Promise<void> }>();
  const renewEveryMs = (leaseSeconds * 1000) / renewalsPerLease;
  // The embedded database has one process, which hears itself.
  const lookEveryMs = app.database.kind === 'pglite' ? renewEveryMs : Math.min(lookIntervalMs, renewEveryMs);
  let renewedAt = performance.now();
  let timer: NodeJS.Timeout | null = null;
  let tidying: NodeJS.Timeout | null = null;
  let accepting = false;
  let unsubscribe: (() => Promise<void>) | null = null;
  let claiming: Promise<void> | null = null;
  let looking: Promise<void> | null = null;
  let ending: Promise<void> | null = null;
  let again = false;

  /** Claims runs until there are none or this instance is full. */
  function claimAll(): void {
    if (claiming) {
      again = true;
      return;
    }
    claiming = (async () => {
      do {
        again = false;
        while (accepting && working.size < capacity) {
          const sentAt = performance.now();
          const run = await claim(app, owner, [...working.keys()]);
          if (!run) break;
          begin(run, createLease(owner, leaseSeconds, sentAt));
        }
      } while (again);
    })()
      .catch((error: unknown) => app.log.error({ err: error }, 'runs could not be claimed'))
      .finally(() => {
        claiming = null;
      });
  }

  function begin(run: Run, lease: Lease): void {
    const controller = new AbortController();
    // The time that a person took to answer is not the run's.
    const elapsed = run.startedAt ? Date.now() - +run.startedAt - run.waitedMs : 0;
    const limit = setTimeout(() => controller.abort(new RunTimedOutError()), Math.max(0, maxSeconds * 1000 - elapsed));
    app.activity.runs++;
    const done = executeRun(app, run, lease, controller.signal)
      .catch((error: unknown) => app.log.error({ err: error, runId: run.id }, 'a run could not be worked on'))
      .finally(() => {
        clearTimeout(limit);
        app.activity.runs--;
        working.delete(run.id);
        // Something may have waited behind it.
        claimAll();
      });
    working.set(run.id, { controller, lease, done });
  }

  function tidy(): void {
    removeLeftCheckpoints(app).catch((error: unknown) => app.log.warn({ err: error }, 'what runs have left behind could not be removed; tried again'));
  }

  /** Keeps what we have, learns of cancellations and losses, and looks for runs that nobody announced. */
  async function look(): Promise<void> {
    const sentAt = performance.now();
    const renewing = sentAt - renewedAt >= renewEveryMs - lookEveryMs / 2;
    const mine = [...working];
    if (mine.length > 0) {
      const ids = mine.map(([id]) => id);
      const runs = renewing ? await renew(app, owner, ids) : await leased(app, owner, ids);
      for (const [id, { controller, lease }] of mine) {
        const run = runs.get(id);
        if (!run) controller.abort(new RunLostError());
        else if (renewing) lease.renewed(sentAt);
        if (run?.cancelRequestedAt) controller.abort(new RunCancelledError());
      }
    }
    if (renewing) renewedAt = sentAt;
    endOverdue();
    claimAll();
  }

  /** Beside the leases, which are renewed whatever it waits for. */
  function endOverdue(): void {
    ending ??= endOverdueRuns(app)
      .catch((error: unknown) => app.log.error({ err: error }, 'runs that nobody answered could not be ended; tried again'))
      .finally(() => {
        ending = null;
      });
  }

  async function giveUpLeases(): Promise<void> {
    await unsubscribe?.();
    await looking;
    await ending;
    await release(app, owner);
  }

  return {
    async start() {
      if (timer) return;
      // An embedded database has one process: whatever runs now was left by one that died.
      if (app.database.kind === 'pglite') await release(app, null);
      unsubscribe = await hearEngines(app, ({ runId, change }) => {
        if (change === 'cancelled') working.get(runId)?.controller.abort(new RunCancelledError());
        else claimAll();
      });
      timer = setInterval(() => {
        looking ??= look()
          .catch((error: unknown) => app.log.error({ err: error }, 'leases could not be renewed; tried again'))
          .finally(() => {
            looking = null;
          });
      }, lookEveryMs);
      tidying = setInterval(tidy, tidyIntervalMs);
      tidy();
      accepting = true;
      claimAll();
    },
    async stop(timeoutMs) {
      if (!timer) return;
      accepting = false;
      const finished = async (): Promise<void> => {
        await claiming;
        await Promise.all([...working.values()].map(({ done }) => done));
      };
      if (!(await within(timeoutMs, finished()))) {
        app.log.info({ runs: working.size }, 'runs are handed over');
        for (const { controller } of working.values()) controller.abort(new Error('The instance stops.'));
        if (!(await within(handOverMs, finished()))) app.log.warn({ runs: [...working.keys()] }, 'runs do not let go');
      }
      // Until here leases were renewed and cancellations heard.
      clearInterval(timer);
      if (tidying) clearInterval(tidying);
      timer = null;
      try {
        if (!(await within(handOverMs, giveUpLeases()))) throw new Error('The database does not answer.');
      } catch (error) {
        app.log.warn({ err: error }, `leases could not be given up; they run out within ${leaseSeconds} s`);
      }
      tellEngines(app, '', 'queued');
    },
  };
}

/** Renews the leases on these runs; what it does not return has gone to somebody else. */
async function renew(app: App, owner: string, ids: readonly string[]): Promise<Map<string, Pick<Run, 'id' | 'cancelRequestedAt'>>> {
  const kept = await kysely(app.database.fork(), Run)
    .updateTable('run')
    .set({ leaseUntil: untilFor(app) })
    .where('leaseOwner', '=', owner)
    .where('status', '=', 'RUNNING')
    .where('id', 'in', ids)
    .returning(['id', 'cancelRequestedAt'])
    .execute();
  return new Map(kept.map((row) => [row.id, row]));
}

/** The runs of these that are still ours. */
async function leased(app: App, owner: string, ids: readonly string[]): Promise<Map<string, Pick<Run, 'id' | 'cancelRequestedAt'>>> {
  const rows = await kysely(app.database.fork(), Run)
    .selectFrom('run')
    .select(['id', 'cancelRequestedAt'])
    .where('leaseOwner', '=', owner)
    .where('status', '=', 'RUNNING')
    .where('id', 'in', ids)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** When a lease that is taken now ends, in database time. */
function untilFor(app: App) {
  return sql<Date>`now() + make_interval(secs => ${app.config.runs.leaseSeconds})`;
}

/**
 * Takes the oldest run that may start, or whose lease has run out; null when there is none. `mine` are worked on here: one
 * of them whose lease ran out while the process was asleep goes on by its next renewal, if nobody else has taken it.
 */
async function claim(app: App, owner: string, mine: readonly string[]): Promise<Run | null> {
  const em = app.database.fork();
  const claimed = await sql<{ id: string }>`
    update run set
      attempt = run.attempt + (case when run.status = 'RUNNING' then 1 else 0 end),
      status = 'RUNNING',
      lease_owner = ${owner},
      lease_until = ${untilFor(app)},
      started_at = coalesce(run.started_at, now())
    where run.id = (
      select candidate.id from run candidate
      where (candidate.status = 'RUNNING' and candidate.lease_until < now() and candidate.id <> all(${sql.val(mine)}::uuid[]))
        or (candidate.status = 'QUEUED' and not exists (
          select 1 from run other
          where other.session_id = candidate.session_id and other.id <> candidate.id
            and (other.status in ('RUNNING', 'INTERRUPTED')
              or (other.status = 'QUEUED' and other.start_sequence < candidate.start_sequence))))
      order by candidate.created_at, candidate.id
      limit 1
      for update skip locked)
    returning run.id`.execute(kysely(em));
  const id = claimed.rows[0]?.id;
  if (!id) return null;
  return (await kysely(em, Run).selectFrom('run').selectAll().where('id', '=', id).executeTakeFirstOrThrow()) as Run;
}

/** Gives up the leases of one owner, or of everybody, so that the runs can be taken over at once. */
async function release(app: App, owner: string | null): Promise<void> {
  let query = kysely(app.database.fork(), Run).updateTable('run').set({ leaseUntil: sql<Date>`now() - interval '1 second'` }).where('status', '=', 'RUNNING');
  if (owner !== null) query = query.where('leaseOwner', '=', owner);
  await query.execute();
}
