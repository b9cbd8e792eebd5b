// The database: PGlite (PostgreSQL inside this process) on a data directory, or a PostgreSQL server. The same entities,
// migrations and SQL serve both. Writes of objects go through MikroORM entities; hot lists, pages and loaders through
// Kysely on the same connection and in the same transaction.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, types as pgTypes } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import type { EntityClass, EntityName } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM as PgliteMikroORM, type EntityManager as PgliteEntityManager } from '@mikro-orm/pglite';
import { MikroORM as PostgresMikroORM } from '@mikro-orm/postgresql';
import { CamelCasePlugin, sql, type Kysely } from 'kysely';
import pg from 'pg';
import type { Config } from './config.ts';

export { sql };

/** Seconds after which a background job whose worker is silent is given to another. */
export const jobLeaseSeconds = 15;

/** The unit of work of one operation. */
export type EntityManager = PgliteEntityManager;

/** A class of any entity; its columns are read by the mapped types below. */
export type AnyEntityClass = abstract new (...args: never[]) => object;
type SnakeCase<S extends string> = S extends `${infer Head}${infer Rest}`
  ? `${Head extends Lowercase<Head> ? '' : '_'}${Lowercase<Head>}${SnakeCase<Rest>}`
  : '';
type NameOf<E> = E extends { '~entityName'?: infer Name extends string } ? Name : never;
/** The table's name of an entity class, e.g. 'chat_session' of ChatSession. */
export type TableOf<E> = NameOf<E> extends `${infer Head}${infer Rest}` ? `${Lowercase<Head>}${SnakeCase<Rest>}` : never;
type Columns<E> = E extends abstract new (...args: never[]) => infer Row
  ? { [K in keyof Row as K extends string ? K : never]: Row[K] }
  : never;
/** Kysely's view of entity classes: tables by name, columns by property name. */
export type Tables<E> = { [T in E as TableOf<T>]: Columns<T> };

/** What the process holds of its database. */
export interface Database {
  readonly kind: 'pglite' | 'postgresql';
  /** Whether the `vector` extension is there; without it search is keyword-only and says so. */
  readonly vectors: boolean;
  /** A fresh unit of work. */
  fork(): EntityManager;
  /** The embedded instance, for libraries that bring their own SQL; null on PostgreSQL. */
  readonly pglite: PGlite | null;
  /** The server's connections that all of this process shares, for the same libraries; null on the embedded database. */
  readonly pool: pg.Pool | null;
  readonly orm: PgliteMikroORM;
  /** Applies pending migrations; returns their names. */
  migrate(): Promise<readonly string[]>;
  /** Milliseconds of one round trip. */
  ping(): Promise<number>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly config: Pick<Config, 'databaseUrl' | 'databasePoolSize' | 'databaseTimeoutMs' | 'instanceId' | 'runs'>;
  /** Folder of the embedded database; null keeps it in memory. */
  readonly folder: string | null;
  readonly entities: readonly EntityClass<object>[];
  /** Folder of the migrations. */
  readonly migrations: string;
  /** A dump made by `PGlite.dumpDataDir`, to start from instead of an empty cluster. */
  readonly template?: Blob;
}

/** Opens the database that the configuration names and checks that it answers. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const pglite = options.config.databaseUrl === null ? await openPglite(options) : null;
  const common = {
    entities: [...options.entities] as EntityName<object>[],
    extensions: [Migrator],
    migrations: { path: options.migrations, glob: '!(*.d).{js,ts}', snapshot: false, transactional: true, allOrNothing: true, tableName: 'migration' },
    // Of libraries that make and migrate their tables themselves.
    schemaGenerator: { ignoreSchema: ['langgraph', 'pgboss'] },
    forceUtcTimezone: true,
    logger: () => undefined,
  };
  let pool: pg.Pool | null = null;
  const orm = pglite
    ? await PgliteMikroORM.init({ ...common, dbName: 'memory://', driverOptions: { pglite: () => pglite } })
    : ((await PostgresMikroORM.init({
        ...common,
        clientUrl: options.config.databaseUrl as string,
        pool: { min: 0, max: options.config.databasePoolSize },
        driverOptions: { ...connectionOptions(options.config), onPoolCreated: (made: pg.Pool) => void (pool = made) },
        // The two drivers differ in how they connect, not in what this project calls.
      })) as unknown as PgliteMikroORM);
  const query = async <Row>(text: string): Promise<Row[]> => (await orm.em.fork().getConnection().execute(text)) as Row[];
  let vectors = false;
  try {
    vectors = await ensureVectorExtension(query);
  } catch (error) {
    await orm.close(true);
    await pglite?.close();
    throw error;
  }
  return {
    kind: pglite ? 'pglite' : 'postgresql',
    vectors,
    pglite,
    pool,
    orm,
    fork: () => orm.em.fork() as EntityManager,
    async migrate() {
      return (await orm.migrator.up()).map((migration) => migration.name);
    },
    async ping() {
      const start = performance.now();
      await query('select 1');
      return performance.now() - start;
    },
    async close() {
      await orm.close(true);
      await pglite?.close();
    },
  };
}

/** Kysely over the given entities, inside the current transaction of `em` when there is one. */
export function kysely<const E extends readonly AnyEntityClass[]>(em: EntityManager, ..._entities: E): Kysely<Tables<E[number]>> {
  return (em.getKysely() as unknown as Kysely<Tables<E[number]>>).withPlugin(columnNames);
}

/**
 * Columns are the properties' names in snake case. MikroORM's own plugin is not used: in a join it takes a column such as
 * profile_id for the id of a table named profile.
 */
const columnNames = new CamelCasePlugin({ maintainNestedObjectKeys: true });

async function openPglite(options: DatabaseOptions): Promise<PGlite> {
  const isNew = options.folder === null || !existsSync(join(options.folder, 'PG_VERSION'));
  return await PGlite.create({
    ...(options.folder !== null && { dataDir: options.folder }),
    ...(options.template && isNew && { loadDataDir: options.template }),
    extensions: { vector },
    // bigint as a number, as sizes and sequences are far below 2^53; the ORM reads dates itself.
    parsers: { [pgTypes.INT8]: (value: string) => Number(value) },
  });
}

/** How each connection to a server is opened and kept. */
function connectionOptions({ databaseTimeoutMs, instanceId, runs }: DatabaseOptions['config']): pg.PoolConfig {
  return {
    types: nativeTypes(),
    // Tells in pg_stat_activity whose connection it is.
    application_name: `parley ${instanceId}`,
    // For one to be opened, and for one to become free.
    connectionTimeoutMillis: databaseTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // A process that is paused within a transaction gives its locks up before somebody else takes over what it worked on.
    idle_in_transaction_session_timeout: Math.round((Math.min(runs.leaseSeconds, jobLeaseSeconds) * 1000 * 2) / 3),
  };
}

/** As PGlite reads them: bigint as a number, times as dates. */
function nativeTypes(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  for (const type of [pg.types.builtins.TIMESTAMPTZ, pg.types.builtins.TIMESTAMP]) types.setTypeParser(type, (value: string) => new Date(value));
  return types;
}

/** Installs `vector` where the server offers it. */
async function ensureVectorExtension(query: <Row>(text: string) => Promise<Row[]>): Promise<boolean> {
  const offered = await query("select 1 from pg_available_extensions where name = 'vector'");
  if (offered.length === 0) return false;
  const installed = await query("select 1 from pg_extension where extname = 'vector'");
  if (installed.length > 0) return true;
  try {
    await query('create extension if not exists vector');
    return true;
  } catch {
    // Offered, but this role may not install it: keyword search works without.
    return false;
  }
}
