// Redis that dies, falls silent, sleeps or was never there, while answers stream and people go on working.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChat, sendTo, speak, spread, storedAnswers } from '../support/answers.ts';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { readOverSocket } from '../support/reading.ts';
import { startRedis } from '../support/redis.ts';
import { stretched } from '../support/soak.ts';
import { createStrictClient, EVENTS, type StrictClient } from '../support/strict.ts';
import { password, type TestUser } from '../support/visitor.ts';

const STREAMED = 'Tell me for as long as it takes';
const soon = { timeout: 30_000 };

let model: ModelServer;
/** The next call that is to be answered by the test itself. */
let streamed = Promise.withResolvers<ModelCall>();
let cluster: Cluster;
let proxy: Proxy;
let instances: Instance[];
let ada: TestUser;

beforeAll(async () => {
  model = await startModelServer();
  void (async () => {
    for (;;) {
      const call = await model.call();
      if (call.body.messages.at(-1)?.content === STREAMED) streamed.resolve(call);
      else void speak(call, ['Good ', 'day'], 5);
    }
  })();
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'error' });
  proxy = await startProxy(cluster.redis.url);
  instances = [await cluster.start({ REDIS_URL: proxy.url }), await cluster.start({ REDIS_URL: proxy.url })];
  ada = await (instances[0] as Instance).signUp();
});
afterAll(async () => {
  await cluster?.close();
  await proxy?.close();
  await model?.close();
});

/** What /ready says of Redis and the bus. */
async function ready(instance: Instance): Promise<{ httpStatus: number; status: string; redis: string; bus: string }> {
  const response = await fetch(`${instance.url}/ready`);
  const { status, components } = (await response.json()) as { status: string; components: { name: string; state: string }[] };
  const stateOf = (name: string): string => components.find((component) => component.name === name)?.state ?? 'absent';
  return { httpStatus: response.status, status, redis: stateOf('redis'), bus: stateOf('bus') };
}
// This PostgreSQL has no pgvector, so that the whole is never "ok"; test/redis.test.ts has one that is.
const well = { httpStatus: 200, status: 'degraded', redis: 'OK', bus: 'OK' };
const without = { httpStatus: 200, status: 'degraded', redis: 'DEGRADED', bus: 'DEGRADED' };

async function untilReady(state: object): Promise<void> {
  for (const instance of instances) await expect.poll(() => ready(instance), soon).toEqual(state);
}

/** What people do, all at once, at one instance; how long each takes is written down. */
async function work(instance: Instance, sessionId: string, taken: Map<string, number[]>): Promise<void> {
  const user = ada.at(instance);
  const timed = async (name: string, operation: () => Promise<void>): Promise<void> => {
    const begun = performance.now();
    await operation();
    taken.set(name, [...(taken.get(name) ?? []), performance.now() - begun]);
  };
  const read = async (): Promise<void> => {
    const reading = await readOverSocket(instance.url, ada.accessToken, EVENTS, { s: sessionId });
    expect((await reading.next()).data.chatEvents.cursor).toBeTruthy();
    await reading.sever();
  };
  const login = async (): Promise<void> => {
    const { data } = await instance.request('mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } } }', { input: { email: ada.email, password } });
    expect(data.login.tokens.accessToken).toBeTruthy();
  };
  await Promise.all([
    timed('sendMessage', async () => void (await sendTo(user, sessionId, 'Hello'))),
    timed('chatEvents', read),
    timed('login', login),
    timed('viewer', async () => expect((await user.ask('{ viewer { user { id } } }')).viewer.user.id).toBe(ada.id)),
    timed('search', async () => expect((await user.ask('{ search(input: { query: "harbour" }) { nodes { id } } }')).search.nodes).toEqual([])),
  ]);
  await expect.poll(async () => [...(await storedAnswers(user, sessionId)).values()], soon).toEqual(['Good day']);
}

