// A stop by SIGTERM: what is under way ends or goes on elsewhere, what is new goes elsewhere, and the process ends in time.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { startProxy } from '../support/proxy.ts';
import { openSocket } from '../support/socket.ts';
import { openChat } from '../support/answers.ts';
import { hear, heard, isEnd, say, textOf } from '../support/talk.ts';
import type { Ending } from '../support/program.ts';
import { stretched } from '../support/soak.ts';

let model: ModelServer;
let cluster: Cluster;
let running: Instance[] = [];
beforeAll(async () => {
  model = await startModelServer();
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'warn' });
});
afterEach(async () => {
  for (const instance of running) await instance.kill();
  running = [];
});
afterAll(async () => {
  await cluster?.close();
  await model?.close();
});

async function start(env: Record<string, string> = {}): Promise<Instance> {
  const instance = await cluster.start(env);
  running.push(instance);
  return instance;
}

/** Asks an instance to stop and waits until it says that it does; clients stay. */
async function beginStop(instance: Instance): Promise<{ ending: Promise<Ending & { seconds: number }> }> {
  const began = performance.now();
  process.kill(instance.pid, 'SIGTERM');
  while ((await readyOf(instance)).status !== 503);
  return { ending: instance.ending.then((ending) => ({ ...ending, seconds: (performance.now() - began) / 1000 })) };
}

async function readyOf({ url }: Instance): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, body: await response.json() };
}

const UPLOAD = 'mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } userErrors { code } } }';
const document = { name: 'Hours', mediaType: 'text/plain', text: 'The shop opens at six.' };

it('a run that ends in time is heard to its end on the same socket, while new work is refused and readiness is gone', { timeout: 90_000 }, async () => {
  const instance = await start();
  const ada = await instance.signUp();
  const sessionId = await openChat(ada);
  const other = await openChat(ada);
  const reader = await openSocket(instance.url, ada.accessToken);
  await reader.begin('1', 'subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename ... on MessageDelta { text } ... on RunUpdated { runStatus } } }', { s: sessionId });
  const idle = await openSocket(instance.url, ada.accessToken);
  const { addTextDocument } = await ada.ask(UPLOAD, { input: document });
  await say(ada, sessionId);
  const call = await model.call();
  call.say('Before the signal, ');
  await reader.until(({ payload }) => payload?.data?.chatEvents.text?.includes('Before'));

  const { ending } = await beginStop(instance);
  expect(await readyOf(instance)).toMatchObject({ status: 503, body: { status: 'down', draining: true, role: 'all' } });
  expect((await fetch(`${instance.url}/health`)).status).toBe(200);
  expect((await ada.ask('{ status { draining activeRuns } }')).status).toEqual({ draining: true, activeRuns: 1 });
  expect((await say(ada, other)).userErrors).toEqual([{ code: 'SHUTTING_DOWN' }]);
  expect((await ada.ask(UPLOAD, { input: document })).addTextDocument).toEqual({ document: null, job: null, userErrors: [{ code: 'SHUTTING_DOWN' }] });
  await expect(openSocket(instance.url, ada.accessToken)).rejects.toThrow('503');
  // What would last goes elsewhere: a socket closes at once, an event stream does not begin.
  idle.send({ id: '1', type: 'subscribe', payload: { query: 'subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename } }', variables: { s: other } } });
  expect(await idle.closed).toMatchObject({ code: 1012 });
  const events = await fetch(`${instance.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${ada.accessToken}` }, body: JSON.stringify({ query: 'subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename } }', variables: { s: other } }) });
  expect(events.status).toBe(503);
  expect(await events.text()).toContain('SHUTTING_DOWN');
  // What does not begin anything is still done, also what goes on in the background.
  expect((await ada.ask('mutation ($id: ID!) { deleteDocument(input: { id: $id }) { userErrors { code } } }', { id: addTextDocument.document.id })).deleteDocument.userErrors).toEqual([]);

  call.say('after it.');
  await reader.until(({ payload }) => payload?.data?.chatEvents.text?.includes('after'));
  call.end();
  await reader.until(({ payload }) => payload?.data?.chatEvents.runStatus === 'SUCCEEDED');
  expect(await reader.closed).toMatchObject({ code: 1012 });
  const { code, seconds } = await ending;
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(25);
});

