// What the embedded database knows of its own tables. A server counts by itself how many rows there are and how common each
// value is (autovacuum); the embedded one never does, and without it a search takes nearly twice as long. So the first search
// that sees much more than the ones before has the tables counted, behind itself.
import type { App } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';

/** Below, any plan is a good plan. */
const fewPassages = 200;
/** Passages that there were when the tables of an app were last counted. */
const counted = new WeakMap<App['database'], number>();

/** Counts the tables of search when there is reason to; resolves to whether it did. Never rejects, and nobody needs to wait. */
export async function refreshStatistics(app: App, passageCount: number): Promise<boolean> {
  if (app.database.kind !== 'pglite' || passageCount < Math.max(fewPassages, 2 * (counted.get(app.database) ?? 0))) return false;
  counted.set(app.database, passageCount);
  const tables = ['document', 'document_version', 'profile_document', 'document_chunk', 'posting', ...(app.vectors.available ? ['chunk_embedding'] : [])];
  try {
    // One by one, so that others have their turn between them; the longest takes a tenth of a second.
    for (const table of tables) if (!app.draining) await sql`analyze ${sql.table(table)}`.execute(kysely(app.database.fork()));
    return true;
  } catch (error) {
    app.log.warn({ err: error }, 'the tables could not be counted; searches may take longer');
    return false;
  }
}
