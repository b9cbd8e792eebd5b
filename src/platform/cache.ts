// What was read once and may be needed again soon: in memory first, in Redis behind it, always for a limited time. A cache
// is never a second truth: it may be empty at any moment, and the message that withdraws an entry may be lost. So an entry
// that must not be stale carries, in its key or its value, what its reader holds against the rows.
//
// An entry may carry tags, such as "document:ID", by which all that was made from something is withdrawn at once. In memory
// they are an index of the entries that are there. In Redis each tag has a sorted set of its entries' keys by the time when
// they end; it ends with the last of them, and holds so many at most: an older entry is given up for a newer one, so that
// none is without its place in the index.
import { createHash, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { topic, type Bus } from './bus.ts';
import type { Metrics } from './metrics.ts';
import type { Redis, RedisClient } from './redis.ts';

/** A kind of cached values. `V` is plain JSON: texts, numbers, truth values, null, lists and records of them; bytes as base64. */
export interface CacheKind<V> {
  readonly name: string;
  /** Raised whenever the shape of the values changes, so that instances of two versions never read each other's. */
  readonly version: number;
  /** The longest that a value may live, in seconds. */
  readonly ttlSeconds: number;
  /** Bounds of the memory of one instance. A value of more than a tenth of `maxBytes` is not kept anywhere. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Never set: carries the type. */
  readonly shape?: V;
}

/** How long a value may be served (longer than its kind allows is shortened to that), and what withdraws it before. */
export interface Lifetime {
  readonly ttlSeconds: number;
  /** At most `maxTags`. */
  readonly tags?: readonly string[];
}

/** Tags of one entry. */
export const maxTags = 100;

export interface Cache {
  /** A copy of the value; null when neither layer has it. */
  get<V>(kind: CacheKind<V>, key: string): Promise<V | null>;
  /** Puts a value in both layers and takes an older one out of the memory of all other instances. */
  set<V>(kind: CacheKind<V>, key: string, value: NoInfer<V>, lifetime: Lifetime): Promise<void>;
  /**
   * The value, loaded when no layer has it; callers who come meanwhile wait for the same load. Null is not kept. What was
   * loaded before a `delete` is not put back after it.
   */
  getOrLoad<V>(kind: CacheKind<V>, key: string, load: () => Promise<NoInfer<V> | null>): Promise<V | null>;
  /** Withdraws a value here, in Redis and from the memory of all other instances. */
  delete<V>(kind: CacheKind<V>, key: string): Promise<void>;
  /**
   * Withdraws all values that were set with any of these tags, of all kinds, here, in Redis and from the memory of all other
   * instances. What Redis did not hear of for now is not served here, and withdrawn there once it answers.
   */
  invalidate(tags: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface CacheParts {
  /** Null: memory only. */
  readonly redis: Redis | null;
  readonly bus: Bus;
  readonly metrics: Pick<Metrics, 'cacheLookups'>;
  readonly instanceId: string;
}

const kinds = new Map<string, CacheKind<unknown>>();

/** Names a kind of values; two kinds cannot share a name, as they would share keys. */
export function cacheKind<V>(kind: Omit<CacheKind<V>, 'shape'>): CacheKind<V> {
  if (kinds.has(kind.name)) throw new TypeError(`There are two kinds of cached values named "${kind.name}".`);
  if (!(kind.ttlSeconds > 0 && Number.isFinite(kind.ttlSeconds))) throw new RangeError(`"${kind.name}" needs a time to live.`);
  kinds.set(kind.name, kind);
  return kind;
}

/** A key that is everything a value follows from: equal parts make equal keys. */
export function keyFrom(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/** Every kind of this program, in the order of naming. */
export function cacheKinds(): readonly CacheKind<unknown>[] {
  return [...kinds.values()];
}

/** An entry that changed; memories elsewhere must forget it. */
const withdrawn = topic<{ readonly from: string; readonly kind: string; readonly id: string }>('platform.cache');
/** Tags whose entries changed; the same. */
const tagsWithdrawn = topic<{ readonly from: string; readonly tags: readonly string[] }>('platform.cache.tags');
const everyInstance = 'all';

/** A deleted key is marked for so long; a load that began before and took longer is not kept. */
const markMs = 60_000;
/** How a mark begins; no JSON does. */
const markSign = '!';
/** Stores ARGV[2] for ARGV[3] ms, unless what stands there is no longer ARGV[1] ('' for nothing). */
const storeIfUnchanged = `if (redis.call('get', KEYS[1]) or '') == ARGV[1] then redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0`;

/** Before the value of an entry with tags stand this, the tags as JSON, and the end of the line. No JSON begins so. */
const tagSign = '#';
/** Entries of one tag in Redis. */
const maxTagged = 10_000;
/** Entries that one command withdraws: about a millisecond of Redis' time. */
const withdrawnAtOnce = 500;
/** Tags that one message names. */
const tagsPerMessage = 100;
/** Stores ARGV[1] under KEYS[1] for ARGV[2] ms, and its key with the tags whose sets are the other KEYS, ARGV[3] at most in each. */
const storeTagged = `
  redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
  local time, ttl = redis.call('time'), tonumber(ARGV[2])
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for at = 2, #KEYS do
    local tag = KEYS[at]
    redis.call('zremrangebyscore', tag, '-inf', now)
    redis.call('zadd', tag, now + ttl, KEYS[1])
    local over = redis.call('zcard', tag) - tonumber(ARGV[3])
    if over > 0 then
      for index, member in ipairs(redis.call('zpopmin', tag, over)) do if index % 2 == 1 then redis.call('unlink', member) end end
    end
    if redis.call('pttl', tag) < ttl then redis.call('pexpire', tag, ttl) end
  end
  return 1`;
/** Marks ARGV[3] of the entries of the tag KEYS[1] with ARGV[1] for ARGV[2] ms; returns how many are left. */
const withdrawTagged = `
  for index, member in ipairs(redis.call('zpopmin', KEYS[1], ARGV[3])) do
    if index % 2 == 1 then redis.call('set', member, ARGV[1], 'PX', ARGV[2], 'XX') end
  end
  return redis.call('zcard', KEYS[1])`;

/** What stands in Redis under a key: a value, or nothing or a mark, as `seen`. */
type Found = { readonly text: string; readonly ttlMs: number } | { readonly text: null; readonly seen: string };

/** Opens the cache of one instance. Values are kept as text in both layers, so that every reader gets a copy of its own. */
export async function openCache({ redis, bus, metrics, instanceId }: CacheParts): Promise<Cache> {
  const memories = new Map<string, LRUCache<string, string>>();
  /** One token per key that is being read or loaded; without its token the result is not kept, as something has changed. */
  const flights = new Map<string, object>();
  const loads = new Map<string, Promise<string | null>>();
  const writes = new Map<string, Promise<unknown>>();
  /** Keys whose last write did not reach Redis: what stands there is older than what we know. */
  const unsettled = new LRUCache<string, true>({ max: 10_000 });
  /** Tags whose withdrawal did not reach Redis. */
  const unsettledTags = new LRUCache<string, true>({ max: 10_000 });
  /** The kind of each entry in memory by its key, by tag. */
  const tagged = new Map<string, Map<string, string>>();
  /** When a tag was last withdrawn: what was read from Redis before may be older. */
  const tagsWithdrawnAt = new LRUCache<string, number>({ max: 10_000 });
  let settling: Promise<void> | null = null;

  function memoryOf(kind: CacheKind<unknown>): LRUCache<string, string> {
    let memory = memories.get(kind.name);
    if (!memory) {
      memory = new LRUCache({ max: kind.maxEntries, maxSize: kind.maxBytes, sizeCalculation: (text) => Buffer.byteLength(text) || 1, dispose: (text, id) => untag(id, tagsOf(text)) });
      memories.set(kind.name, memory);
    }
    return memory;
  }

  function keepInMemory(kind: CacheKind<unknown>, id: string, text: string, ttlMs: number): void {
    memoryOf(kind).set(id, text, { ttl: ttlMs });
    for (const tag of tagsOf(text)) {
      const entries = tagged.get(tag) ?? new Map<string, string>();
      tagged.set(tag, entries.set(id, kind.name));
    }
  }

  function untag(id: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const entries = tagged.get(tag);
      entries?.delete(id);
      if (entries?.size === 0) tagged.delete(tag);
    }
  }

  function forgetTags(tags: readonly string[]): void {
    for (const tag of tags) {
      tagsWithdrawnAt.set(tag, performance.now());
      for (const [id, kind] of tagged.get(tag) ?? []) forget(kind, id);
    }
  }

  function forget(kind: string, id: string): void {
    memories.get(kind)?.delete(id);
    flights.delete(id);
    loads.delete(id);
  }

  function takeOff(id: string): object {
    const flight = flights.get(id) ?? {};
    flights.set(id, flight);
    return flight;
  }

  function fromMemory(kind: CacheKind<unknown>, id: string): string | null {
    const text = memoryOf(kind).get(id) ?? null;
    metrics.cacheLookups.inc({ kind: kind.name, layer: 'memory', outcome: text === null ? 'miss' : 'hit' });
    return text;
  }

  /**
   * Writes to one key happen in the order in which they were asked for, whichever connections carry them. True when what
   * Redis held before may have been read meanwhile and no later write decides.
   */
  async function write(id: string, work: (client: RedisClient) => Promise<unknown>): Promise<boolean> {
    if (!redis) return false;
    const before = writes.get(id);
    const mine = (async () => {
      await before;
      return await redis.attempt(work);
    })();
    writes.set(id, mine);
    if ((await mine) !== null) unsettled.delete(id);
    else unsettled.set(id, true);
    return writes.get(id) === mine && writes.delete(id);
  }

  const mark = (id: string): Promise<boolean> => write(id, (client) => client.set(id, newMark(), 'PX', markMs));

  /** Withdraws the entries of tags in Redis; from the first of which it does not hear on, they are unsettled. */
  async function withdraw(tags: readonly string[]): Promise<void> {
    if (!redis) return;
    // What was set before is to be found there.
    await Promise.all(writes.values());
    let answers = true;
    for (const tag of tags) {
      // What others add all the time is newer.
      for (let left = maxTagged; answers && left > 0; left -= withdrawnAtOnce) {
        const rest = await redis.attempt((client) => client.eval(withdrawTagged, 1, tagKey(tag), newMark(), markMs, withdrawnAtOnce) as Promise<number>);
        answers = rest !== null;
        if (rest === 0) break;
      }
      if (answers) unsettledTags.delete(tag);
      else unsettledTags.set(tag, true);
    }
  }

  /** Withdraws what Redis has not heard of yet. Nobody waits: until then it is not believed. */
  function settleTags(): void {
    if (unsettledTags.size > 0) settling ??= withdraw([...unsettledTags.keys()]).finally(() => (settling = null));
  }

  /** What Redis holds; null when it does not answer, or cannot be believed. */
  async function fromRedis(kind: CacheKind<unknown>, id: string): Promise<Found | null> {
    if (!redis) return null;
    if (unsettled.has(id)) await mark(id);
    if (unsettled.has(id)) return null;
    settleTags();
    const found = await redis.attempt(async (client): Promise<Found> => {
      const [[failure, text], [, ttlMs]] = (await client.pipeline().get(id).pttl(id).exec()) as [[Error | null, string | null], [Error | null, number]];
      if (failure) throw failure;
      const isThere = text !== null && !text.startsWith(markSign) && ttlMs > 0 && !tagsOf(text).some((tag) => unsettledTags.has(tag));
      return isThere ? { text, ttlMs } : { text: null, seen: text ?? '' };
    });
    if (found) metrics.cacheLookups.inc({ kind: kind.name, layer: 'redis', outcome: found.text === null ? 'miss' : 'hit' });
    return found;
  }

  /** The text behind the memory, loaded when there is none; without `load` only looked for. */
  async function fetch(kind: CacheKind<unknown>, id: string, load: () => Promise<unknown>): Promise<string | null> {
    const start = performance.now();
    const flight = takeOff(id);
    try {
      const found = await fromRedis(kind, id);
      if (found && found.text !== null) {
        const isCurrent = flights.get(id) === flight && !tagsOf(found.text).some((tag) => (tagsWithdrawnAt.get(tag) ?? 0) >= start);
        if (isCurrent) keepInMemory(kind, id, found.text, found.ttlMs);
        return found.text;
      }
      const value = await load();
      if (value === null) return null;
      const text = textOf(value);
      if (tooLarge(kind, text) || performance.now() - start > markMs) return text;
      const ttlMs = kind.ttlSeconds * 1000;
      const kept = found && redis ? await redis.attempt((client) => client.eval(storeIfUnchanged, 1, id, found.seen, text, ttlMs)) : null;
      if (kept !== 0 && flights.get(id) === flight) keepInMemory(kind, id, text, ttlMs);
      return text;
    } finally {
      if (flights.get(id) === flight) flights.delete(id);
    }
  }

  const cache: Cache = {
    async get<V>(kind: CacheKind<V>, key: string) {
      const id = idOf(kind, key);
      const text = fromMemory(kind, id) ?? (redis ? await fetch(kind, id, async () => null) : null);
      return text === null ? null : (valueOf(text) as V);
    },
    async set(kind, key, value, { ttlSeconds, tags = [] }) {
      if (!(ttlSeconds > 0)) throw new RangeError(`A value of "${kind.name}" cannot live for ${ttlSeconds} seconds.`);
      if (tags.length > maxTags) throw new RangeError(`A value of "${kind.name}" has ${tags.length} tags; at most ${maxTags} are kept.`);
      const text = tags.length === 0 ? textOf(value) : `${tagSign}${JSON.stringify(tags)}\n${textOf(value)}`;
      if (tooLarge(kind, text)) return await cache.delete(kind, key);
      const id = idOf(kind, key);
      const ttlMs = Math.ceil(Math.min(ttlSeconds, kind.ttlSeconds) * 1000);
      forget(kind.name, id);
      keepInMemory(kind, id, text, ttlMs);
      const decided = await write(id, (client) =>
        tags.length === 0 ? client.set(id, text, 'PX', ttlMs) : client.eval(storeTagged, 1 + tags.length, id, ...tags.map(tagKey), text, ttlMs, maxTagged));
      // Whoever read Redis before it was written must not keep what it held.
      if (decided && memoryOf(kind).peek(id) !== text) forget(kind.name, id);
      flights.delete(id);
      bus.publish(withdrawn, everyInstance, { from: instanceId, kind: kind.name, id });
    },
    async getOrLoad<V>(kind: CacheKind<V>, key: string, load: () => Promise<V | null>) {
      const id = idOf(kind, key);
      let text = fromMemory(kind, id);
      if (text === null) {
        let loading = loads.get(id);
        if (!loading) {
          loading = fetch(kind, id, load);
          loads.set(id, loading);
          const done = (): void => {
            if (loads.get(id) === loading) loads.delete(id);
          };
          loading.then(done, done);
        }
        text = await loading;
      }
      return text === null ? null : (valueOf(text) as V);
    },
    async delete(kind, key) {
      const id = idOf(kind, key);
      forget(kind.name, id);
      // Whoever read Redis before it was marked must not keep what it held.
      if (await mark(id)) forget(kind.name, id);
      bus.publish(withdrawn, everyInstance, { from: instanceId, kind: kind.name, id });
    },
    async invalidate(tags) {
      const distinct = [...new Set(tags)];
      forgetTags(distinct);
      await withdraw(distinct);
      // Whoever read Redis meanwhile must not keep what it held, here and elsewhere.
      forgetTags(distinct);
      for (let at = 0; at < distinct.length; at += tagsPerMessage) {
        bus.publish(tagsWithdrawn, everyInstance, { from: instanceId, tags: distinct.slice(at, at + tagsPerMessage) });
      }
    },
    async close() {
      for (const end of subscriptions) await end();
    },
  };
  const subscriptions = [
    await bus.subscribe(withdrawn, everyInstance, ({ from, kind, id }) => {
      if (from !== instanceId) forget(kind, id);
    }),
    await bus.subscribe(tagsWithdrawn, everyInstance, ({ from, tags }) => {
      if (from !== instanceId) forgetTags(tags);
    }),
  ];
  return cache;
}

function idOf(kind: CacheKind<unknown>, key: string): string {
  return `parley:cache:${kind.name}:${kind.version}:${key}`;
}

function tagKey(tag: string): string {
  return `parley:cache-tag:${tag}`;
}

function newMark(): string {
  return `${markSign}${randomUUID()}`;
}

function tagsOf(text: string): readonly string[] {
  return text.startsWith(tagSign) ? (JSON.parse(text.slice(tagSign.length, text.indexOf('\n'))) as string[]) : [];
}

function valueOf(text: string): unknown {
  return JSON.parse(text.startsWith(tagSign) ? text.slice(text.indexOf('\n') + 1) : text);
}

function textOf(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('Only what JSON can say can be cached.');
  return text;
}

function tooLarge(kind: CacheKind<unknown>, text: string): boolean {
  return Buffer.byteLength(text) > kind.maxBytes / 10;
}
