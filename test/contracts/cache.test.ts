// What the cache promises in memory only, with Redis behind it, and with a Redis that has died.
import { randomUUID } from 'node:crypto';
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLocalBus, type Bus } from '../../src/platform/bus.ts';
import { cacheKind, cacheKinds, maxTags, openCache, type Cache, type CacheKind } from '../../src/platform/cache.ts';
import { createLog } from '../../src/platform/log.ts';
import { createMetrics, type Metrics } from '../../src/platform/metrics.ts';
import { openRedis, type Redis } from '../../src/platform/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

interface Thing {
  readonly text: string;
  readonly list: number[];
}
const things = cacheKind<Thing>({ name: 'test.things', version: 1, ttlSeconds: 60, maxEntries: 100, maxBytes: 100_000 });
const few = cacheKind<string>({ name: 'test.few', version: 1, ttlSeconds: 60, maxEntries: 3, maxBytes: 1000 });
const one: Thing = { text: 'one', list: [1] };
const two: Thing = { text: 'two', list: [2, 2] };
const minute = { ttlSeconds: 60 };

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

interface Instance {
  readonly cache: Cache;
  readonly redis: Redis | null;
  readonly metrics: Metrics;
}
const opened: Instance[] = [];
afterEach(async () => {
  for (const { cache, redis } of opened.splice(0)) {
    await cache.close();
    await redis?.close();
  }
});

/** Commands of Redis may take their time, but where a test is about silence. */
async function open({ url = null, bus = createLocalBus(() => undefined), commandTimeoutMs = 10_000 }: { url?: string | null; bus?: Bus; commandTimeoutMs?: number } = {}): Promise<Instance> {
  const instanceId = randomUUID().slice(0, 8);
  const log = createLog({ environment: 'test', logLevel: 'silent', instanceId });
  const redis = url === null ? null : openRedis({ redis: { url, poolSize: 2, commandTimeoutMs }, instanceId }, log);
  if (redis) await expect.poll(() => redis.ping().then(() => true, () => false)).toBe(true);
  const metrics = createMetrics({ process: false });
  const instance = { cache: await openCache({ redis, bus, metrics, instanceId }), redis, metrics };
  opened.push(instance);
  return instance;
}

const setups: Record<string, () => Promise<Instance>> = {
  'in memory only': () => open(),
  'with Redis': () => open({ url: server.url }),
  async 'with a Redis that has died'() {
    const mortal = await startRedis();
    const instance = await open({ url: mortal.url });
    await mortal.close();
    await expect.poll(() => instance.redis?.available).toBe(false);
    return instance;
  },
};

/** A promise that the test keeps when it wants. */
const gate = () => Promise.withResolvers<void>();

