import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { emptyCheckpoint } from '@langchain/langgraph-checkpoint';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence }
  ... on MessageDelta { offset text }
  ... on MessageTruncated { blockIndex offset cause }
  ... on MessageCompleted { message { text } }
  ... on RunUpdated { runStatus attempt } } }`;

let model: ModelServer;
let folder: string;
beforeAll(async () => {
  model = await startModelServer();
  folder = await mkdtemp(join(tmpdir(), 'parley-restart-'));
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

it('a run that the process left behind is taken over, and its stream goes on after the cursor of before', async () => {
  const env = { ...model.env, DATA_DIR: folder };
  const before = await createTestApp(env, { onDisk: true });
  const ada = await before.signUp();
  const sessionId = await startRun(ada);
  const stream = ada.subscribe(EVENTS, { s: sessionId });
  const first = await model.call();
  first.say('The text of the first attempt');
  const delta = await stream.until((event) => event.chatEvents.__typename === 'MessageDelta' && event.chatEvents.text.includes('attempt'));
  await before.close(0);
  await first.abandoned;

  const after = await createTestApp(env, { onDisk: true });
  try {
    const again = after.userOf(ada.accessToken, ada).subscribe(EVENTS, { s: sessionId, a: delta.chatEvents.cursor });
    const second = await model.call();
    second.say('The second says it all.');
    second.end();
    await again.until((event) => event.chatEvents.runStatus === 'SUCCEEDED');
    const events = again.events.map((event) => event.chatEvents);
    expect(events.find((event) => event.__typename === 'MessageTruncated')).toMatchObject({ blockIndex: 0, offset: 0, cause: 'RUN_TAKEN_OVER' });
    // A client that had the first text and applies what comes has exactly the stored one.
    let text = stream.events.filter((event) => event.chatEvents.__typename === 'MessageDelta').map((event) => event.chatEvents.text).join('');
    for (const event of events) {
      if (event.__typename === 'MessageTruncated') text = text.slice(0, event.offset);
      if (event.__typename === 'MessageDelta') {
        expect(event.offset).toBe(text.length);
        text += event.text;
      }
    }
    expect(text).toBe('The second says it all.');
    expect(events.find((event) => event.__typename === 'MessageCompleted').message.text).toBe(text);
    expect(events.filter((event) => event.runStatus === 'SUCCEEDED')).toEqual([expect.objectContaining({ attempt: 2 })]);
  } finally {
    await after.close();
  }
});

it('checkpoints of a run that ended as its process died are removed by the next start, those of a run that goes on are not', async () => {
  const env = { ...model.env, DATA_DIR: await mkdtemp(join(folder, 'left-')) };
  const before = await createTestApp(env, { onDisk: true });
  const ada = await before.signUp();
  const ended = await startRun(ada);
  const call = await model.call();
  const active = await startRun(ada);
  await model.call();
  call.end();
  const runs = await Promise.all([ended, active].map(async (id) => (await ada.ask('query ($id: ID!) { chatSession(id: $id) { runs { nodes { id } } } }', { id })).chatSession.runs.nodes[0].id));
  const threads = runs.map((id) => Buffer.from(id, 'base64url').toString().replace('Run:', ''));
  while (await hasCheckpoint(before, threads[0]!)) await sleep(20);
  await before.app.checkpointer.put({ configurable: { thread_id: threads[0]!, checkpoint_ns: '' } }, emptyCheckpoint(), { source: 'loop', step: 1, parents: {} }, {});
  await before.close(0);

  const after = await createTestApp(env, { onDisk: true });
  try {
    while (await hasCheckpoint(after, threads[0]!)) await sleep(20);
    expect(await hasCheckpoint(after, threads[1]!)).toBe(true);
  } finally {
    (await model.call()).end();
    await after.close();
  }
});

async function hasCheckpoint({ app }: TestApp, threadId: string): Promise<boolean> {
  return (await app.checkpointer.getTuple({ configurable: { thread_id: threadId } })) !== undefined;
}

async function startRun(ada: TestUser): Promise<string> {
  const profile = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } } }', { input: { name: 'P', systemPrompt: 'Answer.', retrieval: { mode: 'OFF' } } });
  const session = await ada.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } } }', { input: { profileId: profile.createProfile.profile.id } });
  const sessionId = session.createChatSession.session.id;
  await ada.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } } }', { input: { sessionId, text: 'Hello', idempotencyKey: randomUUID() } });
  return sessionId;
}
