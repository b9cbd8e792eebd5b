// Where embeddings are kept and compared. Vectors of several models and sizes stand side by side, so that a workspace can
// change its model while search goes on. The table is ensured at start instead of migrated: a server without the
// `vector` extension has none (search is keyword-only there and says so), and when the extension appears it is made.
import { kysely, sql, type Database, type EntityManager } from '../platform/database.ts';
import type { Logger } from '../platform/log.ts';
import { joinPublishedChunks, type PassageScope } from './passage-scope.ts';

/** How a model's vectors are compared; for both, higher is nearer. */
export type VectorMetric = 'INNER_PRODUCT' | 'COSINE';

export interface ChunkVector {
  readonly chunkId: string;
  readonly workspaceId: string;
  readonly documentId: string;
  readonly versionId: string;
  readonly modelId: string;
  readonly vector: readonly number[];
}

export interface VectorQuery {
  readonly modelId: string;
  readonly metric: VectorMetric;
  readonly vector: readonly number[];
  /** How many of the nearest passages to return. */
  readonly limit: number;
  readonly scope: PassageScope;
  /** The versions of the scope, read when asked for: for a store that cannot join the database's tables. */
  readonly versionIds: () => Promise<readonly string[]>;
  /** Passages in the scope: small ones are compared one by one, large ones through an index where the server has one. */
  readonly passageCount: number;
}

/**
 * The store of embeddings. One in the database writes in the transaction of `em`, so that vectors become visible with the
 * chunks. One elsewhere cannot: what it holds of a transaction that failed is never asked for, since no version names it.
 */
export interface VectorStore {
  /** False where the database has no vectors: writes do nothing then and queries find nothing. */
  readonly available: boolean;
  /** Makes what the store needs in the database, or finds it there. Call after the migrations, before anything else. */
  ensure(): Promise<void>;
  /** Stores the vectors of chunks that exist; a second vector of the same chunk and model replaces the first. */
  upsert(em: EntityManager, rows: readonly ChunkVector[]): Promise<void>;
  /** Similarity by chunk id, nearest first; only chunks that have a vector of this model and size. */
  query(em: EntityManager, query: VectorQuery): Promise<Map<string, number>>;
  /** Gives chunks of a version the vectors of older chunks with the same text; returns how many there were to give. */
  reuse(em: EntityManager, input: ReusedVectors): Promise<number>;
  /** Those of the chunks that have a vector of the model. */
  stored(em: EntityManager, input: { workspaceId: string; modelId: string; chunkIds: readonly string[] }): Promise<ReadonlySet<string>>;
  /**
   * Forgets a version's vectors of all models but one (null: of all), some at a time; returns how many, 0 when none is left.
   * In the database, deleting the chunks does so, too.
   */
  forget(em: EntityManager, input: { workspaceId: string; versionId: string; keepModelId: string | null }): Promise<number>;
  /** Forgets the vectors of a document, of all models. In the database, deleting its chunks does so, too. */
  deleteDocument(em: EntityManager, document: { workspaceId: string; documentId: string }): Promise<void>;
  /** Waits for what still runs in the background. */
  close(): Promise<void>;
}

export interface ReusedVectors {
  readonly workspaceId: string;
  readonly modelId: string;
  /** Of the newer chunks. */
  readonly documentId: string;
  readonly versionId: string;
  readonly pairs: readonly { readonly fromChunkId: string; readonly toChunkId: string }[];
}

declare module '../context.ts' {
  interface App {
    readonly vectors: VectorStore;
  }
}

export interface VectorStoreOptions {
  /** From how many passages on an index is worth its losses. */
  readonly indexFrom?: number;
  /** Whether to build HNSW indexes; default: on servers only, because the embedded database takes minutes for one. */
  readonly indexes?: boolean;
}

