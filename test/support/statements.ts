// Counts the statements that an operation sends to the embedded database, whatever else runs beside it. Import it before
// the app is created: the database keeps the functions that it finds then.
import { AsyncLocalStorage } from 'node:async_hooks';
import { PGlite } from '@electric-sql/pglite';

const counted = new AsyncLocalStorage<{ statements: number }>();

/** How many statements `work` sends; those inside transactions are not counted. */
export async function countStatements(work: () => Promise<unknown>): Promise<number> {
  const count = { statements: 0 };
  await counted.run(count, work);
  return count.statements;
}

const query = PGlite.prototype.query;
PGlite.prototype.query = function counting(this: PGlite, ...args: Parameters<typeof query>) {
  const count = counted.getStore();
  if (count) count.statements += 1;
  return query.apply(this, args);
} as typeof query;
