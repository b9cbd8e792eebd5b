// The conversation that a model is sent: always what the rows say, mostly without reading them.
import { randomUUID } from 'node:crypto';
import { countStatements } from '../support/statements.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeId } from '../../src/builder.ts';
import { conversations, historyBefore, keepConversation } from '../../src/chat/history.ts';
import { createContext } from '../../src/context.ts';
import { memberViewer } from '../../src/accounts/service.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

const SEND = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } userMessage { id } userErrors { message } } }';
const EDIT = 'mutation ($input: EditMessageInput!) { editMessage(input: $input) { run { id } userMessage { id } userErrors { message } } }';

let model: ModelServer;
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  model = await startModelServer();
  parley = await createTestApp(model.env);
  ada = await parley.signUp('Ada');
});
afterAll(async () => {
  await parley.close();
  await model.close();
});

async function makeSession(): Promise<string> {
  const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer.", retrieval: { mode: OFF } }) { profile { id } } }');
  const { createChatSession } = await ada.ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p }) { session { id } } }', { p: createProfile.profile.id });
  return createChatSession.session.id;
}

type Sent = { run: { id: string }; userMessage: { id: string } };
async function send(sessionId: string, text: string, more: object = {}): Promise<Sent> {
  const { sendMessage } = await ada.ask(SEND, { input: { sessionId, text, idempotencyKey: randomUUID(), ...more } });
  expect(sendMessage.userErrors).toEqual([]);
  return sendMessage;
}

const statusOf = async (runId: string) => (await ada.ask('query ($id: ID!) { run(id: $id) { status } }', { id: runId })).run.status;
const activeRuns = () => parley.app.activity.runs;

/** Answers the next call of the model; returns what it was sent before the question, and waits until the run is over. */
async function reply(text: string): Promise<string[]> {
  const call = await model.call();
  call.say(text);
  call.end();
  await expect.poll(activeRuns).toBe(0);
  return call.body.messages.slice(1, -1).map((message) => message.content);
}

const row = (type: string, id: string) => decodeId(type, id);

async function contextOfAda() {
  return createContext(parley.app, { viewer: await memberViewer(parley.app, row('User', ada.id), row('Workspace', ada.workspaceId)) });
}

async function lookups(outcome: 'hit' | 'miss'): Promise<number> {
  const { values } = await parley.app.metrics.cacheLookups.get();
  return values.find(({ labels }) => labels.kind === 'conversation' && labels.layer === 'memory' && labels.outcome === outcome)?.value ?? 0;
}

it('is there when the next question comes, and costs one statement however long it is', async () => {
  const sessionId = await makeSession();
  await send(sessionId, 'one');
  expect(await reply('eins')).toEqual([]);
  for (const [question, answer] of [['two', 'zwei'], ['three', 'drei']] as const) {
    await send(sessionId, question);
    await reply(answer);
  }
  const hits = await lookups('hit');
  const last = await send(sessionId, 'four');
  expect(await reply('vier')).toEqual(['one', 'eins', 'two', 'zwei', 'three', 'drei']);
  // When it was asked and when it was completed.
  expect(await lookups('hit')).toBe(hits + 2);
  const ctx = await contextOfAda();
  expect(await countStatements(() => historyBefore(ctx, row('ChatSession', sessionId), row('Message', last.userMessage.id)))).toBe(1);
});

it('is that of the branch that is asked on, whichever was read last', async () => {
  const sessionId = await makeSession();
  await send(sessionId, 'one');
  await reply('eins');
  const two = await send(sessionId, 'two');
  await reply('zwei');
  await ada.ask(EDIT, { input: { messageId: two.userMessage.id, text: 'two again', idempotencyKey: randomUUID() } });
  expect(await reply('zwei nochmal')).toEqual(['one', 'eins']);
  await send(sessionId, 'three', { parentMessageId: two.userMessage.id });
  expect(await reply('drei')).toEqual(['one', 'eins', 'two']);
  await send(sessionId, 'four');
  expect(await reply('vier')).toEqual(['one', 'eins', 'two', 'three', 'drei']);
});

it('is without what was rolled back, and without what was cleared', async () => {
  const sessionId = await makeSession();
  await send(sessionId, 'one');
  await reply('eins');
  const taken = await send(sessionId, 'taken back');
  const call = await model.call();
  call.say('never said');
  await send(sessionId, 'two', { ifRunning: 'ROLLBACK' });
  await call.abandoned;
  expect(await reply('zwei')).toEqual(['one', 'eins']);
  expect(await statusOf(taken.run.id)).toBe('CANCELLED');
  await ada.ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId });
  expect(await parley.app.cache.get(conversations, row('ChatSession', sessionId))).toBeNull();
  await send(sessionId, 'three');
  expect(await reply('drei')).toEqual([]);
});

it('is what the rows say, even when an invalidation was lost', async () => {
  const sessionId = await makeSession();
  const id = row('ChatSession', sessionId);
  await send(sessionId, 'one');
  await reply('eins');
  const stale = (await parley.app.cache.get(conversations, id)) ?? [];
  expect(stale.map(({ text }) => text)).toEqual(['one', 'eins']);
  await ada.ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId });
  await parley.app.cache.set(conversations, id, stale, { ttlSeconds: 60 });
  await send(sessionId, 'two');
  expect(await reply('zwei')).toEqual([]);
  await send(sessionId, 'three');
  expect(await reply('drei')).toEqual(['two', 'zwei']);
});

it('has what a cancelled answer had said, but never the part of one that still streams', async () => {
  const sessionId = await makeSession();
  const first = await send(sessionId, 'one');
  const call = await model.call();
  call.say('ei');
  const question = row('Message', first.userMessage.id);
  const { messages } = (await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages { nodes { id role } } } }', { id: sessionId })).chatSession;
  const answer = row('Message', messages.nodes[1].id);
  expect(messages.nodes[1].role).toBe('ASSISTANT');
  // Somebody who reads the branch while it is written gets what is saved of it, and keeps the question only.
  await keepConversation(await contextOfAda(), row('ChatSession', sessionId), answer);
  expect((await parley.app.cache.get(conversations, row('ChatSession', sessionId)))?.map(({ id }) => id)).toEqual([question]);
  call.say('ns');
  await expect.poll(async () => (await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages { nodes { text } } } }', { id: sessionId })).chatSession.messages.nodes[1].text).toBe('eins');
  await ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { run { status } } }', { id: first.run.id });
  await expect.poll(activeRuns).toBe(0);
  await send(sessionId, 'two');
  expect(await reply('zwei')).toEqual(['one', 'eins']);
});

it('is gone from the cache with its session', async () => {
  const sessionId = await makeSession();
  await send(sessionId, 'one');
  await reply('eins');
  await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId });
  expect(await parley.app.cache.get(conversations, row('ChatSession', sessionId))).toBeNull();
});
