// What streams leave behind once they are over, however they end: nothing.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { openSocket } from '../support/socket.ts';

let redis: TestRedis;
let commands: Redis;
let parley: TestApp;
beforeAll(async () => {
  redis = await startRedis();
  commands = new Redis(redis.url);
  parley = await createTestApp({ REDIS_URL: redis.url });
});
afterAll(async () => {
  await parley?.close();
  await commands?.quit();
  await redis?.close();
});

const EVENTS = 'subscription ($id: ID!) { chatEvents(sessionId: $id) { __typename } }';
const streams = 300;

it(`${streams} streams that are opened and end in every way leave no tail, no listener, no timer and no place taken`, { timeout: 90_000 }, async () => {
  const ada = await parley.signUp('Ada');
  const sessions = await sessionsOf(ada, 30);
  // What the process opens only once is not counted.
  await oneOfEach(ada, sessions.slice(0, 5));
  await untilTrue(async () => parley.app.activity.subscriptions === 0);
  const channels = (await commands.call('PUBSUB', 'CHANNELS')) as string[];
  const timers = countTimers();
  let most = 0;
  for (let opened = 0; opened < streams; opened += 25) {
    const some = Array.from({ length: 5 }, (_, index) => sessions[(opened / 5 + index) % sessions.length] as string);
    most = Math.max(most, await oneOfEach(ada, some));
  }
  expect(most).toBeGreaterThan(20);
  await untilTrue(async () => parley.app.activity.subscriptions === 0);
  await untilTrue(async () => ((await commands.call('PUBSUB', 'CHANNELS')) as string[]).length <= channels.length);
  expect(sessions.filter((id) => parley.app.tails.peek(rawId(id)))).toEqual([]);
  expect(countTimers()).toBeLessThan(timers + 10);
  const deleted = sessions.slice(0, 3);
  const socket = await openSocket(parley.url, ada.accessToken);
  for (const id of deleted) await socket.begin(id, EVENTS, { id });
  for (const id of deleted) await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { userErrors { message } } }', { id });
  for (const id of deleted) await socket.until((message) => message.id === id && message.type === 'complete');
  await untilTrue(async () => parley.app.activity.subscriptions === 0 && deleted.every((id) => !parley.app.tails.peek(rawId(id))));
  socket.close();
});

/** Opens five streams of each session and ends each in another way; returns how many were open at a time. */
async function oneOfEach(user: TestUser, sessions: readonly string[]): Promise<number> {
  const [completed, closed, cut] = await Promise.all([1, 2, 3].map(() => openSocket(parley.url, user.accessToken)));
  if (!completed || !closed || !cut) throw new Error('Three sockets were asked for.');
  for (const socket of [completed, closed, cut]) await Promise.all(sessions.map((id) => socket.begin(id, EVENTS, { id })));
  const leaving = new AbortController();
  const bodies = await Promise.all(
    sessions.map((id) =>
      fetch(`${parley.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${user.accessToken}` },
        body: JSON.stringify({ query: EVENTS, variables: { id } }),
        signal: leaving.signal,
      }),
    ),
  );
  const open = parley.app.activity.subscriptions;
  // Gone before their first event.
  const hasty = await openSocket(parley.url, user.accessToken);
  for (const id of sessions) hasty.send({ id, type: 'subscribe', payload: { query: EVENTS, variables: { id } } });
  hasty.socket.terminate();
  for (const id of sessions) completed.send({ id, type: 'complete' });
  await completed.begin('last', '{ __typename }');
  completed.close();
  closed.close();
  cut.socket.terminate();
  leaving.abort();
  await Promise.all(bodies.map(({ body }) => body?.cancel().catch(() => undefined)));
  await Promise.all([completed, closed, cut, hasty].map((socket) => socket.closed));
  return open + sessions.length;
}

async function sessionsOf(user: TestUser, count: number): Promise<string[]> {
  const { createProfile } = await user.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer." }) { profile { id } } }');
  const ids: string[] = [];
  while (ids.length < count) {
    const { createChatSession } = await user.ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p }) { session { id } } }', { p: createProfile.profile.id });
    ids.push(createChatSession.session.id);
  }
  return ids;
}

function rawId(id: string): string {
  return Buffer.from(id, 'base64url').toString().replace('ChatSession:', '');
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

/** Waits for what nothing announces. */
async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
