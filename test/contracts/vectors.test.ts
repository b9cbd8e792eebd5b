// What every store of embeddings promises, on each way that there is to compare them.
import { openAsBlob } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { randomUUIDv7 } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { User, Workspace } from '../../src/accounts/entity.ts';
import { Document, DocumentChunk, DocumentVersion } from '../../src/documents/entity.ts';
import { publishedVersionIds, type PassageScope } from '../../src/documents/passage-scope.ts';
import { createPgVectorStore, type ChunkVector, type VectorQuery, type VectorStore, type VectorStoreOptions } from '../../src/documents/vector-store.ts';
import { entities } from '../../src/entities.ts';
import { createLog } from '../../src/platform/log.ts';
import { kysely, openDatabase, sql, type Database, type EntityManager } from '../../src/platform/database.ts';
import { loadConfig } from '../../src/platform/config.ts';

let database: Database;
beforeAll(async () => {
  database = await openDatabase({
    config: loadConfig({ NODE_ENV: 'test' }),
    folder: null,
    entities,
    migrations: fileURLToPath(new URL('../../migrations', import.meta.url)),
    template: await openAsBlob(inject('databaseTemplate')),
  });
});
afterAll(() => database.close());

const open = async (options: VectorStoreOptions): Promise<VectorStore> => {
  const store = createPgVectorStore(database, await createLog(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'fatal' })), options);
  await store.ensure();
  return store;
};

const ways: [string, VectorStoreOptions][] = [
  ['compared one by one', {}],
  ['by an index', { indexes: true, indexFrom: 0 }],
];