it('a run that does not end in time goes on at the other instance at once, and so does its reader, after its cursor', { timeout: 90_000 }, async () => {
  // A lease so long that nobody could wait for its end.
  const leaving = await start({ DRAIN_TIMEOUT_SECONDS: '2', RUN_LEASE_SECONDS: '300' });
  const ada = await leaving.signUp();
  const sessionId = await openChat(ada);
  const { cursor } = await say(ada, sessionId);
  const first = await model.call();
  const other = await start({ RUN_LEASE_SECONDS: '300' });
  const before = hear(ada, sessionId, cursor);
  const atOther = hear(ada.at(other), sessionId, cursor);
  first.say('Words of the first, ');
  await before.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta' && chatEvents.text.includes('first'));

  const asked = performance.now();
  const { ending } = await beginStop(leaving);
  const second = await model.call();
  console.info(`handed over ${Math.round(performance.now() - asked - 2_000)} ms after the 2 s that the run had`);
  second.say('Words of the second.');
  second.end();
  expect(await before.ended).toMatchObject({ code: 1012 });
  const last = heard(before).findLast(({ cursor: at }) => at)?.cursor as string;
  const after = hear(ada.at(other), sessionId, last);
  await after.until(({ chatEvents }) => isEnd(chatEvents));
  await atOther.until(({ chatEvents }) => isEnd(chatEvents));
  for (const events of [[...heard(before), ...heard(after)], heard(atOther)]) {
    expect(textOf(events)).toBe('Words of the second.');
    expect(events.filter(isEnd)).toMatchObject([{ runStatus: 'SUCCEEDED', attempt: 2 }]);
    const numbers = events.filter(({ __typename: type }) => !['MessageDelta', 'StreamCaughtUp', 'TypingChanged'].includes(type)).map(({ sequence }) => sequence);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] as number) + index));
  }
  const { code, seconds } = await ending;
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(stretched(7));
  await first.abandoned;
});

it('a document that is being read is given back, and read to its end elsewhere', { timeout: 90_000 }, async () => {
  const leaving = await start({ DRAIN_TIMEOUT_SECONDS: '1', MAX_BODY_BYTES: '8000000' });
  const other = await start({ APP_ROLE: 'api' });
  const ada = await leaving.signUp();
  // Seconds of work.
  const text = Array.from({ length: 40_000 }, (_, index) => `Sentence ${index} speaks of the number ${index * 7}.`).join(' ');
  const { addTextDocument } = await ada.ask(UPLOAD, { input: { ...document, text } });
  const jobAt = async (instance: Instance) => (await ada.at(instance).ask('query ($id: ID!) { node(id: $id) { ... on IngestionJob { status attempt } } }', { id: addTextDocument.job.id })).node;
  while ((await jobAt(leaving)).status !== 'RUNNING');
  process.kill(leaving.pid, 'SIGTERM');
  expect((await leaving.ending).code).toBe(0);
  expect(await jobAt(other)).toMatchObject({ status: 'QUEUED' });
  await start();
  while (['QUEUED', 'RUNNING'].includes((await jobAt(other)).status)) await sleep(50);
  // A stop is no failure: the count of tries is as it was.
  expect(await jobAt(other)).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
});

it('ends with 0 within 30 s by default, with a model that never answers, a client that never answers, and Redis and then PostgreSQL silent', { timeout: 120_000 }, async () => {
  const faults = [[], ['redis'], ['redis', 'postgres']] as const;
  const stops = await Promise.all(
    faults.map(async (silent, index) => {
      // Each on a database of its own: nobody else takes its run.
      const proxies = { redis: await startProxy(cluster.redis.url), postgres: await startProxy(await cluster.postgres.createDatabase(`silent_${index}`)) };
      const instance = await start({ REDIS_URL: proxies.redis.url, DATABASE_URL: proxies.postgres.url });
      const ada = await instance.signUp();
      const sessionId = await openChat(ada);
      await hear(ada, sessionId, null).until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
      await say(ada, sessionId);
      while ((await ada.ask('{ status { activeRuns } }')).status.activeRuns === 0);
      deafen(instance, ada.accessToken);
      for (const name of silent) proxies[name].blackhole(true);
      const began = performance.now();
      process.kill(instance.pid, 'SIGTERM');
      const { code, signal } = await instance.ending;
      await Promise.all([proxies.redis.close(), proxies.postgres.close()]);
      return { code, signal, seconds: (performance.now() - began) / 1000 };
    }),
  );
  console.info(`stops with a silent model and client, with Redis silent, and with PostgreSQL silent, too: ${stops.map(({ seconds }) => seconds.toFixed(1)).join(', ')} s`);
  for (const { code, signal, seconds } of stops) {
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    // The run had the time that it may have.
    expect(seconds).toBeGreaterThan(25);
    expect(seconds).toBeLessThan(30);
  }
});

it('a second signal ends it at once', { timeout: 60_000 }, async () => {
  const instance = await start();
  const ada = await instance.signUp();
  await say(ada, await openChat(ada));
  await model.call();
  const { ending } = await beginStop(instance);
  let over = false;
  void ending.then(() => (over = true));
  while (!over) {
    process.kill(instance.pid, 'SIGINT');
    await sleep(50);
  }
  expect(await ending).toMatchObject({ code: 130 });
  expect((await ending).seconds).toBeLessThan(25);
});

/** A client that opens a socket and a request and never says or hears anything again. */
function deafen({ url }: Instance, token: string): void {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  socket.write(`GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  socket.pause();
  const request = connect(Number(port), hostname).on('error', () => undefined);
  request.write(`POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`);
  request.pause();
}
