// What circuits promise in one process, over instances with one Redis, and when that Redis dies.
import { randomUUID } from 'node:crypto';
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCircuits, type Circuits, type CircuitRules, type Pass } from '../../src/models/circuits.ts';
import { createLog } from '../../src/platform/log.ts';
import { openRedis, type Redis } from '../../src/platform/redis.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const rules: CircuitRules = { failures: 3, openMs: 60_000, maxOpenMs: 200_000, probeMs: 30_000 };

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

const opened: Redis[] = [];
afterEach(async () => {
  for (const redis of opened.splice(0)) await redis.close();
});

async function connect(url: string, commandTimeoutMs = 10_000): Promise<Redis> {
  const instanceId = randomUUID().slice(0, 8);
  const redis = openRedis({ redis: { url, poolSize: 2, commandTimeoutMs }, instanceId }, createLog({ environment: 'test', logLevel: 'silent', instanceId }));
  opened.push(redis);
  await ready(redis);
  return redis;
}

/** Each connection of the pool answers. */
async function ready(redis: Redis): Promise<void> {
  for (let connection = 0; connection < 2; connection++) await expect.poll(() => redis.attempt((client) => client.ping())).toBe('PONG');
}

interface Setup {
  /** Two instances, which are one where there is no Redis. */
  readonly circuits: readonly [Circuits, Circuits];
  /** Labels of those that opened. */
  readonly opens: string[];
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
}

/** Time passes in a Redis when all that it keeps lies further back. */
async function turnBack(ms: number): Promise<void> {
  const client = new Client(server.url);
  try {
    for (const key of await client.keys('parley:circuit:*')) {
      const row = JSON.parse((await client.get(key)) as string) as { openUntil: number | null; probe: { until: number } | null };
      if (row.openUntil !== null) row.openUntil -= ms;
      if (row.probe !== null) row.probe.until -= ms;
      await client.set(key, JSON.stringify(row), 'KEEPTTL');
    }
  } finally {
    client.disconnect();
  }
}

const setups: Record<string, () => Promise<Setup>> = {
  async 'in one process'() {
    let time = 1_000_000;
    const opens: string[] = [];
    const circuits = createCircuits({ redis: null, rules, onOpen: (label) => opens.push(label), now: () => time });
    return { circuits: [circuits, circuits], opens, pass: async (ms) => void (time += ms) };
  },
  async 'of two instances with Redis'() {
    const opens: string[] = [];
    // Its clock is of no account.
    const open = async () => createCircuits({ redis: await connect(server.url), rules, onOpen: (label) => opens.push(label), now: () => Number.NaN });
    return { circuits: [await open(), await open()], opens, pass: turnBack };
  },
  async 'with a Redis that has died'() {
    const mortal = await startRedis();
    const redis = await connect(mortal.url);
    await mortal.close();
    let time = 1_000_000;
    const opens: string[] = [];
    const circuits = createCircuits({ redis, rules, onOpen: (label) => opens.push(label), now: () => time });
    return { circuits: [circuits, circuits], opens, pass: async (ms) => void (time += ms) };
  },
};

async function enter(circuits: Circuits, key: string): Promise<Pass> {
  const pass = await circuits.enter(key, 'a model');
  if ('retryAfterMs' in pass) throw new Error(`It is closed for ${pass.retryAfterMs} ms.`);
  return pass;
}

async function fail(circuits: Circuits, key: string, times = 1): Promise<void> {
  for (let time = 0; time < times; time++) await (await enter(circuits, key)).failed();
}

/** The passes among many that ask at once. */
async function rush(circuits: readonly Circuits[], key: string, count = 20): Promise<Pass[]> {
  const asked = await Promise.all(Array.from({ length: count }, (_, index) => (circuits[index % circuits.length] as Circuits).enter(key)));
  return asked.flatMap((pass) => ('retryAfterMs' in pass ? [] : [pass]));
}

