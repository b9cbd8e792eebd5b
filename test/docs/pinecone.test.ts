// The vector store that docs/extending.md shows: its types, and its promises against a server that speaks Pinecone's protocol.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChunkVector, VectorStore } from '../../src/documents/vector-store.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/extending.md'), 'utf8');
const sample = ((/## Another vector store.*?```ts\n(.*?)```/s.exec(page) ?? [])[1] ?? '').replaceAll("from './", "from '../../../src/documents/");
const folder = mkdtempSync(join(import.meta.dirname, 'sample-'));
writeFileSync(join(folder, 'pinecone.ts'), sample);
writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: [], files: ['pinecone.ts', '../../../src/context.ts'] }));

const key = 'pcsk-secret-0123456789';
const [small, large, hashed] = ['test:small', 'test:large', 'test:hashed'] as const;
const em = null as never;
let pinecone: Awaited<ReturnType<typeof startPinecone>>;
let make: (options: { apiKey: string; indexes: Record<string, string>; timeoutMs?: number }) => VectorStore;
let store: VectorStore;
let workspaceId: string;
let indexes: Record<string, string>;
beforeAll(async () => {
  pinecone = await startPinecone(key, { small: { size: 2, metric: 'cosine' }, large: { size: 4, metric: 'cosine' }, hashed: { size: 2, metric: 'dotproduct' } });
  indexes = { [small]: `${pinecone.url}/small`, [large]: `${pinecone.url}/large`, [hashed]: `${pinecone.url}/hashed` };
  ({ createPineconeStore: make } = (await import(/* @vite-ignore */ join(folder, 'pinecone.ts'))) as { createPineconeStore: typeof make });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await pinecone.close();
});
beforeEach(() => {
  store = make({ apiKey: key, indexes });
  workspaceId = randomUUID();
  pinecone.lagReads = 0;
  pinecone.requests.length = 0;
});

interface Version {
  readonly documentId: string;
  readonly versionId: string;
}
const version = (documentId: string = randomUUID()): Version => ({ documentId, versionId: randomUUID() });
const row = (at: Version, modelId: string, vector: readonly number[], chunkId: string = randomUUID()): ChunkVector => ({ ...at, chunkId, workspaceId, modelId, vector });
const query = async (modelId: string, vector: number[], versions: readonly Version[], limit = 10, of = workspaceId) =>
  [...(await store.query(em, { modelId, metric: modelId === hashed ? 'INNER_PRODUCT' : 'COSINE', vector, limit, passageCount: 10, scope: { workspaceId: of, profileId: null, documentIds: null, tags: null }, versionIds: async () => versions.map(({ versionId }) => versionId) }))];
const has = async (modelId: string, rows: readonly ChunkVector[], of = workspaceId) => [...(await store.stored(em, { workspaceId: of, modelId, chunkIds: rows.map(({ chunkId }) => chunkId) }))].sort();
const ids = (...rows: ChunkVector[]): string[] => rows.map(({ chunkId }) => chunkId).sort();

