// What the bus over Redis promises beyond what every bus does (test/contracts/bus.test.ts): how little it asks of Redis, and
// how it fares when Redis is slow, silent, gone, or says what nobody understands.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { sessionStream, type StreamMessage } from '../../src/chat/events.ts';
import { topic, type Bus } from '../../src/platform/bus.ts';
import { openTestBus, type TestBus } from '../support/bus.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const news = topic<string>('test.news');
const pieces = topic<number>('test.pieces', { isBulk: () => true });
const soon = { timeout: 25_000, interval: 10 };

let server: TestRedis;
let proxy: Proxy;
let admin: Client;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startProxy(server.url);
  admin = new Client(server.url);
  admin.on('error', () => undefined);
});
afterAll(async () => {
  admin.disconnect();
  await proxy.close();
  await server.close();
});

const opened: Bus[] = [];
afterEach(async () => {
  await proxy.restore();
  await Promise.all(opened.splice(0).map((bus) => bus.close()));
});

function open(url = server.url, commandTimeoutMs?: number): TestBus {
  const bus = openTestBus(url, undefined, commandTimeoutMs);
  opened.push(bus);
  return bus;
}

/** Two instances that hear each other; the first behind the proxy. */
async function openPair(commandTimeoutMs?: number): Promise<[TestBus, TestBus]> {
  const pair: [TestBus, TestBus] = [open(proxy.url, commandTimeoutMs), open(undefined, commandTimeoutMs)];
  await expect.poll(() => pair.map((bus) => bus.health()), soon).toEqual(['clustered', 'clustered']);
  return pair;
}

/** Calls of a command that Redis has counted. */
async function calls(command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1] ?? 0);
}

/** Channels of a topic that are subscribed, with the number of their subscribers. */
async function subscribers(name: string): Promise<Record<string, number>> {
  const channels = (await admin.pubsub('CHANNELS', `*:${name}:*`)) as string[];
  const flat = channels.length === 0 ? [] : ((await admin.pubsub('NUMSUB', ...channels)) as (string | number)[]);
  return Object.fromEntries(channels.map((_, index) => [String(flat[2 * index]).split(':').at(-1), Number(flat[2 * index + 1])]));
}

/** Milliseconds of some work. */
async function elapsed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

