// Where runs keep the state of their graphs: LangGraph's own saver for PostgreSQL on both kinds of database, in a schema of
// its own. On a server it takes its connections from the pool that everything here shares; the embedded database is handed
// to it in the shape of a pool.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import type pg from 'pg';
import type { Cache } from './cache.ts';
import { CachedSaver } from './checkpoint-cache.ts';
import type { Database } from './database.ts';
import { patiently } from './transient.ts';

/** The schema of the checkpoints' tables, which their library makes and migrates. */
export const checkpointSchema = 'langgraph';

/**
 * Checkpoints in the given database, the newest of each thread also in the cache; makes or migrates their tables, so that
 * processes must not do this at once (lockStart).
 */
export async function openCheckpoints(database: Database, cache: Cache | null = null): Promise<BaseCheckpointSaver> {
  const pool = database.pglite ? poolOf(database.pglite) : fenced(database.pool as pg.Pool);
  const saver = new PatientSaver(pool as pg.Pool, undefined, { schema: checkpointSchema });
  await saver.setup();
  return cache ? new CachedSaver(saver, cache, (text, values) => patiently(() => pool.query(text, values)), checkpointSchema) : saver;
}

/**
 * What must hold for a thread's writer, asked within the transaction of each of its writes; throws when it does not. A run
 * hands it over as `configurable.fence`. On the embedded database, with its one process, it is not asked.
 */
export type Fence = (query: Query) => Promise<void>;

const fences = new AsyncLocalStorage<Fence | undefined>();

/** A run need not fail because the server was away for a moment: what the saver does may be done twice. */
class PatientSaver extends PostgresSaver {
  override getTuple(...args: Parameters<PostgresSaver['getTuple']>) {
    return patiently(() => super.getTuple(...args));
  }
  override put(...args: Parameters<PostgresSaver['put']>) {
    return fences.run(args[0].configurable?.['fence'], () => patiently(() => super.put(...args)));
  }
  override putWrites(...args: Parameters<PostgresSaver['putWrites']>) {
    return fences.run(args[0].configurable?.['fence'], () => patiently(() => super.putWrites(...args)));
  }
  override deleteThread(...args: Parameters<PostgresSaver['deleteThread']>) {
    return patiently(() => super.deleteThread(...args));
  }
}

type Query = (text: string, values?: unknown[]) => Promise<{ rows: unknown[] }>;

/** What the saver uses of a pool and of a connection. */
interface PoolShape {
  query: Query;
  connect(): Promise<{ query: Query; release(): void }>;
}

/** The server's connections, on which a transaction begins by asking the fence of whoever writes. */
function fenced(pool: pg.Pool): PoolShape {
  return {
    query: (text, values) => pool.query(text, values),
    async connect() {
      const client = await pool.connect();
      const query: Query = (text, values) => client.query(text, values);
      return {
        async query(text, values) {
          const result = await query(text, values);
          if (text === 'BEGIN') await fences.getStore()?.(query);
          return result;
        },
        release: () => client.release(),
      };
    },
  };
}

/** The one connection of PGlite as a pool: what stands between BEGIN and COMMIT is one transaction that nobody gets into. */
function poolOf(pglite: PGlite): PoolShape {
  return {
    query: (text, values) => pglite.query(text, values),
    async connect() {
      let open: OpenTransaction | null = null;
      const end = async (how: 'commit' | 'rollback'): Promise<{ rows: unknown[] }> => {
        const ending = open;
        open = null;
        await ending?.[how]();
        return { rows: [] };
      };
      return {
        async query(text, values) {
          if (text === 'BEGIN') open = await begin(pglite);
          else if (text === 'COMMIT') return await end('commit');
          else if (text === 'ROLLBACK') return await end('rollback');
          else return await (open?.transaction ?? pglite).query(text, values);
          return { rows: [] };
        },
        // The saver has ended what it began.
        release: () => undefined,
      };
    },
  };
}

interface OpenTransaction {
  readonly transaction: Transaction;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Opens a transaction once PGlite is free for it. Until it ends nothing else may be awaited: nothing else would be answered. */
async function begin(pglite: PGlite): Promise<OpenTransaction> {
  const opened = Promise.withResolvers<Transaction>();
  const ending = Promise.withResolvers<'commit' | 'rollback'>();
  const ended = pglite.transaction(async (transaction) => {
    opened.resolve(transaction);
    if ((await ending.promise) === 'rollback') await transaction.rollback();
  });
  ended.catch(opened.reject);
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    ending.resolve(how);
    await ended;
  };
  return { transaction: await opened.promise, commit: () => end('commit'), rollback: () => end('rollback') };
}
