// PostgreSQL under whole instances: a server that goes away and comes back, and many streams on few connections.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { upload } from '../documents/support.ts';
import { startCluster, type Cluster } from '../support/cluster.ts';
import { makeFile } from '../support/ingestions.ts';
import { seeded } from '../support/soak.ts';
import type { Door, TestUser } from '../support/visitor.ts';

const uuidOf = (globalId: string): string => Buffer.from(globalId, 'base64url').toString().split(':')[1] as string;

async function openSession(user: TestUser): Promise<string> {
  const { createProfile } = await user.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer.", retrieval: { mode: OFF } }) { profile { id } } }');
  const { createChatSession } = await user.ask('mutation ($id: ID!) { createChatSession(input: { profileId: $id }) { session { id } } }', { id: createProfile.profile.id });
  return createChatSession.session.id;
}

const EVENTS = `subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename
  ... on MessageDelta { offset text } ... on MessageCompleted { message { id role text } } ... on RunUpdated { runStatus } } }`;
const SEND = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } userErrors { code message } } }';
const send = (user: TestUser, sessionId: string) => user.ask(SEND, { input: { sessionId, text: 'Hello', idempotencyKey: randomUUID() } });

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.close());

const status = async (door: Door, path: string): Promise<number> => (await fetch(door.url + path)).status;
const ended = async (jobIds: readonly string[]): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: cluster.databaseUrl });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query('select status, attempt from ingestion_job where id = any($1)', [jobIds.map(uuidOf)]);
      if (rows.every((row) => !['QUEUED', 'RUNNING'].includes(row.status))) return rows;
      await sleep(50);
    }
  } finally {
    await client.end();
  }
};

it('a server that restarts in the middle of ingestions refuses requests clearly, ends no process, and everything goes on', { timeout: 240_000 }, async () => {
  const instances = await Promise.all([cluster.start(), cluster.start()]);
  const ada = await instances[0]!.signUp();
  const sessionId = await openSession(ada);
  const streams = instances.map((instance) => ada.at(instance).subscribe(EVENTS, { s: sessionId }));
  for (const stream of streams) await stream.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
  const random = seeded(5);
  const { jobs } = await upload(instances[0]!, ada, Array.from({ length: 5 }, (_, index) => makeFile(index, 40, random)));
  const follow = ada.subscribe('subscription ($id: ID!) { ingestionJobUpdated(jobId: $id) { stage } }', { id: jobs[0].id });
  await follow.until((event) => ['CHUNKING', 'INDEXING'].includes(event.ingestionJobUpdated.stage));
  await cluster.postgres.stop();
  for (const instance of instances) {
    const { errors } = await ada.at(instance).request('{ profiles { totalCount } }');
    expect(errors).toMatchObject([{ extensions: { code: 'PROVIDER_UNAVAILABLE' }, message: expect.stringContaining('Try again') }]);
    expect([await status(instance, '/health'), await status(instance, '/ready')]).toEqual([200, 503]);
  }
  // Away for long enough that every loop of the instances has met it.
  await sleep(2_000);
  await cluster.postgres.start();
  const start = performance.now();
  for (const instance of instances) await expect.poll(() => status(instance, '/ready'), { timeout: 10_000 }).toBe(200);
  // Streams that were open all the time tell what happens now.
  const sent = await send(ada.at(instances[1]!), sessionId);
  expect(sent.sendMessage.userErrors).toEqual([]);
  for (const stream of streams) {
    const done = await stream.until((event) => event.chatEvents.message?.role === 'ASSISTANT');
    expect(done.chatEvents.message.text).not.toBe('');
  }
  // The database was to blame, not the documents.
  expect(await ended(jobs.map((job: { id: string }) => job.id))).toEqual(jobs.map(() => ({ status: 'SUCCEEDED', attempt: 1 })));
  console.info(`PostgreSQL restarted amid 5 ingestions: all were ready ${Math.round(performance.now() - start)} ms after it was back`);
  for (const instance of instances) expect((await instance.stop()).code).toBe(0);
});

it('200 open streams on 10 connections hold up no message and no answer', { timeout: 240_000 }, async () => {
  const instance = await cluster.start({ DATABASE_POOL_SIZE: '10', RUN_CAPACITY: '20' });
  const admin = new pg.Client({ connectionString: cluster.databaseUrl });
  await admin.connect();
  const owner = await instance.signUp();
  const { instanceId } = (await owner.ask('{ status { instanceId } }')).status;
  let most = 0;
  const counting = setInterval(() => {
    void admin.query('select count(*)::int from pg_stat_activity where application_name = $1', [`parley ${instanceId}`]).then(({ rows }) => (most = Math.max(most, rows[0].count)));
  }, 50);
  const people = await Promise.all(Array.from({ length: 20 }, async () => {
    const user = await instance.signUp();
    const sessionId = await openSession(user);
    const streams = Array.from({ length: 10 }, () => user.subscribe(EVENTS, { s: sessionId }));
    for (const stream of streams) await stream.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
    return { user, sessionId, streams };
  }));
  const start = performance.now();
  let slowest = 0;
  await Promise.all(people.map(async ({ user, sessionId, streams }) => {
    for (let message = 1; message <= 3; message++) {
      const sentAt = performance.now();
      expect((await send(user, sessionId)).sendMessage.userErrors).toEqual([]);
      slowest = Math.max(slowest, performance.now() - sentAt);
      for (const stream of streams) {
        await expect.poll(() => stream.events.filter((event) => event.chatEvents.runStatus === 'SUCCEEDED').length, { timeout: 60_000, interval: 20 }).toBe(message);
      }
    }
  }));
  clearInterval(counting);
  console.info(`200 streams on 10 connections: 60 messages answered in ${Math.round(performance.now() - start)} ms, the slowest sent in ${Math.round(slowest)} ms; at most ${most} connections`);
  expect(most).toBeLessThanOrEqual(10);
  for (const { streams } of people) {
    for (const { events } of streams) {
      expect(events.filter((event) => event.errors)).toEqual([]);
      expect(events.filter((event) => event.chatEvents.message?.role === 'ASSISTANT').length).toBe(3);
    }
  }
  await admin.end();
  await instance.stop();
});
