// Changes of ingestions that other processes made, read from the rows once a second.
import type { App } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { defineWatch } from '../platform/watch.ts';
import { IngestionJob } from './entity.ts';
import type { JobChange } from './progress.ts';

interface Listener {
  readonly workspaceId: string;
  readonly on: (change: JobChange) => void;
}

/** Rows become visible later than their times say: a transaction takes its time. */
const overlapSeconds = 10;

const watch = defineWatch<App, Listener>({
  what: 'ingestions',
  intervalMs: 1_000,
  open(app) {
    let seen = new Map<string, string>();
    return async (listeners, seconds) => {
      const jobs = await recentJobs(app, [...new Set(listeners.map((listener) => listener.workspaceId))], seconds + overlapSeconds);
      const states = new Map(jobs.map((job) => [job.id, `${job.status} ${job.stage} ${job.completedUnits} ${job.attempt}`]));
      for (const job of jobs) {
        if (seen.get(job.id) === states.get(job.id)) continue;
        for (const { workspaceId, on } of listeners) if (workspaceId === job.workspaceId) on({ jobId: job.id, documentId: job.documentId });
      }
      seen = states;
    };
  },
});

/** Calls `on` for each change in the workspace, its own process' included; returns its ending. */
export function watchJobs(app: App, workspaceId: string, on: (change: JobChange) => void): () => void {
  return watch(app, { workspaceId, on });
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