/** The store in the database itself, by the `vector` extension; without the extension, a store that is not available. */
export function createPgVectorStore(database: Database, log: Logger, options: VectorStoreOptions = {}): VectorStore {
  if (!database.vectors) return unavailable;
  const { indexFrom = 20_000, indexes = database.kind === 'postgresql' } = options;
  const building = new Map<string, Promise<void>>();
  const built = new Set<string>();

  /** True when the index is there; else starts to build it, while queries compare exactly. */
  const hasIndex = (index: IndexShape): boolean => {
    const name = indexName(index);
    if (built.has(name)) return true;
    if (!building.has(name)) {
      const build = buildIndex(database, index)
        .then(() => void built.add(name))
        .catch((error: unknown) => log.warn({ err: error, index: name }, 'a vector index could not be built; vectors are compared one by one'));
      building.set(name, build);
    }
    return false;
  };

  return {
    available: true,

    async ensure() {
      await database.fork().transactional(async (em) => {
        // Vectors of up to 2,000 components stay in their row: read from a side table, they take three times as long to compare.
        // Two processes that start at once would both find no table.
        await sql`select pg_advisory_xact_lock(hashtext('chunk_embedding'))`.execute(kysely(em as EntityManager));
        await sql`create table if not exists chunk_embedding (
          chunk_id uuid not null references document_chunk (id) on delete cascade,
          model_id text not null,
          workspace_id uuid not null,
          dimensions integer not null,
          embedding vector not null,
          primary key (chunk_id, model_id)
        ) with (toast_tuple_target = 8160)`.execute(kysely(em as EntityManager));
        await sql`create index if not exists chunk_embedding_workspace on chunk_embedding (workspace_id, model_id)`.execute(kysely(em as EntityManager));
      });
    },

    async upsert(em, rows) {
      if (rows.length === 0) return;
      const column = <K extends keyof ChunkVector>(key: K) => sql.val(rows.map((row) => row[key]));
      await sql`insert into chunk_embedding (chunk_id, model_id, workspace_id, dimensions, embedding)
        select chunk_id, model_id, workspace_id, vector_dims(embedding::vector), embedding::vector
        from unnest(${column('chunkId')}::uuid[], ${column('modelId')}::text[], ${column('workspaceId')}::uuid[], ${sql.val(rows.map((row) => literal(row.vector)))}::text[])
          as given(chunk_id, model_id, workspace_id, embedding)
        on conflict (chunk_id, model_id) do update set dimensions = excluded.dimensions, embedding = excluded.embedding`.execute(kysely(em));
    },

    async query(em, query) {
      const index = { modelId: query.modelId, metric: query.metric, dimensions: query.vector.length };
      const useIndex = indexes && query.passageCount >= indexFrom && hasIndex(index);
      const rows = useIndex ? await nearestByIndex(em, query, index) : await nearestExactly(em, query);
      return new Map(rows.map((row) => [row.chunkId, row.similarity]));
    },

    async reuse(em, { workspaceId, modelId, pairs }) {
      if (pairs.length === 0) return 0;
      const { rows } = await sql`insert into chunk_embedding (chunk_id, model_id, workspace_id, dimensions, embedding)
        select pair.to_id, older.model_id, older.workspace_id, older.dimensions, older.embedding
        from unnest(${sql.val(pairs.map((pair) => pair.fromChunkId))}::uuid[], ${sql.val(pairs.map((pair) => pair.toChunkId))}::uuid[]) as pair(from_id, to_id)
        join chunk_embedding older on older.chunk_id = pair.from_id and older.model_id = ${modelId} and older.workspace_id = ${workspaceId}::uuid
        on conflict (chunk_id, model_id) do update set dimensions = excluded.dimensions, embedding = excluded.embedding
        returning chunk_id`.execute(kysely(em));
      return rows.length;
    },

    async stored(em, { workspaceId, modelId, chunkIds }) {
      if (chunkIds.length === 0) return new Set();
      const { rows } = await sql<{ id: string }>`select chunk_id::text as id from chunk_embedding
        where workspace_id = ${workspaceId}::uuid and model_id = ${modelId} and chunk_id = any(${sql.val(chunkIds)}::uuid[])`.execute(kysely(em));
      return new Set(rows.map(({ id }) => id));
    },

    async forget(em, { workspaceId, versionId, keepModelId }) {
      const { rows } = await sql`delete from chunk_embedding where (chunk_id, model_id) in (
          select other.chunk_id, other.model_id from chunk_embedding other join document_chunk chunk on chunk.id = other.chunk_id
          where chunk.version_id = ${versionId}::uuid and other.workspace_id = ${workspaceId}::uuid
            and other.model_id is distinct from ${keepModelId}::text
          limit ${forgottenAtOnce}::int)
        returning chunk_id`.execute(kysely(em));
      return rows.length;
    },

    async deleteDocument(em, { workspaceId, documentId }) {
      await sql`delete from chunk_embedding using document_chunk chunk
        where chunk.id = chunk_embedding.chunk_id and chunk.document_id = ${documentId}::uuid
          and chunk_embedding.workspace_id = ${workspaceId}::uuid`.execute(kysely(em));
    },

    async close() {
      await Promise.all(building.values());
    },
  };
}

/** The store of a database without vectors. */
const unavailable: VectorStore = {
  available: false,
  ensure: async () => undefined,
  upsert: async () => undefined,
  query: async () => new Map(),
  reuse: async () => 0,
  stored: async () => new Set(),
  forget: async () => 0,
  deleteDocument: async () => undefined,
  close: async () => undefined,
};

/** The embedded database holds up the process while a statement runs. */
const forgottenAtOnce = 200;

interface Near {
  readonly chunkId: string;
  readonly similarity: number;
}