describe.each(Object.entries(setups))('the cache %s', (_name, setup) => {
  it('gives back what was put in, each time as a copy, and null for what was not', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    expect(await cache.get(things, key)).toBeNull();
    await cache.set(things, key, one, minute);
    const copy = (await cache.get(things, key)) as Thing;
    expect(copy).toEqual(one);
    copy.list.push(9);
    expect(await cache.get(things, key)).toEqual(one);
    await cache.set(things, key, two, minute);
    expect(await cache.get(things, key)).toEqual(two);
    expect(await cache.get(few, key)).toBeNull();
  });

  it('takes no value without a time to live, and keeps none longer', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    // @ts-expect-error: a value needs a time to live.
    await expect(cache.set(things, key, one)).rejects.toThrow();
    // @ts-expect-error: nor is a value of another kind taken.
    await cache.set(few, key, 1, minute);
    for (const ttlSeconds of [0, -1, Number.NaN]) await expect(cache.set(things, key, one, { ttlSeconds })).rejects.toThrow(RangeError);
    await cache.set(things, key, one, { ttlSeconds: 0.2 });
    await expect.poll(() => cache.get(things, key)).toBeNull();
  });

  it('loads once for all who ask at the same time, and again only after the end', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    let loads = 0;
    const open = gate();
    const asked = Array.from({ length: 50 }, () =>
      cache.getOrLoad(things, key, async () => {
        loads++;
        await open.promise;
        return one;
      }),
    );
    open.resolve();
    expect(await Promise.all(asked)).toEqual(Array(50).fill(one));
    expect(await cache.getOrLoad(things, key, async () => two)).toEqual(one);
    expect(loads).toBe(1);
  });

  it('keeps neither a failure nor null', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    const failing = () => cache.getOrLoad(things, key, async () => Promise.reject(new Error('no rows')));
    await Promise.all([expect(failing()).rejects.toThrow('no rows'), expect(failing()).rejects.toThrow('no rows')]);
    expect(await cache.getOrLoad(things, key, async () => null)).toBeNull();
    expect(await cache.getOrLoad(things, key, async () => one)).toEqual(one);
  });

  it('forgets what is deleted, and does not put back what was loaded before', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    await cache.set(things, key, one, minute);
    await cache.delete(things, key);
    expect(await cache.get(things, key)).toBeNull();
    const [begun, open] = [gate(), gate()];
    const old = cache.getOrLoad(things, key, async () => {
      begun.resolve();
      await open.promise;
      return one;
    });
    await begun.promise;
    await cache.delete(things, key);
    // Who asks after the deletion does not wait for what was read before it.
    expect(await cache.getOrLoad(things, key, async () => two)).toEqual(two);
    open.resolve();
    expect(await old).toEqual(one);
    expect(await cache.get(things, key)).toEqual(two);
    await cache.delete(things, key);
    expect(await cache.get(things, key)).toBeNull();
  });

  it('does not put what was loaded before over what was set meanwhile', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    const [begun, open] = [gate(), gate()];
    const old = cache.getOrLoad(things, key, async () => {
      begun.resolve();
      await open.promise;
      return one;
    });
    await begun.promise;
    await cache.set(things, key, two, minute);
    open.resolve();
    await old;
    expect(await cache.get(things, key)).toEqual(two);
  });

  it('ends where it was told last, however its writes overlap', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    await Promise.all([cache.set(things, key, one, minute), cache.set(things, key, two, minute), cache.delete(things, key)]);
    expect(await cache.get(things, key)).toBeNull();
    await Promise.all([cache.delete(things, key), cache.set(things, key, one, minute), cache.set(things, key, two, minute)]);
    expect(await cache.get(things, key)).toEqual(two);
  });

  it('keeps no value that is too large, and no older one in its place', async () => {
    const { cache } = await setup();
    const key = randomUUID();
    await cache.set(few, key, 'small', minute);
    await cache.set(few, key, 'x'.repeat(101), minute);
    expect(await cache.get(few, key)).toBeNull();
    expect(await cache.getOrLoad(few, key, async () => 'x'.repeat(101))).toHaveLength(101);
    expect(await cache.get(few, key)).toBeNull();
  });

  it('withdraws all values with a tag, of every kind, and no others', async () => {
    const { cache } = await setup();
    const [first, second] = [randomUUID(), randomUUID()];
    await cache.set(things, `${first}a`, one, { ...minute, tags: [first] });
    await cache.set(few, `${first}b`, 'b', { ...minute, tags: [second, first] });
    await cache.set(things, `${first}c`, two, { ...minute, tags: [second] });
    await cache.set(things, `${first}d`, two, minute);
    expect(await cache.get(few, `${first}b`)).toBe('b');
    await cache.invalidate([first, randomUUID()]);
    expect(await cache.get(things, `${first}a`)).toBeNull();
    expect(await cache.get(few, `${first}b`)).toBeNull();
    expect(await cache.get(things, `${first}c`)).toEqual(two);
    expect(await cache.get(things, `${first}d`)).toEqual(two);
    await cache.invalidate([]);
    // What is set afterwards stays, with the tags that it has now.
    await cache.set(things, `${first}a`, two, { ...minute, tags: [first] });
    await cache.set(things, `${first}c`, one, { ...minute, tags: [first] });
    await cache.invalidate([second]);
    expect(await cache.get(things, `${first}a`)).toEqual(two);
    expect(await cache.get(things, `${first}c`)).toEqual(one);
    await cache.invalidate([first, second]);
    expect(await cache.get(things, `${first}a`)).toBeNull();
    expect(await cache.get(things, `${first}c`)).toBeNull();
  });

  it('withdraws what is being set, and takes no more tags than it can keep', async () => {
    const { cache } = await setup();
    const tag = randomUUID();
    const setting = Array.from({ length: 20 }, (_, index) => cache.set(things, `${tag}${index}`, one, { ...minute, tags: [tag] }));
    await cache.invalidate([tag]);
    await Promise.all(setting);
    for (let index = 0; index < 20; index++) expect(await cache.get(things, `${tag}${index}`)).toBeNull();
    const tags = Array.from({ length: maxTags + 1 }, (_, index) => `${tag}${index}`);
    await expect(cache.set(things, tag, one, { ...minute, tags })).rejects.toThrow('tags');
    await cache.set(things, tag, one, { ...minute, tags: tags.slice(1) });
    await cache.invalidate(tags);
    expect(await cache.get(things, tag)).toBeNull();
  });

  it('counts hits and misses of each kind in each layer', async () => {
    const { cache, metrics, redis } = await setup();
    const key = randomUUID();
    await cache.get(things, key);
    await cache.set(things, key, one, minute);
    await cache.get(things, key);
    const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('parley_cache_lookups_total{'));
    const expected = ['kind="test.things",layer="memory",outcome="miss"} 1', 'kind="test.things",layer="memory",outcome="hit"} 1'];
    if (redis?.available) expected.push('kind="test.things",layer="redis",outcome="miss"} 1');
    expect(lines.map((line) => line.slice('parley_cache_lookups_total{'.length)).sort()).toEqual(expected.sort());
  });
});

