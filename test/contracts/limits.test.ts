// What the counters of limits promise in one process, over instances with one Redis, and when that Redis dies.
import { randomUUID } from 'node:crypto';
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Config, RateLimitName } from '../../src/platform/config.ts';
import { RateLimitError } from '../../src/platform/errors.ts';
import { createLimits, subjectOf, type Limits } from '../../src/platform/limits.ts';
import { createLog } from '../../src/platform/log.ts';
import { createMetrics, type Metrics } from '../../src/platform/metrics.ts';
import { openRedis, type Redis } from '../../src/platform/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const numbers: Config['rateLimits'] = {
  register: { count: 10, seconds: 600 },
  login: { count: 3, seconds: 600 },
  send_message: { count: 2, seconds: 1 },
  chat_events: { count: 5, seconds: 600 },
  messages: null,
  test_provider: null,
  health: { count: 100, seconds: 600 },
  default_hour: { count: 2, seconds: 3600 },
  default_day: { count: 4, seconds: 86_400 },
};

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

interface Instance {
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly redis: Redis | null;
}
const opened: Redis[] = [];
afterEach(async () => {
  for (const redis of opened.splice(0)) await redis.close();
});

/** Without Redis, or with one that may take its time over a command: only where it falls silent somebody waits so long. */
async function open(url: string | null = null, commandTimeoutMs = 10_000): Promise<Instance> {
  const instanceId = randomUUID().slice(0, 8);
  const redis = url === null ? null : openRedis({ redis: { url, poolSize: 2, commandTimeoutMs }, instanceId }, createLog({ environment: 'test', logLevel: 'silent', instanceId }));
  if (redis) {
    opened.push(redis);
    // Each connection of the pool in turn.
    for (let connection = 0; connection < 2; connection++) await expect.poll(() => redis.attempt((client) => client.ping())).toBe('PONG');
  }
  const metrics = createMetrics({ process: false });
  return { limits: createLimits({ limits: numbers, redis, metrics }), metrics, redis };
}

/** The error that a call is refused with; fails when it passes. */
async function refusalOf(call: Promise<unknown>): Promise<RateLimitError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RateLimitError) return error;
  throw new Error('It was not refused.', { cause: error });
}

async function passed(calls: readonly Promise<unknown>[]): Promise<number> {
  const outcomes = await Promise.allSettled(calls);
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(RateLimitError);
  return outcomes.filter(({ status }) => status === 'fulfilled').length;
}

const setups: Record<string, () => Promise<Instance>> = {
  'in one process': () => open(),
  'with Redis': () => open(server.url),
  async 'with a Redis that has died'() {
    const mortal = await startRedis();
    const instance = await open(mortal.url);
    await mortal.close();
    return instance;
  },
};

describe.each(Object.entries(setups))('a limit %s', (_name, setup) => {
  it('lets as many pass as it says, then refuses with how long to wait', async () => {
    const { limits, metrics } = await setup();
    const subject = randomUUID();
    const before = Date.now();
    const first = await limits.consume('login', subject);
    expect(first).toEqual({ bucket: 'login', limit: 3, remaining: 2, used: 1, cost: 1, resetAt: expect.any(Date) });
    expect(Math.abs((first?.resetAt.getTime() ?? 0) - before - 600_000)).toBeLessThan(60_000);
    await limits.consume('login', subject, 2);
    const error = await refusalOf(limits.consume('login', subject));
    expect(error).toMatchObject({ code: 'RATE_LIMITED', field: null, limit: { bucket: 'login', limit: 3, remaining: 0, used: 3, cost: 1 } });
    expect(error.retryAfterSeconds).toBeGreaterThan(500);
    expect(error.retryAfterSeconds).toBeLessThanOrEqual(600);
    expect((await metrics.rateLimited.get()).values).toMatchObject([{ labels: { limit: 'login' }, value: 1 }]);
  });

  it('lets exactly 10 of 100 at the same time pass, when it is 10', async () => {
    const { limits } = await setup();
    const subject = randomUUID();
    expect(await passed(Array.from({ length: 100 }, () => limits.consume('register', subject)))).toBe(10);
  });

  it('counts each subject and each name for itself, and says where one stands without counting', async () => {
    const { limits } = await setup();
    const [one, other] = [randomUUID(), randomUUID()];
    expect(await limits.status('login', one)).toMatchObject({ used: 0, remaining: 3 });
    await limits.consume('login', one, 3);
    await refusalOf(limits.consume('login', one));
    for (let time = 0; time < 2; time++) expect(await limits.status('login', one)).toMatchObject({ bucket: 'login', used: 3, remaining: 0, cost: 1 });
    expect(await limits.consume('login', other)).toMatchObject({ used: 1 });
    expect(await limits.consume('register', one)).toMatchObject({ used: 1 });
  });

  it('begins anew when its window has ended', async () => {
    const { limits } = await setup();
    const subject = randomUUID();
    // All asked for in one breath, as the window is short: whichever comes last is refused.
    const outcomes = await Promise.allSettled(Array.from({ length: 3 }, () => limits.consume('send_message', subject)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refused).toMatchObject([{ code: 'RATE_LIMITED', retryAfterSeconds: 1 }]);
    await expect.poll(() => limits.consume('send_message', subject).then((status) => status?.used, () => null)).toBe(1);
  });

  it('that is off counts nothing', async () => {
    const { limits } = await setup();
    expect(await limits.consume('messages', 'anybody')).toBeNull();
    expect(await limits.status('messages', 'anybody')).toBeNull();
    await limits.consumeAll([{ name: 'messages', subject: 'anybody', cost: 1e6 }]);
  });

  it('that refuses takes nothing from the others that are asked with it', async () => {
    const { limits } = await setup();
    const subject = randomUUID();
    const both = (['default_hour', 'default_day'] as const).map((name) => ({ name, subject }));
    const used = async (name: RateLimitName) => (await limits.status(name, subject))?.used;
    await limits.consumeAll(both);
    await limits.consumeAll(both);
    for (let time = 0; time < 10; time++) expect((await refusalOf(limits.consumeAll(both))).limit.bucket).toBe('default_hour');
    // It is given back in the background.
    await expect.poll(() => used('default_day')).toBe(2);
    // The longest wait is told.
    await limits.consume('default_day', subject, 2);
    expect(await refusalOf(limits.consumeAll(both))).toMatchObject({ limit: { bucket: 'default_day' } });
  });
});

describe('two instances with one Redis', () => {
  it('count together', async () => {
    const [a, b] = [await open(server.url), await open(server.url)];
    const subject = randomUUID();
    const calls = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? a : b).limits.consume('register', subject));
    expect(await passed(calls)).toBe(10);
    expect(await a.limits.status('register', subject)).toMatchObject({ used: 10, remaining: 0 });
  });

  it('leave nothing in Redis that does not end', async () => {
    const { limits } = await open(server.url);
    await limits.consume('default_day', randomUUID());
    const client = new Client(server.url);
    try {
      const keys = await client.keys('parley:limit:*');
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) expect([key, (await client.pttl(key)) > 0]).toEqual([key, true]);
    } finally {
      client.disconnect();
    }
  });
});

