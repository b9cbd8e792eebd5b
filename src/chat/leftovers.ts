// What a process leaves behind that dies right after the end of a run: checkpoints that nobody will ever go on from.
import type { App } from '../context.ts';
import { checkpointSchema } from '../platform/checkpoints.ts';
import { kysely, sql } from '../platform/database.ts';

/** Threads removed in one go. */
const batchSize = 100;

/** Removes the checkpoints of runs that have ended or are gone; returns how many runs had left some. */
export async function removeLeftCheckpoints(app: App): Promise<number> {
  const table = sql.table(`${checkpointSchema}.checkpoints`);
  for (let removed = 0; ;) {
    const { rows } = await sql<{ threadId: string }>`
      select distinct thread_id from ${table} kept where not exists (
        select 1 from run where run.id::text = kept.thread_id and run.status in ('QUEUED', 'RUNNING', 'INTERRUPTED'))
      limit ${batchSize}`.execute(kysely(app.database.fork()));
    for (const { threadId } of rows) await app.checkpointer.deleteThread(threadId);
    removed += rows.length;
    if (rows.length < batchSize) return removed;
  }
}