describe('the memory of an instance', () => {
  it('holds so many entries and so many bytes, those used last', async () => {
    const { cache } = await open();
    for (const key of ['a', 'b', 'c']) await cache.set(few, key, key, minute);
    await cache.get(few, 'a');
    await cache.set(few, 'd', 'd', minute);
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.get(few, key)))).toEqual(['a', null, 'c', 'd']);
    const bytes = { ...few, name: 'test.bytes', maxEntries: 100 };
    for (let index = 0; index < 20; index++) await cache.set(bytes, String(index), 'x'.repeat(90), minute);
    const left = await Promise.all(Array.from({ length: 20 }, (_, index) => cache.get(bytes, String(index))));
    expect(left.filter((value) => value !== null)).toHaveLength(10);
  });

  it('lets a tag withdraw what is still there after others were driven out', async () => {
    const { cache } = await open();
    for (const key of ['a', 'b', 'c', 'd', 'e']) await cache.set(few, key, key, { ...minute, tags: ['tag'] });
    await cache.set(few, 'e', 'untagged', minute);
    await cache.invalidate(['tag']);
    expect(await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cache.get(few, key)))).toEqual([null, null, null, null, 'untagged']);
  });
});

describe('two instances with one Redis', () => {
  const pair = async (connected: boolean): Promise<[Instance, Instance]> => {
    const bus = createLocalBus(() => undefined);
    return [await open({ url: server.url, bus }), await open({ url: server.url, ...(connected && { bus }) })];
  };

  it('share values, and each reads Redis once', async () => {
    const [a, b] = await pair(true);
    const key = randomUUID();
    await a.cache.set(things, key, one, minute);
    expect(await b.cache.get(things, key)).toEqual(one);
    expect(await b.cache.getOrLoad(things, key, async () => two)).toEqual(one);
    const { values } = await b.metrics.cacheLookups.get();
    expect(values.map(({ labels, value }) => [labels.layer, labels.outcome, value]).sort()).toEqual([['memory', 'hit', 1], ['memory', 'miss', 1], ['redis', 'hit', 1]]);
  });

  it('forget what the other has set or deleted', async () => {
    const [a, b] = await pair(true);
    const key = randomUUID();
    await a.cache.set(things, key, one, minute);
    expect(await b.cache.get(things, key)).toEqual(one);
    await a.cache.set(things, key, two, minute);
    expect(await b.cache.get(things, key)).toEqual(two);
    await b.cache.delete(things, key);
    expect(await a.cache.get(things, key)).toBeNull();
    expect(await b.cache.get(things, key)).toBeNull();
  });

  it.each([['heard of', true], ['not heard of', false]])('do not put back what was loaded before the other deleted it, when that is %s', async (_how, connected) => {
    const [a, b] = await pair(connected);
    const key = randomUUID();
    const [begun, finish] = [gate(), gate()];
    const old = a.cache.getOrLoad(things, key, async () => {
      begun.resolve();
      await finish.promise;
      return one;
    });
    await begun.promise;
    await b.cache.delete(things, key);
    finish.resolve();
    expect(await old).toEqual(one);
    expect(await a.cache.get(things, key)).toBeNull();
    expect(await b.cache.get(things, key)).toBeNull();
    // What is loaded after the deletion is kept.
    expect(await a.cache.getOrLoad(things, key, async () => two)).toEqual(two);
    expect(await b.cache.get(things, key)).toEqual(two);
  });

  it('keep nothing in memory that was read while a deletion or a newer value was on its way to Redis', async () => {
    const [a, b] = await pair(true);
    const client = new Client(server.url);
    try {
      const key = randomUUID();
      await b.cache.set(few, key, 'old', minute);
      await client.client('PAUSE', 10_000, 'WRITE');
      const deleted = a.cache.delete(few, key);
      expect(await a.cache.get(few, key)).toBe('old');
      await client.client('UNPAUSE');
      await deleted;
      expect(await a.cache.get(few, key)).toBeNull();

      await b.cache.set(few, key, 'old', minute);
      await client.client('PAUSE', 10_000, 'WRITE');
      const others = ['x', 'y', 'z'].map((other) => () => a.cache.set(few, `${key}:${other}`, other, minute));
      const written = [a.cache.set(few, key, 'new', minute), ...others.map((set) => set())];
      // The others have driven it out of memory before Redis knows it.
      expect(await a.cache.get(few, key)).toBe('old');
      await client.client('UNPAUSE');
      await Promise.all(written);
      expect(await a.cache.get(few, key)).toBe('new');
    } finally {
      await client.client('UNPAUSE');
      client.disconnect();
    }
  });

  it('do not serve from memory what has ended in Redis, and leave nothing there without an end', async () => {
    const [a, b] = await pair(true);
    const key = randomUUID();
    await a.cache.set(things, key, one, { ttlSeconds: 40 });
    expect(await b.cache.get(things, key)).toEqual(one);
    // The reader's memory keeps it for what was left of its time, and not for the minute that its kind allows.
    await a.redis?.attempt((client) => client.del(`parley:cache:test.things:1:${key}`));
    expect(await b.cache.get(things, key)).toEqual(one);
    const now = performance.now.bind(performance);
    const later = vi.spyOn(performance, 'now').mockImplementation(() => now() + 41_000);
    try {
      // The memory looks at the clock at most once a millisecond.
      await expect.poll(() => b.cache.get(things, key)).toBeNull();
    } finally {
      later.mockRestore();
    }
    await a.cache.set(things, key, one, { ttlSeconds: 1e9 });
    await b.cache.getOrLoad(things, randomUUID(), async () => two);
    await a.cache.delete(things, randomUUID());
    const client = new Client(server.url);
    try {
      const keys = await client.keys('*');
      expect(keys.length).toBeGreaterThan(2);
      for (const each of keys) {
        expect(each).toMatch(/^parley:cache(:test\.\w+:1|-tag):/);
        const left = await client.pttl(each);
        expect([each, left > 0 && left <= 60_000]).toEqual([each, true]);
      }
    } finally {
      client.disconnect();
    }
  });

  it('forget by their tags what the other has withdrawn, also what they only read', async () => {
    const [a, b] = await pair(true);
    const tag = randomUUID();
    await a.cache.set(things, tag, one, { ...minute, tags: [`other ${tag}`, tag] });
    expect(await b.cache.get(things, tag)).toEqual(one);
    await b.cache.set(things, `${tag}b`, two, { ...minute, tags: [tag] });
    await b.cache.invalidate([tag]);
    for (const { cache } of [a, b]) for (const key of [tag, `${tag}b`]) expect(await cache.get(things, key)).toBeNull();
  });

  it('find nothing of what was withdrawn in Redis when the message of it is lost, but for what they have in memory', async () => {
    const [a, b] = await pair(false);
    const tag = randomUUID();
    await a.cache.set(things, tag, one, { ...minute, tags: [tag] });
    await a.cache.set(things, `${tag}b`, one, { ...minute, tags: [tag] });
    expect(await b.cache.get(things, tag)).toEqual(one);
    await a.cache.invalidate([tag]);
    expect(await a.cache.get(things, tag)).toBeNull();
    expect(await b.cache.get(things, `${tag}b`)).toBeNull();
    // Why an entry that must not be stale says so itself: see the beginning of cache.ts.
    expect(await b.cache.get(things, tag)).toEqual(one);
  });

  it('keep nothing in memory that was read while it was being withdrawn', async () => {
    const [a, b] = await pair(true);
    const client = new Client(server.url);
    try {
      const tag = randomUUID();
      await b.cache.set(things, tag, one, { ...minute, tags: [tag] });
      await client.client('PAUSE', 10_000, 'WRITE');
      const withdrawn = a.cache.invalidate([tag]);
      expect(await a.cache.get(things, tag)).toEqual(one);
      await client.client('UNPAUSE');
      await withdrawn;
      for (const { cache } of [a, b]) expect(await cache.get(things, tag)).toBeNull();
    } finally {
      await client.client('UNPAUSE');
      client.disconnect();
    }
  });

  it('leave of a tag no more than so many entries in Redis, each of which it can withdraw, and nothing when they have ended', async () => {
    const { cache } = await open({ url: server.url });
    const client = new Client(server.url);
    try {
      const tag = randomUUID();
      const index = `parley:cache-tag:${tag}`;
      // As 10,000 others have left it, that end later; and one that has ended.
      const others = Array.from({ length: 10_000 }, (_, at) => [Date.now() + 30_000 + at, `parley:cache:test.things:1:${tag}${at}`] as const);
      await client.zadd(index, ...others.flat(), Date.now() - 1, 'ended');
      const [soonest, , , last] = others as unknown as [(typeof others)[0], unknown, unknown, (typeof others)[0]];
      for (const [, id] of [soonest, last]) await client.set(id, '"other"', 'PX', 60_000);
      await cache.set(things, tag, one, { ...minute, tags: [tag] });
      expect(await client.zcard(index)).toBe(10_000);
      expect(await client.exists(soonest[1])).toBe(0);
      expect(await client.zscore(index, 'ended')).toBeNull();
      expect(await client.get(last[1])).toBe('"other"');
      await cache.invalidate([tag]);
      expect(await client.exists(index)).toBe(0);
      expect(await client.get(last[1])).toMatch(/^!/);
      expect(await cache.get(things, tag)).toBeNull();
      await cache.set(things, tag, one, { ttlSeconds: 0.2, tags: [tag] });
      expect(await client.pttl(index)).toBeLessThanOrEqual(200);
      await cache.set(things, `${tag}long`, one, { ttlSeconds: 50, tags: [tag] });
      await cache.set(things, `${tag}short`, one, { ttlSeconds: 1, tags: [tag] });
      expect(await client.pttl(index)).toBeGreaterThan(20_000);
      await cache.invalidate([tag]);
    } finally {
      client.disconnect();
    }
  });

  it('of two versions do not read each other', async () => {
    const [a, b] = await pair(true);
    const key = randomUUID();
    await a.cache.set(things, key, one, minute);
    expect(await b.cache.get({ ...things, version: 2 }, key)).toBeNull();
  });
});