describe('Redis is asked for little:', () => {
  it('one subscription per instance and key however many listen, from the first until the last', async () => {
    const [a, b] = await openPair();
    const before = await calls('subscribe');
    const stops = await Promise.all(Array.from({ length: 100 }, () => a.subscribe(news, 'x', () => undefined)));
    const stopOther = await b.subscribe(news, 'x', () => undefined);
    expect(await subscribers('test.news')).toEqual({ x: 2 });
    expect((await calls('subscribe')) - before).toBe(2);
    await stopOther();
    await Promise.all(stops.slice(1).map((stop) => stop()));
    await expect.poll(() => subscribers('test.news'), soon).toEqual({ x: 1 });
    await stops[0]?.();
    await expect.poll(() => subscribers('test.news'), soon).toEqual({});
  });

  it('what is published during a round trip goes in the next one', async () => {
    const [a, b] = await openPair();
    const heard: number[] = [];
    await b.subscribe(pieces, 'x', (piece) => heard.push(piece));
    const before = await calls('publish');
    for (let piece = 0; piece < 5_000; piece++) {
      a.publish(pieces, 'x', piece);
      if (piece % 100 === 0) await new Promise(setImmediate);
    }
    await expect.poll(() => heard.length, soon).toBe(5_000);
    // Beats of two instances are among them.
    expect((await calls('publish')) - before).toBeLessThan(500);
    await expect.poll(() => a.counted(), soon).toMatchObject({ 'out sent': 5_000 });
  });

  it('a message that comes alone leaves at once', async () => {
    const [a, b] = await openPair();
    const heard = Promise.withResolvers<void>();
    await b.subscribe(news, 'x', () => heard.resolve());
    // No timer has to run out before.
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] });
    try {
      a.publish(news, 'x', 'alone');
      await heard.promise;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('when much is to be sent', () => {
  it('news goes before the pieces of other keys, and never before those of its own', async () => {
    const mixed = topic<{ readonly piece?: number; readonly news?: string }>('test.mixed', { isBulk: (event) => event.news === undefined });
    const [a, b] = await openPair();
    const heard: string[] = [];
    for (const key of ['x', 'y', 'z']) await b.subscribe(mixed, key, (event) => heard.push(`${key} ${event.piece ?? event.news}`));
    a.publish(mixed, 'x', { piece: 0 });
    for (let piece = 1; piece <= 3; piece++) {
      a.publish(mixed, 'x', { piece });
      a.publish(mixed, 'y', { piece });
    }
    a.publish(mixed, 'z', { news: 'end' });
    a.publish(mixed, 'y', { news: 'end' });
    a.publish(mixed, 'y', { piece: 4 });
    await expect.poll(() => heard.length, soon).toBe(10);
    expect(heard).toEqual(['x 0', 'y 1', 'y 2', 'y 3', 'y end', 'y 4', 'z end', 'x 1', 'x 2', 'x 3']);
  });

  it('only so much waits: the oldest pieces are dropped and counted, news is not', async () => {
    const [a, b] = await openPair();
    const heard: number[] = [];
    let last = '';
    await b.subscribe(pieces, 'x', (piece) => heard.push(piece));
    await b.subscribe(news, 'x', (text) => (last = text));
    a.publish(news, 'x', 'first');
    a.publish(news, 'x', 'second');
    for (let piece = 0; piece < 20_000; piece++) a.publish(pieces, 'x', piece);
    await expect.poll(() => heard.at(-1), soon).toBe(19_999);
    expect(last).toBe('second');
    expect(heard).toEqual(Array.from({ length: 9_999 }, (_, index) => index + 10_001));
    await expect.poll(() => a.counted(), soon).toMatchObject({ 'out dropped': 10_001, 'out sent': 10_001 });
  });

  it('an event that is too large for a message stays here, and the next ones are sent', async () => {
    const [a, b] = await openPair();
    const heard: string[] = [];
    await b.subscribe(news, 'x', (text) => heard.push(text));
    a.publish(news, 'x', 'x'.repeat(600_000));
    a.publish(news, 'x', 'ü'.repeat(300_000));
    a.publish(news, 'x', 'small');
    await expect.poll(() => heard, soon).toEqual(['small']);
    await expect.poll(() => a.counted(), soon).toMatchObject({ 'out oversized': 2, 'out sent': 1 });
  });
});

describe('messages of others', () => {
  it('that are of another version, too large or no messages at all are ignored and counted', async () => {
    const [a, b] = await openPair();
    const heard: string[] = [];
    await a.subscribe(news, 'x', (text) => heard.push(text));
    const [channel] = (await admin.pubsub('CHANNELS', '*:test.news:x')) as [string];
    const good = { v: 1, from: 'somebody', events: ['good'] };
    await admin.publish(channel, JSON.stringify({ ...good, v: 2 }));
    await admin.publish(channel, JSON.stringify({ ...good, events: ['x'.repeat(1_100_000)] }));
    for (const junk of ['', 'junk', 'null', '7', '[]', '{}', '{"v":"1"}', '{"v":1,"events":"all"}', '{"v":1']) await admin.publish(channel, junk);
    // What bears its own name it does not even read.
    await admin.publish(channel, `{"v":1,"from":"${a.instanceId}",and this is not JSON`);
    await admin.publish(channel, JSON.stringify(good));
    b.publish(news, 'x', 'better');
    await expect.poll(() => heard, soon).toEqual(['good', 'better']);
    await expect.poll(() => a.counted(), soon).toEqual({ 'in unknown_version': 1, 'in oversized': 1, 'in junk': 9, 'in own': 1, 'in received': 2 });
  });

  it('that their topic cannot read hurt nobody', async () => {
    const dates = topic<{ readonly at: Date }>('test.dates', { revive: (json) => ({ at: new Date((json as { at: { time: string } }).at.time) }) });
    const [a, b] = await openPair();
    const heard: string[] = [];
    await b.subscribe(dates, 'x', () => heard.push('a date'));
    await b.subscribe(news, 'x', (text) => heard.push(text));
    a.publish(dates, 'x', {} as never);
    a.publish(news, 'x', 'still here');
    await expect.poll(() => heard, soon).toEqual(['still here']);
  });

  it('carry dates, and typing that lasts as long as it was to last by the clock of the sender', async () => {
    const [a, b] = await openPair();
    const heard: StreamMessage[] = [];
    await b.subscribe(sessionStream, 'x', (message) => heard.push(message));
    const occurredAt = new Date('2026-01-02T03:04:05.678Z');
    const events: StreamMessage = { type: 'events', events: [{ sequence: 1, type: 'MessageCreated', payload: { messageId: 'm' }, at: null, occurredAt }] };
    const [since, expiresAt] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:05Z')];
    a.publish(sessionStream, 'x', events);
    a.publish(sessionStream, 'x', { type: 'typing', userId: null, isTyping: true, since, expiresAt });
    await expect.poll(() => heard.length, soon).toBe(2);
    expect(heard[0]).toEqual(events);
    const typing = heard[1] as Extract<StreamMessage, { type: 'typing' }>;
    expect(+typing.expiresAt - +typing.since).toBe(5_000);
    expect(Math.abs(+typing.since - Date.now())).toBeLessThan(60_000);
  });
});

describe('a Redis that is', () => {
  /** How long a listener waits at most until Redis has its subscription, and anybody for a command. */
  const [subscribeMs, commandMs] = [250, 1_000];

  /** Neither way of the bus takes any time, and listeners here hear all the same. */
  async function expectNoWait(bus: Bus): Promise<void> {
    const heard: string[] = [];
    const stops: (() => Promise<void>)[] = [];
    const subscribing = await elapsed(async () => {
      for (let index = 0; index < 20; index++) stops.push(await bus.subscribe(news, `here ${index}`, (text) => heard.push(text)));
    });
    const publishing = await elapsed(() => {
      for (let index = 0; index < 1_000; index++) bus.publish(news, 'here 1', 'heard');
    });
    const ending = await elapsed(() => Promise.all(stops.map((stop) => stop())));
    expect(heard).toHaveLength(1_000);
    // One listener may have waited, and found out; if each did, it would be 20 times as long.
    expect(subscribing).toBeLessThan(20 * subscribeMs);
    // Less than the time of one command for a thousand of them.
    expect(publishing).toBeLessThan(commandMs);
    expect(ending).toBeLessThan(commandMs);
  }

  /** Both hear each other on the keys given, old and new. */
  async function expectExchange(a: Bus, b: Bus, heard: string[]): Promise<void> {
    heard.length = 0;
    a.publish(news, 'x', 'again');
    await expect.poll(() => heard, soon).toEqual(['again']);
    const back: string[] = [];
    const stop = await a.subscribe(news, 'new', (text) => back.push(text));
    b.publish(news, 'new', 'and back');
    await expect.poll(() => back, soon).toEqual(['and back']);
    await stop();
  }

  it('killed and started again is found by itself, with all subscriptions', async () => {
    const [a, b] = await openPair();
    const heard: string[] = [];
    await b.subscribe(news, 'x', (text) => heard.push(text));
    const stop = await a.subscribe(news, 'y', () => undefined);
    await server.stop();
    await expect.poll(() => [a.health(), b.health()], soon).toEqual(['isolated', 'isolated']);
    await expectNoWait(a);
    // What ends and begins meanwhile is known when it is back.
    await stop();
    await a.subscribe(news, 'z', () => undefined);
    await server.start();
    await expect.poll(() => [a.health(), b.health()], soon).toEqual(['clustered', 'clustered']);
    await expect.poll(() => subscribers('test.news'), soon).toEqual({ x: 1, z: 1 });
    await expectExchange(a, b, heard);
    const { 'out unsent': unsent = 0, 'out failed': failed = 0 } = await a.counted();
    expect(unsent + failed).toBe(1_000);
  });

  it('silent while connections stay open is noticed, and found again', async () => {
    const [a, b] = await openPair();
    const heard: string[] = [];
    await b.subscribe(news, 'x', (text) => heard.push(text));
    proxy.blackhole(true);
    await expectNoWait(a);
    // By beats that go unheard: after how long is the pulse's (bus-queue.test.ts), whose clock a test can turn.
    await expect.poll(() => a.health(), soon).toBe('isolated');
    await expectNoWait(a);
    await expect.poll(() => b.health(), soon).toBe('solitary');
    proxy.blackhole(false);
    await expect.poll(() => [a.health(), b.health()], soon).toEqual(['clustered', 'clustered']);
    await expectExchange(a, b, heard);
  });

  it('alive but brings no messages is isolation too, and no reason to end any', async () => {
    const [a, b] = await openPair();
    const heard: string[] = [];
    await b.subscribe(news, 'x', (text) => heard.push(text));
    proxy.dropMessages(true);
    await expect.poll(() => a.health(), soon).toBe('isolated');
    proxy.dropMessages(false);
    await expect.poll(() => [a.health(), b.health()], soon).toEqual(['clustered', 'clustered']);
    await expectExchange(a, b, heard);
  });

  it('absent at the start stops nobody, and serves when it appears', async () => {
    const late = await startRedis({ started: false });
    try {
      const [a, b] = [open(late.url), open(late.url)];
      const heard: string[] = [];
      await b.subscribe(news, 'x', (text) => heard.push(text));
      await expectNoWait(a);
      expect(a.health()).toBe('isolated');
      await late.start();
      await expect.poll(() => [a.health(), b.health()], soon).toEqual(['clustered', 'clustered']);
      await expectExchange(a, b, heard);
    } finally {
      await late.close();
    }
  });

  it('slow for half a second loses nothing', async () => {
    const [a, b] = await openPair(20_000);
    const heard: number[] = [];
    await b.subscribe(pieces, 'x', (piece) => heard.push(piece));
    server.pause();
    for (let piece = 0; piece < 1_000; piece++) a.publish(pieces, 'x', piece);
    await sleep(500);
    server.resume();
    await expect.poll(() => heard.length, soon).toBe(1_000);
    expect(heard).toEqual(Array.from({ length: 1_000 }, (_, piece) => piece));
  });

  it('cut off again and again while listeners come and go keeps exactly the subscriptions that are wanted', async () => {
    const [a, b] = await openPair();
    const stops = new Map<string, () => Promise<void>>();
    for (let round = 0; round < 200; round++) {
      if (round % 20 === 7) proxy.cut();
      const key = String(round % 13);
      const stop = stops.get(key);
      stops.delete(key);
      // Some ends are not awaited, so that the next beginning overtakes them.
      if (stop) void stop();
      if (round % 3 !== 0) stops.set(key, await a.subscribe(news, key, () => undefined));
      if (round % 5 === 0) await sleep(1);
    }
    await expect.poll(() => a.health(), soon).toBe('clustered');
    await expect.poll(() => subscribers('test.news'), soon).toEqual(Object.fromEntries([...stops.keys()].sort((x, y) => +x - +y).map((key) => [key, 1])));
    await b.subscribe(news, 'x', () => undefined);
    await Promise.all([...stops.values()].map((stop) => stop()));
    await expect.poll(() => subscribers('test.news'), soon).toEqual({ x: 1 });
  });
});

describe('the health of an instance', () => {
  it('is isolated without Redis, solitary alone, clustered with others, and solitary when they have gone', async () => {
    const a = open(proxy.url);
    expect(a.health()).toBe('isolated');
    await expect.poll(() => a.health(), soon).toBe('solitary');
    const b = openTestBus(server.url);
    await expect.poll(() => [a.health(), b.health()], soon).toEqual(['clustered', 'clustered']);
    await b.close();
    await expect.poll(() => a.health(), soon).toBe('solitary');
    proxy.refuse();
    await expect.poll(() => a.health(), soon).toBe('isolated');
  });
});