describe.each(Object.entries(setups))('a circuit %s', (_name, setup) => {
  it('opens after so many failures in a row, seen by all, and says how long it is open', async () => {
    const { circuits: [one, other], opens } = await setup();
    const key = randomUUID();
    await fail(one, key, 2);
    expect(await other.state(key)).toBe('CLOSED');
    expect(opens).toEqual([]);
    await fail(other, key);
    expect([await one.state(key), await other.state(key)]).toEqual(['OPEN', 'OPEN']);
    expect(opens).toEqual(['a model']);
    const refusal = (await one.enter(key)) as { retryAfterMs: number };
    expect(refusal.retryAfterMs).toBeGreaterThan(rules.openMs - 20_000);
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(rules.openMs);
    expect(await rush([one, other], key)).toEqual([]);
    expect(await one.state(randomUUID())).toBe('CLOSED');
  });

  it('counts failures anew after a success, also of a call that began before them', async () => {
    const { circuits: [one, other], opens } = await setup();
    const key = randomUUID();
    const early = await enter(other, key);
    await fail(one, key, 2);
    await early.succeeded();
    await fail(other, key, 2);
    expect(await one.state(key)).toBe('CLOSED');
    await fail(one, key);
    expect(opens).toHaveLength(1);
  });

  it('counts failures that come at the same time one by one', async () => {
    const { circuits, opens } = await setup();
    const key = randomUUID();
    const passes = await rush(circuits, key);
    expect(passes).toHaveLength(20);
    await Promise.all(passes.slice(0, 2).map((pass) => pass.failed()));
    expect(await circuits[0].state(key)).toBe('CLOSED');
    await Promise.all(passes.slice(2).map((pass) => pass.failed()));
    expect(await circuits[0].state(key)).toBe('OPEN');
    expect(opens).toHaveLength(1);
  });

  it('lets one of 20 probe when its time is over, and all when that begins to answer', async () => {
    const { circuits, pass } = await setup();
    const key = randomUUID();
    await fail(circuits[0], key, 3);
    await pass(rules.openMs);
    expect(await circuits[1].state(key)).toBe('HALF_OPEN');
    const [probe, ...others] = await rush(circuits, key);
    expect(others).toEqual([]);
    expect(await rush(circuits, key)).toEqual([]);
    await probe?.answered();
    expect(await circuits[1].state(key)).toBe('CLOSED');
    expect(await rush(circuits, key)).toHaveLength(20);
  });

  it('opens for twice as long when a probe fails, up to a bound, and for its first time after a success', async () => {
    const { circuits: [one, other], opens, pass } = await setup();
    const key = randomUUID();
    await fail(one, key, 3);
    for (const openMs of [60_000, 120_000, 200_000, 200_000]) {
      await pass(openMs - 30_000);
      expect(await rush([one, other], key)).toEqual([]);
      await pass(30_000);
      await fail(other, key);
    }
    expect(opens).toHaveLength(5);
    await pass(200_000);
    const probe = await enter(one, key);
    // Not waited for: what is said counts in its order.
    void probe.answered();
    await probe.succeeded();
    // It takes as many failures as at first.
    await fail(one, key, 2);
    expect(await one.state(key)).toBe('CLOSED');
    await fail(one, key);
    await pass(60_000);
    expect(await rush([one, other], key)).toHaveLength(1);
  });

  it('opens at once, for longer, when a probe breaks off after it has begun', async () => {
    const { circuits, opens, pass } = await setup();
    const key = randomUUID();
    await fail(circuits[0], key, 3);
    await pass(60_000);
    const probe = await enter(circuits[0], key);
    void probe.answered();
    await probe.failed();
    expect(opens).toHaveLength(2);
    await pass(60_000);
    expect(await rush(circuits, key)).toEqual([]);
    await pass(60_000);
    expect(await rush(circuits, key)).toHaveLength(1);
  });

  it('lets another probe when one is given back', async () => {
    const { circuits, pass } = await setup();
    const key = randomUUID();
    await fail(circuits[0], key, 3);
    await pass(60_000);
    const probe = await enter(circuits[0], key);
    expect(await rush(circuits, key)).toEqual([]);
    await probe.left();
    expect(await rush(circuits, key)).toHaveLength(1);
  });

  it('lets another probe when one has died, and heeds the dead one no more', async () => {
    const { circuits, opens, pass } = await setup();
    const key = randomUUID();
    await fail(circuits[0], key, 3);
    await pass(60_000);
    const dead = await enter(circuits[0], key);
    await pass(rules.probeMs - 20_000);
    expect(await rush(circuits, key)).toEqual([]);
    await pass(20_000);
    const [probe, ...others] = await rush(circuits, key);
    expect(others).toEqual([]);
    await dead.failed();
    await dead.left();
    expect(opens).toHaveLength(1);
    expect(await rush(circuits, key)).toEqual([]);
    await probe?.succeeded();
    expect(await circuits[0].state(key)).toBe('CLOSED');
  });

  it('heeds nothing of calls that began before it opened', async () => {
    const { circuits, opens, pass } = await setup();
    const key = randomUUID();
    const early = await rush(circuits, key, 5);
    await fail(circuits[0], key, 3);
    await early[0]?.succeeded();
    await early[1]?.left();
    await Promise.all(early.slice(2).map((each) => each.failed()));
    expect(opens).toHaveLength(1);
    expect(await circuits[1].state(key)).toBe('OPEN');
    await pass(60_000);
    expect(await rush(circuits, key)).toHaveLength(1);
  });

  it('is not moved by calls that were given up', async () => {
    const { circuits, opens } = await setup();
    const key = randomUUID();
    await fail(circuits[0], key, 2);
    for (const pass of await rush(circuits, key)) await pass.left();
    expect(opens).toEqual([]);
    await fail(circuits[1], key);
    expect(opens).toHaveLength(1);
  });
});