async function nearestExactly(em: EntityManager, { modelId, metric, vector, limit, scope }: VectorQuery): Promise<Near[]> {
  const distance = sql`near.embedding ${operators[metric]} ${literal(vector)}::vector`;
  // The size is checked inside the case, because conditions are tried in any order and comparing two sizes fails. A vector
  // of zeros has no cosine. The list comes back as one row of arrays: a thousand rows cost more on the way than their ranking.
  const { rows } = await sql<{ chunkIds: string[] | null; similarities: number[] | null }>`
    with compared as materialized (
      select near.chunk_id, case when near.dimensions = ${vector.length}::int then (${similarity(metric, distance)})::float8 end as similarity
      from chunk_embedding near ${joinPublishedChunks(scope, sql`near.chunk_id`)}
      where near.workspace_id = ${scope.workspaceId}::uuid and near.model_id = ${modelId}
    ), nearest as (
      select chunk_id, similarity from compared where similarity is not null and similarity <> 'NaN'
      order by similarity desc, chunk_id limit ${limit}::int
    )
    select array_agg(chunk_id::text order by similarity desc, chunk_id) as "chunkIds",
      array_agg(similarity order by similarity desc, chunk_id) as similarities
    from nearest`.execute(kysely(em));
  const { chunkIds, similarities } = rows[0] ?? {};
  return (chunkIds ?? []).map((chunkId, index) => ({ chunkId, similarity: similarities?.[index] ?? 0 }));
}

async function nearestByIndex(em: EntityManager, query: VectorQuery, index: IndexShape): Promise<Near[]> {
  const { metric, vector, limit, scope } = query;
  const type = indexedType(index.dimensions);
  const distance = sql`(near.embedding::${sql.raw(type)}) ${operators[metric]} ${literal(vector)}::${sql.raw(type)}`;
  return await em.fork().transactional(async (tx) => {
    const db = kysely(tx as EntityManager);
    // The scan goes on until enough passages of the scope are found, instead of filtering a fixed number of neighbours.
    await sql`select set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', ${String(Math.min(limit, 1000))}, true)`.execute(db);
    // The model is written into the statement: only then does the partial index apply.
    const { rows } = await sql<Near>`select near.chunk_id as "chunkId", (${similarity(metric, distance)})::float8 as similarity
      from chunk_embedding near ${joinPublishedChunks(scope, sql`near.chunk_id`)}
      where near.model_id = ${sql.lit(index.modelId)} and near.dimensions = ${sql.lit(index.dimensions)}
        and near.workspace_id = ${scope.workspaceId}::uuid
      order by ${distance}
      limit ${limit}::int`.execute(db);
    return rows.filter((row) => !Number.isNaN(row.similarity)).sort((a, b) => b.similarity - a.similarity);
  });
}

interface IndexShape {
  readonly modelId: string;
  readonly metric: VectorMetric;
  readonly dimensions: number;
}

async function buildIndex(database: Database, index: IndexShape): Promise<void> {
  const { modelId, metric, dimensions } = index;
  const name = sql.id(indexName(index));
  const db = kysely(database.fork());
  // What an interrupted build left behind is never used and would be taken for the index by its name.
  const { rows } = await sql`select from pg_class join pg_index on indexrelid = pg_class.oid where relname = ${indexName(index)} and not indisvalid`.execute(db);
  if (rows.length > 0) await sql`drop index concurrently if exists ${name}`.execute(db);
  const type = indexedType(dimensions);
  const operatorClass = `${type.startsWith('halfvec') ? 'halfvec' : 'vector'}_${metric === 'COSINE' ? 'cosine' : 'ip'}_ops`;
  await sql`create index concurrently if not exists ${name} on chunk_embedding
    using hnsw ((embedding::${sql.raw(type)}) ${sql.raw(operatorClass)})
    where model_id = ${sql.lit(modelId)} and dimensions = ${sql.lit(dimensions)}`.execute(db);
}

/** HNSW takes at most 2,000 components of full and 4,000 of half precision. */
const indexedType = (dimensions: number): string => `${dimensions > 2000 ? 'halfvec' : 'vector'}(${dimensions})`;

function indexName({ modelId, metric, dimensions }: IndexShape): string {
  const model = modelId.toLowerCase().replace(/[^a-z0-9]+/g, '_').slice(0, 24);
  return `chunk_embedding_${model}_${dimensions}_${metric === 'COSINE' ? 'cosine' : 'ip'}`;
}

/** pgvector's distances: negative inner product, and 1 − cosine. */
const operators = { INNER_PRODUCT: sql.raw('<#>'), COSINE: sql.raw('<=>') };
const similarity = (metric: VectorMetric, distance: unknown) => (metric === 'COSINE' ? sql`1 - (${distance})` : sql`-(${distance})`);

/** A vector as pgvector reads it. Nine digits are what its 32-bit numbers can hold. */
function literal(vector: readonly number[]): string {
  return `[${vector.map((component) => (component === 0 ? '0' : Number(component.toPrecision(9)))).join(',')}]`;
}