/** A reader of the streamed session at each instance. */
function readers(sessionId: string, cursor: string): { client: StrictClient; stop(): void; has(text: string): Promise<unknown>; over(): Promise<unknown> }[] {
  return instances.map((instance) => {
    const client = createStrictClient(cursor);
    const stream = ada.at(instance).subscribe(EVENTS, { s: sessionId, a: cursor });
    let applied = 0;
    const until = (predicate: () => boolean) =>
      stream.until(() => {
        for (; applied < stream.events.length; applied++) client.apply(stream.events[applied].chatEvents);
        return predicate();
      });
    return {
      client,
      stop: () => stream.stop(),
      has: (text) => until(() => [...client.texts.values()].some((known) => known.includes(text))),
      over: () => until(() => client.ends.length > 0),
    };
  });
}

/** Lets an answer stream through a fault of Redis, and people work during it; all of it must hold that is promised. */
async function throughFault(how: string, fault: () => unknown, mend: () => unknown): Promise<void> {
  streamed = Promise.withResolvers();
  const [sessionId, ...others] = (await Promise.all(Array.from({ length: 1 + 2 * instances.length }, () => openChat(ada.at(instances[0] as Instance))))) as [string, ...string[]];
  const { cursor } = await sendTo(ada.at(instances[0] as Instance), sessionId, STREAMED);
  const reading = readers(sessionId, cursor);
  const call = await streamed.promise;
  let said = '';
  const say = (text: string): void => {
    said += text;
    call.say(text);
  };
  const both = (text: string) => Promise.all(reading.map((reader) => reader.has(text)));
  say('before the fault; ');
  await both('before the fault; ');
  const ticking = setInterval(() => say('tick '), 20);
  const taken = new Map<string, number[]>();
  const workEverywhere = () => Promise.all(instances.map((instance) => work(instance, others.pop() as string, taken)));
  let isMended = false;
  const end = async (): Promise<void> => {
    if (!isMended) await mend();
    isMended = true;
  };
  try {
    await fault();
    // At once, while nobody knows of the fault yet, and again when all do.
    await workEverywhere();
    await untilReady(without);
    await workEverywhere();
    say('during the fault; ');
    await both('during the fault; ');
    await end();
    await untilReady(well);
    say('after the fault; ');
    await both('after the fault; ');
  } finally {
    clearInterval(ticking);
    call.end();
    await end();
  }
  for (const { over, stop } of reading) await over().finally(stop);
  for (const { client } of reading) {
    expect(client.faults).toEqual([]);
    expect(client.ends).toEqual(['SUCCEEDED']);
    expect([...client.texts.values()]).toEqual([said]);
    expect(client.texts).toEqual(await storedAnswers(ada.at(instances[0] as Instance), sessionId));
  }
  const slowest = [...taken].map(([name, times]) => ({ name, time: Math.max(...times) })).sort((a, b) => b.time - a.time)[0];
  console.info(`Redis ${how}: ${[...taken.values()].flat().length} requests, ${spread([...taken.values()].flat())}, the slowest was ${slowest?.name}`);
  expect(slowest?.time).toBeLessThan(stretched(2_000));
}

describe('while Redis is away, both instances stream exactly, people go on, and /ready says so,', () => {
  it.each([
    ['is killed and started again', () => cluster.redis.stop(), () => cluster.redis.start()],
    ['is a black hole', () => proxy.blackhole(true), () => proxy.restore()],
    ['sleeps', () => cluster.redis.pause(), () => cluster.redis.resume()],
  ])('when it %s', { timeout: 90_000 }, async (how, fault, mend) => {
    await untilReady(well);
    await throughFault(how, fault, mend);
  });

  it('when it was never there, and comes later', { timeout: 90_000 }, async () => {
    for (const instance of instances) await instance.stop();
    const absent = await startRedis({ started: false });
    try {
      instances = [await cluster.start({ REDIS_URL: absent.url }), await cluster.start({ REDIS_URL: absent.url })];
      await untilReady(without);
      await throughFault('was never there', () => undefined, () => absent.start());
    } finally {
      for (const instance of instances) await instance.stop();
      await absent.close();
    }
  });
});