describe('circuits with Redis', () => {
  it('leave nothing there that does not end, and nothing at all of a model that answers', async () => {
    const circuits = createCircuits({ redis: await connect(server.url), rules });
    const [open, well] = [randomUUID(), randomUUID()];
    await fail(circuits, open, 3);
    await fail(circuits, well, 2);
    await (await enter(circuits, well)).succeeded();
    const client = new Client(server.url);
    try {
      expect(await client.exists(`parley:circuit:${well}`)).toBe(0);
      expect(await client.pttl(`parley:circuit:${open}`)).toBeGreaterThan(rules.maxOpenMs);
    } finally {
      client.disconnect();
    }
  });

  it('read nothing that another version wrote', async () => {
    const circuits = createCircuits({ redis: await connect(server.url), rules });
    const key = randomUUID();
    const client = new Client(server.url);
    try {
      await client.set(`parley:circuit:${key}`, 'no JSON');
      await fail(circuits, key, 3);
      expect(await circuits.state(key)).toBe('OPEN');
    } finally {
      client.disconnect();
    }
  });

  it('are each instance\'s own while it is away, and shared when it is back', async () => {
    const mortal = await startRedis();
    try {
      const [a, b] = [await connect(mortal.url), await connect(mortal.url)];
      const [one, other] = [createCircuits({ redis: a, rules }), createCircuits({ redis: b, rules })];
      const key = randomUUID();
      await mortal.stop();
      await fail(one, key, 3);
      expect([await one.state(key), await other.state(key)]).toEqual(['OPEN', 'CLOSED']);
      await mortal.start();
      await Promise.all([ready(a), ready(b)]);
      await fail(one, key, 3);
      expect([await one.state(key), await other.state(key)]).toEqual(['OPEN', 'OPEN']);
    } finally {
      await mortal.close();
    }
  });

  it('keep nobody waiting for longer than a command may take', async () => {
    const mortal = await startRedis();
    const circuits = createCircuits({ redis: await connect(mortal.url, 500), rules });
    mortal.pause();
    try {
      const key = randomUUID();
      // Each comes back although Redis never answers.
      await fail(circuits, key, 3);
      expect(await circuits.state(key)).toBe('OPEN');
    } finally {
      mortal.resume();
      await mortal.close();
    }
  });
});