describe('the vector store of the documentation', () => {
  it('has the types of a vector store', { timeout: 120_000 }, async () => {
    const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', join(folder, 'tsconfig.json')], { cwd: root }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it('finds the nearest first, by cosine and by inner product, at most as many as asked for', async () => {
    const at = version();
    const [a, b, zero] = [row(at, small, [5, 0]), row(at, small, [100, 100]), row(at, small, [0, 0])];
    await store.upsert(em, [b, zero, a]);
    const found = await query(small, [1, 0], [at]);
    expect(found.map(([id]) => id)).toEqual([a.chunkId, b.chunkId]);
    expect(found[1]?.[1]).toBeCloseTo(Math.SQRT1_2, 5);
    expect(await query(small, [1, 0], [at], 1)).toHaveLength(1);
    const [c, d] = [row(at, hashed, [1, 0]), row(at, hashed, [2, 1])];
    await store.upsert(em, [c, d]);
    expect(await query(hashed, [1, 0], [at])).toEqual([[d.chunkId, 2], [c.chunkId, 1]]);
  });

  it('keeps vectors of several models and sizes side by side', async () => {
    const at = version();
    const a = row(at, small, [1, 0]);
    await store.upsert(em, [a, { ...a, modelId: large, vector: [0, 0, 0, 1] }]);
    expect(await query(small, [1, 0], [at])).toEqual([[a.chunkId, 1]]);
    expect(await query(large, [0, 0, 0, 1], [at])).toEqual([[a.chunkId, 1]]);
  });

  it('replaces what is written again', async () => {
    const at = version();
    const a = row(at, hashed, [1, 1]);
    await store.upsert(em, [a]);
    await store.upsert(em, [{ ...a, vector: [7, 0] }]);
    expect(await query(hashed, [1, 0], [at])).toEqual([[a.chunkId, 7]]);
  });

  it('finds only the versions of the scope, in the workspace of the scope', async () => {
    const [published, other] = [version(), version()];
    const rows = [row(published, small, [1, 0]), row(other, small, [1, 0])];
    await store.upsert(em, rows);
    expect((await query(small, [1, 0], [published])).map(([id]) => id)).toEqual([rows[0]?.chunkId]);
    expect(await query(small, [1, 0], [])).toEqual([]);
    expect(await query(small, [1, 0], [published], 10, randomUUID())).toEqual([]);
    expect(await has(small, rows, randomUUID())).toEqual([]);
    // More than one filter may name.
    const many = Array.from({ length: 10_001 }, () => version());
    expect(await query(small, [1, 0], [other, ...many, published])).toHaveLength(2);
  });

  it('gives chunks of the next version the vectors of equal ones', async () => {
    const older = version();
    const newer = version(older.documentId);
    const a = row(older, small, [0, 1]);
    await store.upsert(em, [a]);
    const pairs = [{ fromChunkId: a.chunkId, toChunkId: randomUUID() }, { fromChunkId: randomUUID(), toChunkId: randomUUID() }];
    const reuse = (of: string) => store.reuse(em, { workspaceId: of, modelId: small, ...newer, pairs });
    expect(await reuse(randomUUID())).toBe(0);
    expect(await reuse(workspaceId)).toBe(1);
    expect(await query(small, [0, 1], [newer])).toEqual([[pairs[0]?.toChunkId, 1]]);
  });

  it('forgets a version, of all models but one or of all, and a document', async () => {
    const [mine, next] = [version(), version()];
    const rows = Array.from({ length: 250 }, () => row(mine, small, [1, 0]));
    const other = row(next, small, [1, 0]);
    await store.upsert(em, [...rows, other]);
    expect(await has(small, rows)).toEqual(ids(...rows));
    await store.upsert(em, rows.map((each) => ({ ...each, modelId: large, vector: [1, 0, 0, 0] })));
    await store.forget(em, { workspaceId: randomUUID(), versionId: mine.versionId, keepModelId: null });
    expect(await store.forget(em, { workspaceId, versionId: mine.versionId, keepModelId: large })).toBe(0);
    expect([await has(small, [...rows, other]), (await has(large, rows)).length]).toEqual([[other.chunkId], 250]);
    await store.deleteDocument(em, { workspaceId, documentId: mine.documentId });
    expect(await has(large, rows)).toEqual([]);
    expect(await has(small, [other])).toEqual([other.chunkId]);
    expect(Math.max(...pinecone.requests.filter(({ path }) => path === '/vectors/upsert').map(({ body }) => body.vectors.length))).toBe(100);
  });

  it('waits until what it wrote is seen, and says so when it is not', async () => {
    const at = version();
    pinecone.lagReads = 3;
    await store.upsert(em, [row(at, small, [1, 0])]);
    expect(pinecone.requests.map(({ path }) => path)).toEqual(['/vectors/upsert', '/query', '/query', '/query', '/query']);
    expect(await query(small, [1, 0], [at])).toHaveLength(1);
    pinecone.lagReads = 1_000;
    await expect(make({ apiKey: key, indexes, timeoutMs: 50 }).upsert(em, [row(at, small, [1, 0])])).rejects.toThrow('did not show what was written');
  });

  it('says what is wrong without the key or what was sent', async () => {
    await store.ensure();
    const wrong = make({ apiKey: 'pcsk-wrong-0123456789', indexes });
    await expect(wrong.ensure()).rejects.toThrow(/^Pinecone answered 401 to \/describe_index_stats for test:small\.$/);
    await expect(store.upsert(em, [row(version(), small, [1, 2, 3])])).rejects.toThrow(/^Pinecone answered 400 to \/vectors\/upsert for test:small\.$/);
    await expect(store.upsert(em, [row(version(), 'test:unknown', [1])])).rejects.toThrow('No Pinecone index is set up for the embedding model test:unknown.');
  });
});

