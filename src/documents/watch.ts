// Changes of ingestions that other processes made. Messages between processes may be late, lost, or not set up at all; the
// rows are always there. One statement a second serves all subscribers of this process, while there are any. The embedded
// database has one process, which hears itself.
import type { App } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { IngestionJob } from './entity.ts';
import type { JobChange } from './progress.ts';

/** Calls `on` for each change in the workspace, its own process' included; returns its ending. */
export function watchJobs(app: App, workspaceId: string, on: (change: JobChange) => void): () => void {
  if (app.database.kind === 'pglite') return () => undefined;
  let watch = watches.get(app);
  if (!watch) {
    watch = startWatch(app);
    watches.set(app, watch);
  }
  const { listeners } = watch;
  const entry = { workspaceId, on };
  listeners.add(entry);
  return () => {
    listeners.delete(entry);
    if (listeners.size > 0 || watches.get(app)?.listeners !== listeners) return;
    watches.get(app)?.stop();
    watches.delete(app);
  };
}

interface Watch {
  readonly listeners: Set<{ readonly workspaceId: string; readonly on: (change: JobChange) => void }>;
  stop(): void;
}

const watches = new WeakMap<App, Watch>();
const intervalMs = 1000;
/** Rows become visible later than their times say: a transaction takes its time. */
const overlapSeconds = 10;

function startWatch(app: App): Watch {
  const listeners: Watch['listeners'] = new Set();
  let seen = new Map<string, string>();
  let readAt = performance.now();
  let stopped = false;
  let timer: NodeJS.Timeout;

  const read = async (): Promise<void> => {
    const begun = performance.now();
    const jobs = await recentJobs(app, [...new Set([...listeners].map((listener) => listener.workspaceId))], (begun - readAt) / 1000 + overlapSeconds);
    readAt = begun;
    const states = new Map(jobs.map((job) => [job.id, `${job.status} ${job.stage} ${job.completedUnits} ${job.attempt}`]));
    for (const job of jobs) {
      if (seen.get(job.id) === states.get(job.id)) continue;
      for (const { workspaceId, on } of listeners) if (workspaceId === job.workspaceId) on({ jobId: job.id, documentId: job.documentId });
    }
    seen = states;
  };
  const loop = (): void => {
    timer = setTimeout(() => {
      read()
        .catch((error: unknown) => app.log.warn({ err: error }, 'ingestions of other processes cannot be read; tried again'))
        .finally(() => !stopped && loop());
    }, intervalMs).unref();
  };
  loop();
  return {
    listeners,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

async function recentJobs(app: App, workspaceIds: readonly string[], seconds: number) {
  const recently = sql<Date>`now() - make_interval(secs => ${seconds})`;
  return await kysely(app.database.fork(), IngestionJob)
    .selectFrom('ingestion_job')
    .select(['id', 'documentId', 'workspaceId', 'status', 'stage', 'completedUnits', 'attempt'])
    .where('workspaceId', 'in', [...workspaceIds])
    .where((or) => or.or([or('status', '=', 'RUNNING'), or('queuedAt', '>', recently), or('finishedAt', '>', recently)]))
    .execute();
}