describe('when Redis', () => {
  it('dies, each instance counts for itself; when it is back they count together again', async () => {
    const mortal = await startRedis();
    try {
      const [a, b] = [await open(mortal.url), await open(mortal.url)];
      const subject = randomUUID();
      await a.limits.consume('chat_events', subject, 5);
      await refusalOf(b.limits.consume('chat_events', subject));
      await mortal.stop();
      for (const { limits } of [a, b]) {
        expect(await passed(Array.from({ length: 50 }, () => limits.consume('chat_events', subject)))).toBe(5);
        expect(await limits.status('chat_events', subject)).toMatchObject({ remaining: 0 });
      }
      await mortal.start();
      for (const { redis } of [a, b]) {
        for (let connection = 0; connection < 2; connection++) await expect.poll(() => redis?.attempt((client) => client.ping())).toBe('PONG');
      }
      const other = randomUUID();
      await a.limits.consume('chat_events', other, 5);
      await refusalOf(b.limits.consume('chat_events', other));
    } finally {
      await mortal.close();
    }
  });

  it('falls silent, nobody waits longer than one command may take, and the limit holds', async () => {
    const silenceMs = 500;
    const mortal = await startRedis();
    const { limits } = await open(mortal.url, silenceMs);
    mortal.pause();
    try {
      const subject = randomUUID();
      const waits: number[] = [];
      const asked = performance.now();
      expect(await limits.status('default_hour', subject)).toMatchObject({ used: 0 });
      waits.push(performance.now() - asked);
      let through = 0;
      for (let round = 0; round < 6; round++) {
        const start = performance.now();
        through += await passed(Array.from({ length: 10 }, () => limits.consumeAll([{ name: 'default_hour', subject }, { name: 'default_day', subject }])));
        waits.push(performance.now() - start);
      }
      expect(through).toBe(2);
      // Once it is known to be silent nobody waits at all. Without a limit the first would never have come back.
      expect(Math.min(...waits)).toBeLessThan(silenceMs);
    } finally {
      mortal.resume();
      await mortal.close();
    }
  });
});

describe('who is counted', () => {
  it.each([
    ['a user, wherever from', 'default_hour', 'u1', '203.0.113.7', 'user:u1'],
    ['the address where accounts do not matter', 'login', 'u1', '203.0.113.7', 'address:203.0.113.7'],
    ['the address of a guest', 'default_hour', null, '203.0.113.7', 'address:203.0.113.7'],
    ['the IPv4 address inside an IPv6 one', 'login', null, '::ffff:203.0.113.7', 'address:203.0.113.7'],
    ['the network of an IPv6 address', 'login', null, '2001:DB8:0:7:1::9', 'address:2001:db8:0:7::/64'],
    ['the network of a short IPv6 address', 'login', null, '2001:db8::9', 'address:2001:db8:0:0::/64'],
    ['the network of an address with a zone', 'login', null, 'fe80::1%eth0', 'address:fe80:0:0:0::/64'],
    ['this machine', 'login', null, '::1', 'address:0:0:0:0::/64'],
    ['nobody in particular', 'login', null, null, 'address:unknown'],
  ] as const)('is %s', (_title, name, userId, address, subject) => {
    expect(subjectOf(name, userId, address)).toBe(subject);
  });
});