describe.each(ways)('vectors %s', (_name, options) => {
  let store: VectorStore;
  beforeAll(async () => {
    store = await open(options);
    // So few rows would be sorted rather than read in the order of the index.
    if (options.indexes) await sql`set enable_sort = off`.execute(kysely(database.fork()));
  });
  afterAll(() => store.close());

  /** Asks twice when an index is to be built: the first query starts it. */
  const query = async (em: EntityManager, asked: Omit<VectorQuery, 'versionIds'>): Promise<Map<string, number>> => {
    const given = { ...asked, versionIds: () => publishedVersionIds(em, asked.scope) };
    if (options.indexes) {
      await store.query(em, given);
      await store.close();
    }
    return await store.query(em, given);
  };

  it('are found nearest first, by inner product', async () => {
    const { scope, chunkIds } = await seed(3);
    const [a, b, c] = chunkIds as [string, string, string];
    await store.upsert(database.fork(), rows(scope, 'test:three', [[a, [1, 0, 0]], [b, [2, 1, 0]], [c, [-1, 0, 0]]]));
    const found = await query(database.fork(), { modelId: 'test:three', metric: 'INNER_PRODUCT', vector: [1, 0, 0], limit: 10, scope, passageCount: 3 });
    expect([...found]).toEqual([[b, 2], [a, 1], [c, -1]]);
  });

  it('are found nearest first, by cosine, whatever their length', async () => {
    const { scope, chunkIds } = await seed(3);
    const [a, b, c] = chunkIds as [string, string, string];
    await store.upsert(database.fork(), rows(scope, 'test:cosine', [[a, [5, 0]], [b, [100, 100]], [c, [0, 0]]]));
    const found = await query(database.fork(), { modelId: 'test:cosine', metric: 'COSINE', vector: [1, 0], limit: 10, scope, passageCount: 3 });
    expect([...found.keys()]).toEqual([a, b]);
    expect(found.get(a)).toBeCloseTo(1, 5);
    expect(found.get(b)).toBeCloseTo(Math.SQRT1_2, 5);
  });

  it('of several models and sizes stand side by side', async () => {
    const { scope, chunkIds } = await seed(1);
    const [a] = chunkIds as [string];
    await store.upsert(database.fork(), [...rows(scope, 'test:two', [[a, [1, 0]]]), ...rows(scope, 'test:four', [[a, [0, 0, 0, 4]]])]);
    const ask = (modelId: string, vector: number[]) => query(database.fork(), { modelId, metric: 'INNER_PRODUCT', vector, limit: 10, scope, passageCount: 1 });
    expect([...(await ask('test:two', [1, 0]))]).toEqual([[a, 1]]);
    expect([...(await ask('test:four', [0, 0, 0, 1]))]).toEqual([[a, 4]]);
    expect([...(await ask('test:two', [1, 0, 0]))]).toEqual([]);
  });

  it('of more than 2,000 components are compared, too', async () => {
    const { scope, chunkIds } = await seed(2);
    const [a, b] = chunkIds as [string, string];
    const unit = (at: number) => Array.from({ length: 3072 }, (_, index) => (index === at ? 1 : 0));
    await store.upsert(database.fork(), rows(scope, 'test:large', [[a, unit(7)], [b, unit(8)]]));
    const found = await query(database.fork(), { modelId: 'test:large', metric: 'COSINE', vector: unit(8), limit: 1, scope, passageCount: 2 });
    expect([...found]).toEqual([[b, 1]]);
  });

  it('are replaced by a second write and keep nine digits', async () => {
    const { scope, chunkIds } = await seed(1);
    const [a] = chunkIds as [string];
    await store.upsert(database.fork(), rows(scope, 'test:two', [[a, [1, 1]]]));
    await store.upsert(database.fork(), rows(scope, 'test:two', [[a, [0.123456789, -1e-20]]]));
    const found = await query(database.fork(), { modelId: 'test:two', metric: 'INNER_PRODUCT', vector: [1, 0], limit: 10, scope, passageCount: 1 });
    expect(found.get(a)).toBeCloseTo(0.123456789, 8);
  });

  it('outside the scope are not seen: another workspace, an unpublished version, another profile, document or tag', async () => {
    const mine = await seed(2, { tags: ['manual'] });
    const other = await seed(1);
    const unpublished = await seed(1, { workspaceId: mine.scope.workspaceId, publish: false });
    const untagged = await seed(1, { workspaceId: mine.scope.workspaceId });
    for (const { scope, chunkIds } of [mine, other, unpublished, untagged]) {
      await store.upsert(database.fork(), rows(scope, 'test:two', chunkIds.map((id) => [id, [1, 0]])));
    }
    const ask = async (scope: PassageScope) =>
      [...(await query(database.fork(), { modelId: 'test:two', metric: 'INNER_PRODUCT', vector: [1, 0], limit: 10, scope, passageCount: 4 })).keys()].sort();
    expect(await ask(mine.scope)).toEqual([...mine.chunkIds, ...untagged.chunkIds].sort());
    expect(await ask({ ...mine.scope, tags: ['manual', 'other'] })).toEqual([...mine.chunkIds].sort());
    expect(await ask({ ...mine.scope, documentIds: [untagged.documentId, other.documentId] })).toEqual(untagged.chunkIds);
    expect(await ask({ ...mine.scope, profileId: randomUUIDv7() })).toEqual([]);
  });

  it('go from the chunks of one version to the equal chunks of the next', async () => {
    const { scope, chunkIds } = await seed(2);
    const [older, newer] = chunkIds as [string, string];
    await store.upsert(database.fork(), rows(scope, 'test:two', [[older, [0, 1]]]));
    const reuse = (workspaceId: string) =>
      store.reuse(database.fork(), { workspaceId, modelId: 'test:two', ...placeOf(newer), pairs: [{ fromChunkId: older, toChunkId: newer }, { fromChunkId: randomUUIDv7(), toChunkId: newer }] });
    expect(await reuse(randomUUIDv7())).toBe(0);
    expect(await reuse(scope.workspaceId)).toBe(1);
    const found = await query(database.fork(), { modelId: 'test:two', metric: 'INNER_PRODUCT', vector: [0, 1], limit: 10, scope, passageCount: 2 });
    expect([...found.values()]).toEqual([1, 1]);
  });

  it('go with their document, by the store or with the chunks', async () => {
    const first = await seed(1);
    const second = await seed(1, { workspaceId: first.scope.workspaceId });
    await store.upsert(database.fork(), rows(first.scope, 'test:two', [...first.chunkIds, ...second.chunkIds].map((id) => [id, [1, 0]])));
    const left = async () =>
      (await sql<{ chunkId: string }>`select chunk_id as "chunkId" from chunk_embedding where workspace_id = ${first.scope.workspaceId}`.execute(kysely(database.fork()))).rows.map((row) => row.chunkId);
    await store.deleteDocument(database.fork(), { workspaceId: randomUUIDv7(), documentId: first.documentId });
    expect(await left()).toHaveLength(2);
    await store.deleteDocument(database.fork(), { workspaceId: first.scope.workspaceId, documentId: first.documentId });
    expect(await left()).toEqual(second.chunkIds);
    await database.fork().nativeDelete(Document, { id: second.documentId });
    expect(await left()).toEqual([]);
  });

  it('are forgotten by version, of all models but one or of all, some at a time; which chunks have one is told', async () => {
    const mine = await seed(120);
    const other = await seed(1, { workspaceId: mine.scope.workspaceId });
    const { workspaceId } = mine.scope;
    for (const [modelId, vector] of [['test:two', [1, 0]], ['test:four', [1, 0, 0, 0]], ['test:one', [1]]] as const) {
      for (const { scope, chunkIds } of [mine, other]) await store.upsert(database.fork(), rows(scope, modelId, chunkIds.map((id) => [id, vector])));
    }
    const stored = async (modelId: string, of = workspaceId) => (await store.stored(database.fork(), { workspaceId: of, modelId, chunkIds: [...mine.chunkIds, ...other.chunkIds] })).size;
    const forget = async (keepModelId: string | null, of = workspaceId) => {
      for (let forgotten = 1; forgotten > 0;) forgotten = await store.forget(database.fork(), { workspaceId: of, versionId: mine.versionId, keepModelId });
    };
    await forget(null, randomUUIDv7());
    expect(await stored('test:two')).toBe(121);
    expect(await stored('test:two', randomUUIDv7())).toBe(0);
    await forget('test:four');
    expect([await stored('test:two'), await stored('test:four'), await stored('test:one')]).toEqual([1, 121, 1]);
    await forget(null);
    expect([await stored('test:two'), await stored('test:four'), await stored('test:one')]).toEqual([1, 1, 1]);
  });

  it('roll back with the transaction that wrote them', async () => {
    const { scope, chunkIds } = await seed(1);
    const failed = database.fork().transactional(async (em) => {
      await store.upsert(em as never, rows(scope, 'test:two', [[chunkIds[0] as string, [1, 0]]]));
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    const found = await query(database.fork(), { modelId: 'test:two', metric: 'INNER_PRODUCT', vector: [1, 0], limit: 10, scope, passageCount: 1 });
    expect(found.size).toBe(0);
  });

  it('are ensured any number of times', async () => {
    await store.ensure();
    await store.ensure();
  });
});

describe('without the extension', () => {
  it('the store says that it is not available, keeps nothing and finds nothing', async () => {
    const store = createPgVectorStore({ ...database, vectors: false }, await createLog(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'fatal' })));
    const { scope, chunkIds } = await seed(1);
    await store.ensure();
    expect(store.available).toBe(false);
    await store.upsert(database.fork(), rows(scope, 'test:two', [[chunkIds[0] as string, [1, 0]]]));
    const found = await store.query(database.fork(), { modelId: 'test:two', metric: 'INNER_PRODUCT', vector: [1, 0], limit: 10, scope, passageCount: 1, versionIds: async () => [] });
    expect(found.size).toBe(0);
    expect(await store.stored(database.fork(), { workspaceId: scope.workspaceId, modelId: 'test:two', chunkIds })).toEqual(new Set());
  });
});

