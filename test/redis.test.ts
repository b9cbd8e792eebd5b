// The app with REDIS_URL: what /ready says of Redis, and that its absence stops and slows nothing.
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './support/app.ts';
import { startProxy, type Proxy } from './support/proxy.ts';
import { startRedis, type TestRedis } from './support/redis.ts';

const soon = { timeout: 20_000 };

let server: TestRedis;
let proxy: Proxy;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startProxy(server.url);
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

const started: TestApp[] = [];
afterEach(async () => {
  await proxy.restore();
  for (const parley of started.splice(0)) await parley.close();
});

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const parley = await createTestApp({ REDIS_URL: proxy.url, ...env });
  started.push(parley);
  return parley;
}

/** The answer of /ready, its components by name. */
async function ready(parley: TestApp): Promise<{ httpStatus: number; status: string; redis: unknown; bus: unknown }> {
  const response = await fetch(`${parley.url}/ready`);
  const { status, components } = (await response.json()) as { status: string; components: { name: string }[] };
  const [redis, bus] = ['redis', 'bus'].map((name) => components.find((component) => component.name === name));
  return { httpStatus: response.status, status, redis, bus };
}

const well = { httpStatus: 200, status: 'ok', redis: { name: 'redis', state: 'OK', latencyMs: expect.any(Number), message: null } };
const without = {
  httpStatus: 200,
  status: 'degraded',
  redis: { name: 'redis', state: 'DEGRADED', latencyMs: null, message: expect.stringContaining('does not answer') },
  bus: { name: 'bus', state: 'DEGRADED', latencyMs: null, message: expect.stringContaining('isolated') },
};
const alone = { ...well, bus: expect.objectContaining({ state: 'OK', message: 'solitary' }) };

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

describe('/ready', () => {
  it('names Redis and the bus, alone and with another instance', async () => {
    const a = await start();
    await expect.poll(() => ready(a), soon).toEqual(alone);
    const b = await start();
    for (const parley of [a, b]) await expect.poll(() => ready(parley), soon).toEqual({ ...well, bus: expect.objectContaining({ state: 'OK', message: 'clustered' }) });
  });

  it('is degraded, and 200, while Redis is gone or silent, and does not wait for it', async () => {
    const parley = await start();
    await expect.poll(() => ready(parley), soon).toEqual(alone);
    await server.stop();
    await expect.poll(() => ready(parley), soon).toEqual(without);
    await server.start();
    await expect.poll(() => ready(parley), soon).toEqual(alone);
    proxy.blackhole(true);
    await expect.poll(() => ready(parley), soon).toEqual(without);
    // Not each of ten waits as long as a command may take.
    const commandMs = parley.app.config.redis.commandTimeoutMs;
    expect(await elapsed(async () => {
      for (let time = 0; time < 10; time++) await ready(parley);
    })).toBeLessThan(10 * commandMs);
    proxy.blackhole(false);
    await expect.poll(() => ready(parley), soon).toEqual(alone);
  });

  it('says nothing of Redis where none is configured', async () => {
    const parley = await createTestApp();
    started.push(parley);
    expect(await ready(parley)).toEqual({ httpStatus: 200, status: 'ok', redis: undefined, bus: expect.objectContaining({ state: 'OK', message: 'isolated' }) });
  });
});

describe('a start', () => {
  it.each([
    ['absent', () => proxy.refuse()],
    ['silent', () => proxy.blackhole(true)],
  ])('with a Redis that is %s does not wait for it, and finds it when it appears', async (_how, fault) => {
    fault();
    let parley!: TestApp;
    // A start takes a second or two, and nothing in it waits for Redis longer than for one command.
    expect(await elapsed(async () => (parley = await start()))).toBeLessThan(15_000);
    await parley.signUp();
    await expect.poll(() => ready(parley), soon).toEqual(without);
    await proxy.restore();
    await expect.poll(() => ready(parley), soon).toEqual(alone);
  });

  it('with a password that Redis refuses goes on without Redis', async () => {
    const locked = await startRedis();
    try {
      const admin = new Client(locked.url);
      await admin.config('SET', 'requirepass', 'sesame');
      admin.disconnect();
      for (const url of [locked.url, locked.url.replace('//', '//:wrong@')]) {
        await expect.poll(async () => ready(await start({ REDIS_URL: url })), soon).toEqual(without);
      }
      const parley = await start({ REDIS_URL: locked.url.replace('//', '//:sesame@') });
      await expect.poll(() => ready(parley), soon).toEqual(alone);
    } finally {
      for (const parley of started.splice(0)) await parley.close();
      await locked.close();
    }
  });
});
