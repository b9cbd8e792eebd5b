// What the cache of checkpoints promises, on both kinds of database: exactly what the rows say, only sooner.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages';
import { uuid6, type BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { entities } from '../../src/entities.ts';
import { createLocalBus } from '../../src/platform/bus.ts';
import { openCache } from '../../src/platform/cache.ts';
import { checkpointSchema, openCheckpoints } from '../../src/platform/checkpoints.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { kysely, openDatabase, sql, type Database } from '../../src/platform/database.ts';
import { createLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { openRedis, type Redis } from '../../src/platform/redis.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let postgres: TestPostgres;
let server: TestRedis;
beforeAll(async () => {
  [postgres, server] = await Promise.all([startPostgres(), startRedis()]);
});
afterAll(async () => {
  await server?.close();
  await postgres?.close();
});

type Config = Parameters<BaseCheckpointSaver['put']>[0];
const of = (thread: string): Config => ({ configurable: { thread_id: thread } });

/** A thread that is written as LangGraph does: a version more for each channel that changes, and the whole state each time. */
function openThread(thread = randomUUID()) {
  let parent: string | undefined;
  const versions: Record<string, number> = {};
  let values: Record<string, unknown> = {};
  return {
    thread,
    async put(saver: BaseCheckpointSaver, changes: Record<string, unknown>, { emptied = [], metadata = {} }: { emptied?: readonly string[]; metadata?: object } = {}): Promise<string> {
      const fresh = Object.fromEntries([...Object.keys(changes), ...emptied].map((channel) => [channel, (versions[channel] = (versions[channel] ?? 0) + 1)]));
      values = { ...values, ...changes };
      for (const channel of emptied) delete values[channel];
      const id = uuid6(1);
      const config = { configurable: { thread_id: thread, checkpoint_ns: '', ...(parent !== undefined && { checkpoint_id: parent }) } };
      // A channel's default stands in the state before its first version, and is not stored.
      await saver.put(config, { v: 4, id, ts: new Date().toISOString(), channel_values: { byDefault: [], ...values }, channel_versions: { ...versions }, versions_seen: {} }, { source: 'loop', step: 1, parents: {}, ...metadata } as never, fresh);
      parent = id;
      return id;
    },
    putWrites: (saver: BaseCheckpointSaver, writes: [string, unknown][], task = 'task') =>
      saver.putWrites({ configurable: { thread_id: thread, checkpoint_ns: '', checkpoint_id: parent } }, writes, task),
  };
}

const value = fc.oneof(
  fc.jsonValue(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
  fc.constant(undefined),
  fc.string().map((text) => new HumanMessage(text)),
  fc.string().map((text) => new AIMessage({ content: text, additional_kwargs: { by: 'model' } })),
  fc.array(fc.string().map((text) => new SystemMessage({ content: [{ type: 'text', text }] }))),
  fc.array(fc.string()).map((texts) => new Set(texts)),
  fc.record({ nested: fc.record({ bytes: fc.uint8Array(), at: fc.date({ noInvalidDate: true }), nothing: fc.constant(undefined) }) }),
);
const channel = fc.constantFrom('question', 'values', 'passages', 'messages');
const step = fc.record({
  changes: fc.dictionary(channel, value),
  emptied: fc.uniqueArray(channel, { maxLength: 1 }),
  metadata: fc.record({ writes: fc.option(fc.record({ node: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')) })) }),
  writes: fc.array(fc.tuple(channel, value), { maxLength: 3 }),
});

describe.each([
  ['PGlite', async () => null],
  ['PostgreSQL', () => postgres.createDatabase('checkpoint_cache')],
])('the newest checkpoint of a thread on %s', (_title, address) => {
  let database: Database;
  let redis: Redis;
  /** The saver without a cache. */
  let rows: BaseCheckpointSaver;
  const bus = createLocalBus(() => undefined);
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    database = await openDatabase({ config: { ...loadConfig({ NODE_ENV: 'test' }), databaseUrl: await address(), databasePoolSize: 4 }, folder: null, entities, migrations: fileURLToPath(new URL('../../migrations', import.meta.url)) });
    const log = createLog({ environment: 'test', logLevel: 'silent', instanceId: 'test' });
    redis = openRedis({ redis: { url: server.url, poolSize: 2, commandTimeoutMs: 10_000 }, instanceId: 'test' }, log);
    await vi.waitFor(() => redis.ping(), 20_000);
    rows = await openCheckpoints(database);
  });
  afterAll(async () => {
    for (const close of closers) await close();
    await redis?.close();
    await database?.close();
  });

  /** Another instance's saver, with a memory of its own, and what its cache was asked: `{ 'memory hit': 1 }`. */
  async function open({ behind = redis }: { behind?: Redis | null } = {}) {
    const metrics = createMetrics({ process: false });
    const cache = await openCache({ redis: behind, bus, metrics, instanceId: randomUUID() });
    closers.push(() => cache.close());
    const asked = async () => Object.fromEntries((await metrics.cacheLookups.get()).values.map(({ labels, value: count }) => [`${labels['layer']} ${labels['outcome']}`, count]));
    return { saver: await openCheckpoints(database, cache), asked };
  }

  it('is exactly what the saver of the rows answers, whatever the state, at the instance that wrote it and at another', { timeout: 60_000 }, async () => {
    const [here, elsewhere] = [await open(), await open()];
    let reads = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        const { thread, put, putWrites } = openThread();
        for (const { changes, emptied, metadata, writes } of steps) {
          await put(here.saver, changes, { emptied, metadata });
          if (writes.length > 0) await putWrites(here.saver, writes);
          const expected = withPlainBytes(await rows.getTuple(of(thread)));
          expect(expected).toBeDefined();
          expect(withPlainBytes(await here.saver.getTuple(of(thread)))).toEqual(expected);
          expect(withPlainBytes(await elsewhere.saver.getTuple(of(thread)))).toEqual(expected);
          reads++;
        }
        await here.saver.deleteThread(thread);
        for (const { saver } of [here, elsewhere]) expect(await saver.getTuple(of(thread))).toBeUndefined();
      }),
      { numRuns: 40, seed: 20261125 },
    );
    expect((await here.asked())['memory hit']).toBe(reads);
  });

  it('is taken from Redis by the instance that takes a run over', async () => {
    const [died, goesOn] = [await open(), await open()];
    const { thread, put, putWrites } = openThread();
    await put(died.saver, { question: 'q', passages: ['one', 'two'] });
    await put(died.saver, { values: { count: 2 } });
    await putWrites(died.saver, [['values', { count: 3 }]]);
    await expect.poll(() => redis.attempt((client) => client.exists(`parley:cache:checkpoint:1:${thread}`))).toBe(1);
    expect(await goesOn.saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    expect(await goesOn.asked()).toEqual({ 'memory miss': 1, 'redis hit': 1 });
    // From then on it has it in memory, unless the withdrawal of the one before comes only now.
    await expect.poll(async () => ((await goesOn.saver.getTuple(of(thread))) && (await goesOn.asked())['memory hit']) ?? 0).toBeGreaterThan(0);
  });

  it('is never an older one, however the rows were changed behind the back of the cache', async () => {
    const { saver } = await open();
    const { thread, put, putWrites } = openThread();
    const first = await put(saver, { question: 'first' });
    expect((await saver.getTuple(of(thread)))?.checkpoint.id).toBe(first);
    await put(rows, { question: 'second' });
    await putWrites(rows, [['question', 'pending']]);
    expect(await saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    await putWrites(rows, [['question', 'more']], 'another task');
    const tuple = await saver.getTuple(of(thread));
    expect(tuple?.checkpoint.channel_values).toEqual({ question: 'second' });
    expect(tuple?.pendingWrites).toHaveLength(2);
    // One that was put and then rolled out of the table again.
    const third = await put(saver, { question: 'third' });
    await query(`delete from ${checkpointSchema}.checkpoints where checkpoint_id = '${third}'`);
    expect(await saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    await rows.deleteThread(thread);
    expect(await saver.getTuple(of(thread))).toBeUndefined();
  });

  it('is what stood there when it was put, even if the run changes its state while it is written', async () => {
    const { saver } = await open();
    const { thread, put } = openThread();
    const list = ['one'];
    const putting = put(saver, { list });
    list.push('two');
    await putting;
    expect((await saver.getTuple(of(thread)))?.checkpoint.channel_values).toEqual({ list: ['one'] });
    expect(await saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
  });

  it('comes from the rows without Redis, without a cached entry, and for an older one by its id', async () => {
    const [writer, reader] = [await open({ behind: null }), await open({ behind: null })];
    const { thread, put } = openThread();
    const first = await put(writer.saver, { question: 'first' });
    await put(writer.saver, { question: 'second' });
    expect(await reader.saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    expect(await reader.asked()).toEqual({ 'memory miss': 1 });
    const older = await writer.saver.getTuple({ configurable: { thread_id: thread, checkpoint_id: first } });
    expect(older?.checkpoint.channel_values).toEqual({ question: 'first' });
    const listed: unknown[] = [];
    for await (const { checkpoint } of writer.saver.list(of(thread))) listed.push(checkpoint.channel_values);
    expect(listed).toEqual([{ question: 'second' }, { question: 'first' }]);
    expect(await writer.asked()).toEqual({});
  });

  it('comes from the rows, and is put there without waiting, when Redis has died', async () => {
    const mortal = await startRedis();
    const log = createLog({ environment: 'test', logLevel: 'silent', instanceId: 'mortal' });
    const behind = openRedis({ redis: { url: mortal.url, poolSize: 1, commandTimeoutMs: 120_000 }, instanceId: 'mortal' }, log);
    closers.push(() => behind.close());
    await vi.waitFor(() => behind.ping(), 20_000);
    const [writer, reader] = [await open({ behind }), await open({ behind })];
    mortal.pause();
    const { thread, put } = openThread();
    // Whoever waited for Redis would wait for longer than a test may take.
    await put(writer.saver, { question: 'first' });
    await mortal.close();
    expect(await reader.saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    expect(await writer.saver.getTuple(of(thread))).toEqual(await rows.getTuple(of(thread)));
    expect(await writer.asked()).toEqual({ 'memory hit': 1 });
  });

  const query = (text: string): Promise<unknown> => sql.raw(text).execute(kysely(database.fork()));
});

/** The client of PostgreSQL gives bytes as its own kind of them. */
function withPlainBytes<T>(value: T): T {
  if (value instanceof Uint8Array) return new Uint8Array(value) as T;
  if (Array.isArray(value)) return value.map(withPlainBytes) as T;
  if (value === null || typeof value !== 'object' || ![Object.prototype, null].includes(Object.getPrototypeOf(value))) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withPlainBytes(each)])) as T;
}
