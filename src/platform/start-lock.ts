// Processes that start at once take turns: what a start makes in the database (migrations, tables that libraries bring,
// the `vector` extension) is made by one of them, and found by the others. The lock belongs to a connection of its own, so
// that it ends with the process that holds it, however that ends.
import pg from 'pg';
import type { Config } from './config.ts';
import { StartupError } from './startup.ts';

/** How long another process may take over its start, migrations included. */
const longestStartMs = 120_000;

/** Waits for the turn of this process; returns what ends it. Throws StartupError when another's takes too long. */
export async function lockStart({ databaseUrl, databaseTimeoutMs }: Pick<Config, 'databaseUrl' | 'databaseTimeoutMs'>, waitMs = longestStartMs): Promise<() => Promise<void>> {
  // The embedded database has one process: the lock of its directory has seen to that.
  if (databaseUrl === null) return async () => undefined;
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: databaseTimeoutMs, keepAlive: true, application_name: 'parley start' });
  // A server that goes away fails the start at the next statement of anybody.
  client.on('error', () => undefined);
  await client.connect();
  const release = async (): Promise<void> => await client.end();
  try {
    await client.query(`set lock_timeout = ${waitMs}`);
    await client.query("select pg_advisory_lock(hashtextextended('parley.start', 0))");
    return release;
  } catch (error) {
    await release();
    if ((error as { code?: unknown }).code !== lockNotAvailable) throw error;
    throw new StartupError(
      {
        what: 'Another process is preparing the database, and does not come to an end.',
        why: `It has held the lock of starts for more than ${waitMs / 1000} seconds: it migrates much, or hangs.`,
        whatToDo: "wait until it has started, or end it; in pg_stat_activity its application_name is 'parley start'. Then start again.",
      },
      { cause: error },
    );
  }
}

const lockNotAvailable = '55P03';