/** The document and version of each chunk. */
const places = new Map<string, Pick<ChunkVector, 'documentId' | 'versionId'>>();

const placeOf = (chunkId: string): Pick<ChunkVector, 'documentId' | 'versionId'> => places.get(chunkId) as Pick<ChunkVector, 'documentId' | 'versionId'>;
const rows = (scope: PassageScope, modelId: string, vectors: readonly (readonly [string, readonly number[]])[]): ChunkVector[] =>
  vectors.map(([chunkId, vector]) => ({ chunkId, workspaceId: scope.workspaceId, ...placeOf(chunkId), modelId, vector }));

/** A document with `count` chunks, in a workspace of its own unless one is named. */
async function seed(count: number, options: { workspaceId?: string; tags?: string[]; publish?: boolean } = {}) {
  const em = database.fork();
  const workspaceId = options.workspaceId ?? em.create(Workspace, { name: 'W', slug: randomUUIDv7(), embeddingModelId: 'test:two' }).id;
  const uploadedById = em.create(User, { email: `${randomUUIDv7()}@example.test`, name: 'U', passwordHash: '' }).id;
  const [documentId, versionId] = [randomUUIDv7(), randomUUIDv7()];
  const file = { checksum: '', sizeBytes: 1, workspaceId };
  em.create(Document, {
    ...file, id: documentId, name: 'd', mediaType: 'text/plain', status: 'READY', tags: options.tags ?? [], uploadedById, latestVersion: 1,
    publishedVersionId: options.publish === false ? null : versionId,
    metadata: { title: null, author: null, pageCount: null, wordCount: 1, language: null, documentCreatedAt: null, extra: {} },
  });
  em.create(DocumentVersion, { ...file, id: versionId, documentId, number: 1, embeddingModelId: 'test:two', chunkCount: count });
  const chunkIds = Array.from({ length: count }, (_, ordinal) => {
    const place = { workspaceId, documentId, versionId, ordinal, headingPath: [], startOffset: 0, endOffset: 1 };
    return em.create(DocumentChunk, { ...place, text: 'x', tokenCount: 1, termCount: 1, checksum: '' }).id;
  });
  await em.flush();
  for (const chunkId of chunkIds) places.set(chunkId, { documentId, versionId });
  const scope: PassageScope = { workspaceId, profileId: null, documentIds: null, tags: null };
  return { scope, documentId, versionId, chunkIds };
}