describe('a Redis that dies in between', () => {
  let mortal: TestRedis;
  beforeAll(async () => {
    mortal = await startRedis();
  });
  afterAll(() => mortal.close());

  it('changes no answer, lets nobody wait, and serves again when it is back', async () => {
    const { cache, redis } = await open({ url: mortal.url });
    await cache.set(things, 'a', one, minute);
    await mortal.stop();
    const start = performance.now();
    for (let time = 0; time < 5; time++) {
      expect(await cache.get(things, 'a')).toEqual(one);
      await cache.set(things, 'b', two, minute);
      expect(await cache.get(things, 'b')).toEqual(two);
      expect(await cache.getOrLoad(things, `c${time}`, async () => one)).toEqual(one);
      await cache.delete(things, 'b');
      expect(await cache.get(things, 'b')).toBeNull();
    }
    // Less than the time of one command for 30 of them: nobody waited.
    expect(performance.now() - start).toBeLessThan(10_000);
    await mortal.start();
    await expect.poll(() => redis?.attempt((client) => client.ping())).toBe('PONG');
    await cache.set(things, 'd', one, minute);
    const other = await open({ url: mortal.url });
    expect(await other.cache.get(things, 'd')).toEqual(one);
  });

  it('and comes back with older values than ours brings none of them back', async () => {
    const { cache } = await open({ url: mortal.url });
    await cache.set(things, 'e', one, minute);
    const client = new Client(mortal.url);
    const stored = (await client.get('parley:cache:test.things:1:e')) as string;
    client.disconnect();
    await mortal.stop();
    await cache.delete(things, 'e');
    await mortal.start();
    const restorer = new Client(mortal.url);
    await restorer.set('parley:cache:test.things:1:e', stored, 'PX', 60_000);
    const seen: unknown[] = [];
    const read = async () => {
      seen.push(await cache.get(things, 'e'));
      return await restorer.get('parley:cache:test.things:1:e');
    };
    await expect.poll(read).not.toBe(stored);
    expect(await cache.get(things, 'e')).toBeNull();
    expect(seen.every((value) => value === null)).toBe(true);
    restorer.disconnect();
  });

  it('hears of what was withdrawn meanwhile when it is back, and is not believed before', async () => {
    const { cache, redis } = await open({ url: mortal.url });
    await cache.set(things, 'i', one, { ...minute, tags: ['t'] });
    await cache.set(things, 'j', two, { ...minute, tags: ['u'] });
    const dump = new Client(mortal.url);
    const stored = await Promise.all([dump.get('parley:cache:test.things:1:i'), dump.get('parley:cache:test.things:1:j')]);
    dump.disconnect();
    await mortal.stop();
    await expect.poll(() => redis?.attempt((client) => client.ping())).toBeNull();
    const start = performance.now();
    await cache.invalidate(['t', ...Array.from({ length: 500 }, (_, index) => `t${index}`)]);
    // Less than the time of one command for 501 tags.
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(await cache.get(things, 'i')).toBeNull();
    expect(await cache.get(things, 'j')).toEqual(two);
    // As if it had only been out of reach.
    await mortal.start();
    const client = new Client(mortal.url);
    for (const [index, key] of ['i', 'j'].entries()) {
      await client.set(`parley:cache:test.things:1:${key}`, stored[index] as string, 'PX', 60_000);
      await client.zadd(`parley:cache-tag:${key === 'i' ? 't' : 'u'}`, Date.now() + 60_000, `parley:cache:test.things:1:${key}`);
    }
    const seen: unknown[] = [];
    await expect
      .poll(async () => {
        seen.push(await cache.get(things, 'i'));
        return await client.get('parley:cache:test.things:1:i');
      })
      .toMatch(/^!/);
    expect(seen.every((value) => value === null)).toBe(true);
    const other = await open({ url: mortal.url });
    expect(await other.cache.get(things, 'i')).toBeNull();
    expect(await other.cache.get(things, 'j')).toEqual(two);
    client.disconnect();
  });

  it('and one that is silent is waited for no longer than a command may take', async () => {
    const commandTimeoutMs = 500;
    const { cache } = await open({ url: mortal.url, commandTimeoutMs });
    mortal.pause();
    try {
      // These come back although Redis never answers.
      expect(await cache.getOrLoad(things, 'f', async () => one)).toEqual(one);
      expect(await cache.get(things, 'f')).toEqual(one);
      await Promise.all(Array.from({ length: 5 }, (_, index) => cache.set(things, `g${index}`, two, minute)));
      const open = performance.now();
      for (let index = 0; index < 20; index++) expect(await cache.getOrLoad(things, `h${index}`, async () => two)).toEqual(two);
      // Not each of them waits: those that come after Redis is known to be silent do not, but for one that looks again now and then.
      expect(performance.now() - open).toBeLessThan(20 * commandTimeoutMs);
    } finally {
      mortal.resume();
    }
  });
});

it('kinds have names of their own and times to live', () => {
  expect(cacheKinds()).toContain(things as CacheKind<unknown>);
  expect(() => cacheKind<string>({ ...few })).toThrow('two kinds');
  expect(() => cacheKind<string>({ ...few, name: 'test.forever', ttlSeconds: Infinity })).toThrow(RangeError);
  // @ts-expect-error: a kind needs a time to live.
  expect(() => cacheKind<string>({ name: 'test.other', version: 1, maxEntries: 1, maxBytes: 10 })).toThrow(RangeError);
});