interface Kept {
  readonly id: string;
  readonly values: readonly number[];
  readonly metadata: Readonly<Record<string, string>>;
}
type Filter = Readonly<Record<string, { readonly $eq?: string; readonly $in?: readonly string[] }>>;

/** As https://docs.pinecone.io/reference/api/2025-10/data-plane describes it; each index lies at a path of its own. */
async function startPinecone(apiKey: string, given: Readonly<Record<string, { readonly size: number; readonly metric: 'cosine' | 'dotproduct' }>>) {
  const spaces = new Map<string, Map<string, Kept>>();
  const requests: { path: string; body: any }[] = []; // eslint-disable-line -- what the adapter sent
  /** How often a query is answered after a write without what was written. */
  const state = { lagReads: 0 };
  let written = 0;
  let staleReads = 0;
  const matches = (vector: Kept, filter: Filter = {}): boolean => Object.entries(filter).every(([field, { $eq, $in }]) => {
    if (($in?.length ?? 0) > 10_000) throw new Error('too many values');
    return $in ? $in.includes(vector.metadata[field] as string) : vector.metadata[field] === $eq;
  });
  const answer = (index: string, path: string, query: URLSearchParams, body: any): object => { // eslint-disable-line -- as it came
    const { size, metric } = given[index]!;
    const name = `${index} ${body.namespace ?? query.get('namespace')}`;
    const space = spaces.get(name) ?? new Map<string, Kept>();
    spaces.set(name, space);
    const write = (): void => {
      written++;
      staleReads = state.lagReads;
    };
    if (path === '/describe_index_stats') return { dimension: size, metric };
    if (path === '/vectors/upsert') {
      for (const { values } of body.vectors as Kept[]) if (values.length !== size || values.every((value) => value === 0)) throw new Error('dimension');
      for (const vector of body.vectors as Kept[]) space.set(vector.id, vector);
      write();
      return { upsertedCount: body.vectors.length };
    }
    if (path === '/vectors/fetch') return { vectors: Object.fromEntries(query.getAll('ids').flatMap((id) => (space.has(id) ? [[id, space.get(id)]] : []))) };
    if (path === '/vectors/delete') {
      for (const vector of space.values()) if (matches(vector, body.filter)) space.delete(vector.id);
      write();
      return {};
    }
    if (path !== '/query') throw new Error('unknown');
    const length = (vector: readonly number[]): number => Math.hypot(...vector);
    const score = ({ values }: Kept): number => values.reduce((sum, value, at) => sum + value * body.vector[at], 0) / (metric === 'cosine' ? length(values) * length(body.vector) : 1);
    const scored = [...space.values()].filter((vector) => matches(vector, body.filter)).map((vector) => ({ id: vector.id, score: score(vector) }));
    return { matches: scored.sort((a, b) => b.score - a.score).slice(0, body.topK) };
  };
  const http = createServer((request, response) => void (async () => {
    let text = '';
    for await (const part of request) text += part;
    const url = new URL(request.url as string, 'http://pinecone');
    const [, index, path] = /^\/(\w+)(\/.*)$/.exec(url.pathname) as unknown as [string, string, string];
    const body = text === '' ? {} : JSON.parse(text);
    requests.push({ path, body });
    response.setHeader('content-type', 'application/json');
    if (request.headers['api-key'] !== apiKey) return void response.writeHead(401).end('{"message":"no"}');
    try {
      const result = answer(index, path, url.searchParams, body);
      if (path === '/vectors/upsert' || path === '/vectors/delete') response.setHeader('x-pinecone-request-lsn', written);
      if (path === '/query') response.setHeader('x-pinecone-max-indexed-lsn', staleReads-- > 0 ? written - 1 : written);
      response.end(JSON.stringify(result));
    } catch {
      response.writeHead(400).end(JSON.stringify({ message: `rejected: ${text}` }));
    }
  })());
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  });
}
