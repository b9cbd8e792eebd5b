// Answers, questions' vectors and rankings that are kept for equal questions: what they save, and that nothing is served
// that is out of date, or another's.
import { randomUUID } from 'node:crypto';
import { Redis as Client } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { authenticate } from '../src/accounts/service.ts';
import { askOrReplay } from '../src/agent/answer-cache.ts';
import { createContext, type App } from '../src/context.ts';
import { defineNode, type NodeType } from '../src/graph/node.ts';
import type { RunScope } from '../src/graph/scope.ts';
import type { ChatAnswer, ChatHooks } from '../src/models/ask.ts';
import { addText, createProfile, ended, replace } from './documents/support.ts';
import { startEmbeddingServer, type EmbeddingServer } from './search/embedding-server.ts';
import { sendTo } from './support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { attend, createSession } from './support/chats.ts';
import { startModelServer, type ModelCall, type ModelServer } from './support/model-server.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { startProxy, type Proxy } from './support/proxy.ts';
import { startRedis, type TestRedis } from './support/redis.ts';
import { createStrictClient, EVENTS } from './support/strict.ts';

const soon = { timeout: 20_000 };
const warranty = 'The warranty of the coffee machine lasts 24 months.';
const question = 'How long does the warranty of the coffee machine last?';
/** Answers from the passages at temperature 0, where answers are kept. */
const keeping = { name: 'P', systemPrompt: 'Answer.', temperature: 0, retrieval: { mode: 'ALWAYS', searchMode: 'KEYWORD' } };

let model: ModelServer;
/** What the model says to a call. */
let respond: (call: ModelCall) => void;
const quote = (call: ModelCall): void => {
  call.say(`${warranty} `);
  call.say('[1]');
  call.end();
};
beforeAll(async () => {
  model = await startModelServer();
  void attend(model, (call) => respond(call));
});
beforeEach(() => {
  respond = quote;
});
afterAll(() => model.close());

const RUN = `query ($id: ID!) { node(id: $id) { ... on Run { status cached attempt usage { inputTokens outputTokens costUsd } attempts { attempt }
  outputMessage { id text blocks { __typename } citations { index quote answerStart answerEnd document { id } location { documentVersion startOffset endOffset headingPath } } } } } }`;

/** The end of a run, what its stream brought, and how many calls of the model it took. */
async function ending(user: TestUser, sessionId: string, { runId, cursor }: { runId: string; cursor: string }) {
  const stream = user.subscribe(EVENTS, { s: sessionId, a: cursor });
  await stream.until(({ chatEvents: { runStatus = '' } }) => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(runStatus));
  stream.stop();
  const client = createStrictClient(cursor);
  for (const { chatEvents } of stream.events) client.apply(chatEvents);
  expect(client.faults).toEqual([]);
  const { node } = await user.ask(RUN, { id: runId });
  expect([...client.texts.values()].at(-1) ?? '').toBe(node.outputMessage.text);
  return { ...node, deltas: stream.events.map(({ chatEvents }) => chatEvents).filter(({ __typename: type }) => type === 'MessageDelta') };
}

/** Asks in a chat of its own; answers the run with how many calls of the model it took. */
async function ask(user: TestUser, profileId: string, text = question) {
  const sessionId = await createSession(user, profileId);
  const before = model.calls;
  const run = await ending(user, sessionId, await sendTo(user, sessionId, text));
  return { ...run, calls: model.calls - before, sessionId };
}

async function regenerate(user: TestUser, sessionId: string, messageId: string) {
  const before = model.calls;
  const { regenerateMessage } = await user.ask('mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { messageId, idempotencyKey: randomUUID() } });
  expect(regenerateMessage.userErrors).toEqual([]);
  return { ...(await ending(user, sessionId, { runId: regenerateMessage.run.id, cursor: regenerateMessage.cursor })), calls: model.calls - before };
}

/** Adds a document for a profile and waits until it is searchable. */
async function add(user: TestUser, profileIds: readonly string[], text = warranty, name = 'Manual'): Promise<string> {
  const { document, job } = await addText(user, { name, text, mediaType: 'text/plain', profileIds });
  expect((await ended(user, job.id)).status).toBe('SUCCEEDED');
  return document.id;
}

async function change(user: TestUser, mutation: string, type: string, input: object): Promise<void> {
  const answer = await user.ask(`mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { message } } }`, { input });
  expect(answer[mutation].userErrors).toEqual([]);
}

/** What changes the answer to the question, by its name. Each leaves an answer that quotes the same text. */
const changes: Record<string, (door: TestApp, user: TestUser, ids: { profileId: string; documentId: string }) => Promise<void>> = {
  async 'its document is replaced'(door, user, { documentId }) {
    const { job, userErrors } = await replace(door, user, documentId, { name: 'manual.txt', content: `${warranty} It does not cover limescale.` });
    expect(userErrors).toEqual([]);
    expect((await ended(user, job.id)).status).toBe('SUCCEEDED');
  },
  'its document is deleted': (_door, user, { documentId }) => change(user, 'deleteDocument', 'DeleteDocumentInput', { id: documentId }),
  'its document is taken from the profile': (_door, user, { profileId, documentId }) => change(user, 'detachDocuments', 'DetachDocumentsInput', { profileId, documentIds: [documentId] }),
  async 'the profile is given another document that answers, too'(_door, user, { profileId }) {
    const other = await add(user, [], 'Coffee machine: its warranty lasts how long the law says.', 'Law');
    await change(user, 'attachDocuments', 'AttachDocumentsInput', { profileId, documentIds: [other] });
  },
  'the profile has another prompt': (_door, user, { profileId }) => change(user, 'updateProfile', 'UpdateProfileInput', { id: profileId, patch: { systemPrompt: 'Answer in verse.' } }),
  async 'the profile has had another prompt meanwhile'(_door, user, { profileId }) {
    await change(user, 'updateProfile', 'UpdateProfileInput', { id: profileId, patch: { systemPrompt: 'Answer in verse.' } });
    await change(user, 'restoreProfileVersion', 'RestoreProfileVersionInput', { id: profileId, version: 1 });
  },
};

/** Look-ups of a kind, over all layers. */
async function lookups({ metrics }: App, kind: string): Promise<Record<string, number>> {
  const { values } = await metrics.cacheLookups.get();
  const counted: Record<string, number> = { hit: 0, miss: 0 };
  for (const { labels, value } of values) if (labels.kind === kind && labels.layer === 'memory') counted[labels.outcome as string] = value;
  return counted;
}

describe('answers', () => {
  let parley: TestApp;
  let ada: TestUser;
  let profileId: string;
  let documentId: string;
  beforeAll(async () => {
    parley = await createTestApp(model.env);
    ada = await parley.signUp();
  });
  beforeEach(async () => {
    profileId = await createProfile(ada, keeping);
    documentId = await add(ada, [profileId]);
  });
  afterAll(() => parley.close());

  it('come back without a call, with the same text and citations, and cost nothing', async () => {
    const before = await lookups(parley.app, 'answer');
    const first = await ask(ada, profileId);
    expect(first).toMatchObject({ status: 'SUCCEEDED', cached: false, calls: 1, attempts: [{ attempt: 1 }], usage: { inputTokens: 7, outputTokens: 3 } });
    expect(first.outputMessage.citations).toMatchObject([{ index: 1, quote: warranty, document: { id: documentId }, location: { startOffset: 0, endOffset: warranty.length } }]);
    const again = await ask(ada, profileId);
    expect(again).toMatchObject({ status: 'SUCCEEDED', cached: true, calls: 0, attempts: [], usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 } });
    expect({ ...again.outputMessage, id: null }).toEqual({ ...first.outputMessage, id: null });
    expect(await lookups(parley.app, 'answer')).toEqual({ hit: before['hit']! + 1, miss: before['miss']! + 1 });
    const { configuration } = await ada.ask('{ configuration { cacheTtls { kind seconds } } }');
    for (const kind of ['answer', 'embedding', 'search']) expect(configuration.cacheTtls).toContainEqual({ kind, seconds: expect.any(Number) });
  });

  it('are asked for anew by regenerateMessage, and the new one is kept in place of the old', async () => {
    const first = await ask(ada, profileId);
    respond = (call) => {
      call.say('Two years.');
      call.end();
    };
    const anew = await regenerate(ada, first.sessionId, first.outputMessage.id);
    expect(anew).toMatchObject({ cached: false, calls: 1, outputMessage: { text: 'Two years.' } });
    expect(await ask(ada, profileId)).toMatchObject({ cached: true, calls: 0, outputMessage: { text: 'Two years.' } });
  });

  it.each(Object.keys(changes))('are not served when %s', async (name) => {
    await ask(ada, profileId);
    await changes[name]!(parley, ada, { profileId, documentId });
    expect(await ask(ada, profileId)).toMatchObject({ cached: false, calls: 1 });
    expect(await ask(ada, profileId)).toMatchObject({ cached: true, calls: 0 });
  });

  it('are not served after another conversation, nor to another question or of another model', async () => {
    const { sessionId } = await ask(ada, profileId);
    const calls = model.calls;
    const second = await ending(ada, sessionId, await sendTo(ada, sessionId, question));
    expect(second).toMatchObject({ cached: false });
    expect(await ask(ada, profileId, `${question} `)).toMatchObject({ cached: false });
    const { models } = await ada.ask('{ models(capability: CHAT) { id name } }');
    const other = models.find(({ name }: { name: string }) => name === 'gpt-4.1');
    await ada.ask('mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { run { id } } }', { input: { messageId: second.outputMessage.id, modelId: other.id, idempotencyKey: randomUUID() } });
    await expect.poll(() => model.calls - calls, soon).toBe(3);
  });

  it('are kept only where the profile wants it: at temperature 0 unless it says otherwise, above only when it says so', async () => {
    for (const [settings, cached] of [[{ temperature: 0.2 }, false], [{ temperature: 0.7, cacheAnswers: true }, true], [{ temperature: 0, cacheAnswers: false }, false]] as const) {
      const id = await createProfile(ada, { ...keeping, ...settings });
      await ask(ada, id);
      expect(await ask(ada, id), JSON.stringify(settings)).toMatchObject({ cached, calls: cached ? 0 : 1 });
    }
  });

  it('that were cancelled are not kept', async () => {
    const speaking = Promise.withResolvers<ModelCall>();
    respond = speaking.resolve;
    const sessionId = await createSession(ada, profileId);
    const sent = await sendTo(ada, sessionId, question);
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: sent.cursor });
    const call = await speaking.promise;
    call.say('The warranty lasts');
    await stream.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta');
    await change(ada, 'cancelRun', 'CancelRunInput', { runId: sent.runId });
    await call.abandoned;
    expect(await ending(ada, sessionId, sent)).toMatchObject({ status: 'CANCELLED' });
    respond = quote;
    expect(await ask(ada, profileId)).toMatchObject({ status: 'SUCCEEDED', cached: false, calls: 1 });
  });

  /** A run whose model gives this answer, and how often it was asked. */
  async function runWith(answer: Partial<ChatAnswer>) {
    const asked = { calls: 0 };
    const run = {
      runId: 'run',
      ctx: createContext(parley.app, { viewer: await authenticate(parley.app, ada.accessToken) }),
      models: { ...parley.app.models, ask: async () => (asked.calls++, { modelId: 'openai:gpt-4.1', text: 'Yes.', toolCalls: [], finish: 'STOP', ...answer }) },
      signal: new AbortController().signal,
      settings: { profileId: 'profile', caching: { profileVersionId: randomUUID(), sessionId: 'session', refresh: false } },
      emit: () => undefined,
    } as unknown as RunScope;
    const request = { modelIds: ['openai:gpt-4.1', 'openai:gpt-4'], options: { temperature: 0, maxOutputTokens: 9 }, messages: [], signal: run.signal } as const;
    const hooks: ChatHooks = { text: () => undefined, reasoning: () => undefined, attempt: () => undefined, usage: () => undefined, fellBack: () => undefined };
    return { asked, ask: (more: Partial<ChatHooks> = {}) => askOrReplay(run, request, [], { ...hooks, ...more }) };
  }

  it.each<[string, Partial<ChatAnswer>]>([
    ['that were cut at their limit', { finish: 'LENGTH' }],
    ['that ask for a tool', { finish: 'TOOL_CALLS', toolCalls: [{ id: '1', name: 'look', arguments: {}, invalid: null }] }],
    ["that are another model's", { modelId: 'openai:gpt-4' }],
    ['without a word', { text: '' }],
    ['that are complete', {}],
  ])('%s are kept only when they are complete and of the model that was asked', async (_what, rest) => {
    const { asked, ask } = await runWith(rest);
    await ask();
    await ask();
    expect(asked.calls).toBe(Object.keys(rest).length === 0 ? 1 : 2);
  });

  it('come back in pieces that cut no character', async () => {
    // Every piece would end between the two halves of a character.
    const long = `1${'Ärger 😀'.repeat(2_000)}`;
    const { asked, ask } = await runWith({ text: long });
    await ask();
    const pieces: string[] = [];
    await ask({ text: (piece) => void pieces.push(piece) });
    expect(asked.calls).toBe(1);
    expect(pieces.join('')).toBe(long);
    expect(pieces.length).toBeGreaterThan(100);
    for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
  });

  it("are a workspace's own: another with the same prompt, question and text asks its model", async () => {
    await ask(ada, profileId);
    const mallory = await parley.signUp('Mallory');
    const hers = await createProfile(mallory, keeping);
    await add(mallory, [hers]);
    respond = (call) => {
      call.say('As I see it, never.');
      call.end();
    };
    expect(await ask(mallory, hers)).toMatchObject({ cached: false, calls: 1, outputMessage: { text: 'As I see it, never.' } });
    expect(await ask(ada, profileId)).toMatchObject({ cached: true, outputMessage: { text: `${warranty} [1]` } });
  });
});

describe('answers of two instances', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let proxies: [Proxy, Proxy];
  let databaseUrl: string;
  let doors: TestApp[];
  let ada: TestUser;
  let profileId: string;
  let documentId: string;
  const open = (proxy: Proxy, nodeTypes: readonly NodeType[] = []) =>
    createTestApp({ ...model.env, DATABASE_URL: databaseUrl, REDIS_URL: proxy.url, JWT_SECRET_KEY: 'a secret that both instances share', RUN_LEASE_SECONDS: '3' }, { nodeTypes });
  const at = (door: TestApp): TestUser => door.userOf(ada.accessToken, ada);

  /** What Redis holds of a text, in any value. */
  async function held(text: string): Promise<string[]> {
    const client = new Client(redis.url);
    try {
      const found: string[] = [];
      for (const key of await client.keys('parley:cache:*')) if ((await client.get(key))?.includes(text)) found.push(key);
      return found;
    } finally {
      client.disconnect();
    }
  }

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    databaseUrl = await postgres.createDatabase('caches');
    proxies = [await startProxy(redis.url), await startProxy(redis.url)];
    doors = [await open(proxies[0]), await open(proxies[1])];
    ada = await doors[0]!.signUp();
  });
  beforeEach(async () => {
    ada = at(doors[0]!);
    profileId = await createProfile(ada, keeping);
    documentId = await add(ada, [profileId]);
  });
  afterEach(async () => {
    for (const proxy of proxies) await proxy.restore();
    for (const { app } of doors) await expect.poll(() => app.redis?.attempt((client) => client.ping()), soon).toBe('PONG');
  });
  afterAll(async () => {
    for (const door of doors ?? []) await door.close();
    for (const proxy of proxies ?? []) await proxy.close();
    await redis?.close();
    await postgres?.close();
  });

  it.each(Object.keys(changes))('come back at the other, and not when %s at the first', async (name) => {
    const [a, b] = doors as [TestApp, TestApp];
    await ask(at(a), profileId);
    expect(await ask(at(b), profileId)).toMatchObject({ cached: true, calls: 0, outputMessage: { text: `${warranty} [1]`, citations: [{ quote: warranty }] } });
    await changes[name]!(a, at(a), { profileId, documentId });
    expect(await ask(at(b), profileId)).toMatchObject({ cached: false, calls: 1 });
    expect(await ask(at(a), profileId)).toMatchObject({ cached: true, calls: 0 });
  });

  it.each(Object.keys(changes))('do not come back when %s while neither hears of Redis', async (name) => {
    const [a, b] = doors as [TestApp, TestApp];
    for (const door of doors) await ask(at(door), profileId);
    for (const proxy of proxies) proxy.refuse();
    await changes[name]!(a, at(a), { profileId, documentId });
    for (const door of [b, a]) expect(await ask(at(door), profileId)).toMatchObject({ cached: false, calls: 1 });
    await Promise.all(proxies.map((proxy) => proxy.restore()));
    for (const { app } of doors) await expect.poll(() => app.redis?.attempt((client) => client.ping()), soon).toBe('PONG');
    // Both have one that is right by now.
    for (const door of [b, a]) expect(await ask(at(door), profileId)).toMatchObject({ cached: true, calls: 0 });
  });

  it('leave nothing in Redis of a document that is deleted, nor of a chat', async () => {
    const [a, b] = doors as [TestApp, TestApp];
    const secret = `Nobody may know of the number ${randomUUID()}.`;
    respond = (call) => {
      call.say(secret);
      call.end();
    };
    await ask(at(a), profileId);
    await ask(at(b), profileId);
    expect((await held(secret)).some((key) => key.startsWith('parley:cache:answer:'))).toBe(true);
    await change(at(b), 'deleteDocument', 'DeleteDocumentInput', { id: documentId });
    expect((await held(secret)).filter((key) => key.startsWith('parley:cache:answer:'))).toEqual([]);

    const talk = await ask(at(a), profileId);
    expect(talk).toMatchObject({ cached: false });
    expect((await held(secret)).some((key) => key.startsWith('parley:cache:answer:'))).toBe(true);
    await change(at(b), 'deleteChatSession', 'DeleteChatSessionInput', { id: talk.sessionId });
    expect((await held(secret)).filter((key) => key.startsWith('parley:cache:answer:'))).toEqual([]);
  });

  it('are not kept of a document that was deleted while the model spoke', async () => {
    const speaking = Promise.withResolvers<ModelCall>();
    respond = speaking.resolve;
    const asked = ask(ada, profileId);
    const call = await speaking.promise;
    await change(ada, 'deleteDocument', 'DeleteDocumentInput', { id: documentId });
    const secret = `This was said of it: ${randomUUID()}.`;
    call.say(secret);
    call.end();
    expect(await asked).toMatchObject({ status: 'SUCCEEDED', outputMessage: { text: secret } });
    expect((await held(secret)).filter((key) => key.startsWith('parley:cache:answer:'))).toEqual([]);
  });

  it('that are handed over while they are said again are said once, and still from the cache', { timeout: 60_000 }, async () => {
    const long = Array.from({ length: 30_000 }, (_, index) => `Sentence number ${index}. `).join('');
    respond = (call) => {
      call.say(long);
      call.end();
    };
    const own = await open(proxies[0]);
    await ask(at(own), profileId);
    // Only this one is there to answer.
    const others = doors.splice(0);
    for (const door of others) await door.close();
    const calls = model.calls;
    const user = at(own);
    const sessionId = await createSession(user, profileId);
    const sent = await sendTo(user, sessionId, question);
    const stream = user.subscribe(EVENTS, { s: sessionId, a: sent.cursor });
    await stream.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta');
    await own.close(0);
    doors.push(await open(proxies[0]), await open(proxies[1]));
    const run = await ending(at(doors[1]!), sessionId, sent);
    expect(run).toMatchObject({ status: 'SUCCEEDED', attempt: 2, cached: true, attempts: [] });
    expect(run.outputMessage.text).toBe(long);
    expect(model.calls).toBe(calls);
  });

  it('that are handed over after they were said are still from the cache', { timeout: 60_000 }, async () => {
    const reached = Promise.withResolvers<void>();
    const hold = (work: (signal: AbortSignal) => Promise<void>): readonly NodeType[] => [
      defineNode({
        type: 'hold',
        description: 'Waits.',
        config: z.object({}),
        input: z.object({}),
        output: z.object({}),
        process: async (_input, _config, { signal }) => (await work(signal), {}),
      }) as unknown as NodeType,
    ];
    for (const door of doors.splice(0)) await door.close();
    let holding = false;
    const own = await open(proxies[0], hold((signal) => (holding ? new Promise((_resolve, reject) => (reached.resolve(), signal.addEventListener('abort', () => reject(signal.reason)))) : Promise.resolve())));
    const nodes = [['retrieval', 'retrieval'], ['ask', 'prompt'], ['hold', 'hold'], ['check', 'output']].map(([id, type]) => ({ id, type }));
    const edges = ['start', ...nodes.map(({ id }) => id)].map((from, index) => ({ from, to: nodes[index]?.id ?? 'end' }));
    const held = await createProfile(at(own), { ...keeping, graph: { name: 'held', nodes, edges } });
    await change(at(own), 'attachDocuments', 'AttachDocumentsInput', { profileId: held, documentIds: [documentId] });
    await ask(at(own), held);
    holding = true;
    const calls = model.calls;
    const sessionId = await createSession(at(own), held);
    const sent = await sendTo(at(own), sessionId, question);
    await reached.promise;
    await own.close(0);
    doors.push(await open(proxies[0], hold(async () => undefined)), await open(proxies[1], hold(async () => undefined)));
    expect(await ending(at(doors[0]!), sessionId, sent)).toMatchObject({ status: 'SUCCEEDED', attempt: 2, cached: true, outputMessage: { text: `${warranty} [1]`, citations: [{ quote: warranty }] } });
    expect(model.calls).toBe(calls);
  });
});

describe("questions' vectors", () => {
  let embedder: EmbeddingServer;
  let parley: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    embedder = await startEmbeddingServer([['car', 'automobile'], ['rose', 'flower']]);
    parley = await createTestApp(embedder.env);
    ada = await parley.signUp();
    await add(ada, [], 'An automobile needs oil.', 'Cars');
    await add(ada, [], 'The flower needs water.', 'Roses');
  });
  afterAll(async () => {
    await parley.close();
    await embedder.close();
  });

  it('are asked for once, in whatever else is searched for, and count', async () => {
    const before = await lookups(parley.app, 'embedding');
    const calls = embedder.calls;
    const first = await search(ada, { query: 'a car', mode: 'SEMANTIC' });
    expect(embedder.calls).toBe(calls + 1);
    const again = await search(ada, { query: 'a car', mode: 'SEMANTIC', minScore: 0.001 });
    expect(again).toMatchObject({ cached: false, edges: first.edges });
    await search(ada, { query: 'a car', mode: 'HYBRID' });
    expect(embedder.calls).toBe(calls + 1);
    await search(ada, { query: 'the car', mode: 'SEMANTIC' });
    expect(embedder.calls).toBe(calls + 2);
    expect(await lookups(parley.app, 'embedding')).toEqual({ hit: before['hit']! + 2, miss: before['miss']! + 2 });
  });

  it("are a workspace's own", async () => {
    await search(ada, { query: 'a rose', mode: 'SEMANTIC' });
    const mallory = await parley.signUp('Mallory');
    await add(mallory, [], 'The flower needs water.', 'Roses');
    const calls = embedder.calls;
    expect((await search(mallory, { query: 'a rose', mode: 'SEMANTIC' })).edges).toHaveLength(1);
    expect(embedder.calls).toBe(calls + 1);
  });

  it('that could not be had are not kept, nor is what was found without them', async () => {
    embedder.refuse();
    for (let time = 0; time < 2; time++) expect(await search(ada, { query: 'flower oil' })).toMatchObject({ cached: false, degraded: ['EMBEDDER_UNAVAILABLE'] });
    embedder.refuse(false);
    expect(await search(ada, { query: 'flower oil' })).toMatchObject({ cached: false, degraded: [] });
  });

  it('of the offline embedder are not looked up', async () => {
    const offline = await createTestApp();
    const user = await offline.signUp();
    await add(user, []);
    await search(user, { query: question });
    expect(await lookups(offline.app, 'embedding')).toEqual({ hit: 0, miss: 0 });
    await offline.close();
  });
});

describe('searches', () => {
  let parley: TestApp;
  let ada: TestUser;
  let profileId: string;
  let documentId: string;
  beforeAll(async () => {
    parley = await createTestApp(model.env);
    ada = await parley.signUp();
  });
  beforeEach(async () => {
    ada = await parley.signUp();
    profileId = await createProfile(ada, keeping);
    documentId = await add(ada, [profileId]);
    await add(ada, [], 'The warranty of the bicycle.', 'Bicycle');
  });
  afterAll(() => parley.close());

  /** Searches for the first time and again. */
  async function twice(user: TestUser, input: object) {
    const [first, again] = [await search(user, input), await search(user, input)];
    expect([first.cached, again.cached]).toEqual([false, true]);
    return [first, again] as const;
  }

  it('come back with the same passages, scores and highlights, and say so', async () => {
    const before = await lookups(parley.app, 'search');
    for (const input of [{ query: question }, { query: question, mode: 'SEMANTIC' }, { query: question, rerank: true }, { query: question, profileId }, { query: 'What is this about?' }]) {
      const [first, again] = await twice(ada, input);
      expect(first.edges.length).toBeGreaterThan(0);
      expect({ ...again, tookMs: 0, cached: false }).toEqual({ ...first, tookMs: 0 });
    }
    expect(await lookups(parley.app, 'search')).toEqual({ hit: before['hit']! + 5, miss: before['miss']! + 5 });
  });

  it('page on as before, also beyond what is kept', async () => {
    const user = await parley.signUp();
    // One document of 104 passages.
    const small = await createProfile(user, { retrieval: { chunkSize: 50, chunkOverlap: 0 } });
    await add(user, [small], Array.from({ length: 104 }, (_, index) => `Ship number ${index} sails the sea ${'with wood and stones and salt '.repeat(6)}.`).join('\n\n'));
    const [first, again] = await twice(user, { query: 'ship sea', mode: 'KEYWORD' });
    expect(again.totalCount).toBe(104);
    expect(again.pageInfo).toEqual(first.pageInfo);
    const seen: string[] = [];
    let after: string | null = null;
    for (const cached of [true, true, false]) {
      const page: Awaited<ReturnType<typeof search>> = await search(user, { query: 'ship sea', mode: 'KEYWORD' }, { first: 40, after });
      expect(page.cached).toBe(cached);
      seen.push(...page.edges.map(({ node }: { node: { id: string } }) => node.id));
      after = page.pageInfo.endCursor;
      expect(page.pageInfo.hasNextPage).toBe(cached);
    }
    expect(new Set(seen).size).toBe(104);
  }, 90_000);

  it('are made again once other passages are in their scope', async () => {
    const inputs = [{ query: question, profileId }, { query: question }];
    for (const input of inputs) await twice(ada, input);
    for (const [name, work] of Object.entries(changes).filter(([each]) => each.includes('document'))) {
      const own = await createProfile(ada, keeping);
      const id = await add(ada, [own]);
      const [before] = await twice(ada, { query: question, profileId: own });
      await work(parley, ada, { profileId: own, documentId: id });
      const after = await search(ada, { query: question, profileId: own });
      expect(after, name).toMatchObject({ cached: false });
      expect(after.edges, name).not.toEqual(before.edges);
    }
    // What happened to other profiles' documents concerns the workspace only.
    expect(await search(ada, inputs[0]!)).toMatchObject({ cached: true });
    expect(await search(ada, inputs[1]!)).toMatchObject({ cached: false });
    await twice(ada, { query: question, profileId, documentIds: [documentId] });
    for (const other of [{ documentIds: [documentId] }, { profileId, documentIds: [documentId], mode: 'KEYWORD' }, { profileId, documentIds: [documentId], minScore: 0.5 }]) {
      expect(await search(ada, { query: question, ...other }), JSON.stringify(other)).toMatchObject({ cached: false });
    }
  });

  it('are made again when a document was taken away and given back', async () => {
    await twice(ada, { query: question, profileId });
    await change(ada, 'detachDocuments', 'DetachDocumentsInput', { profileId, documentIds: [documentId] });
    await change(ada, 'attachDocuments', 'AttachDocumentsInput', { profileId, documentIds: [documentId] });
    expect(await search(ada, { query: question, profileId })).toMatchObject({ cached: false, totalCount: 1 });
  });

  it("are another workspace's own", async () => {
    await twice(ada, { query: question });
    const mallory = await parley.signUp('Mallory');
    expect(await search(mallory, { query: question })).toMatchObject({ cached: false, edges: [] });
  });

  it('serve retrieval, too', async () => {
    const plain = await createProfile(ada, { ...keeping, temperature: 0.5 });
    await change(ada, 'attachDocuments', 'AttachDocumentsInput', { profileId: plain, documentIds: [documentId] });
    const hits = async (): Promise<number> => (await lookups(parley.app, 'search'))['hit'] ?? 0;
    const before = await hits();
    for (let time = 0; time < 2; time++) expect(await ask(ada, plain)).toMatchObject({ cached: false, calls: 1, outputMessage: { citations: [{ quote: warranty }] } });
    expect(await hits()).toBe(before + 1);
  });
});

async function search(user: TestUser, input: object, page: object = {}) {
  const { search: found } = await user.ask(
    `query ($input: SearchInput!, $first: Int, $after: String) { search(input: $input, first: $first, after: $after) { totalCount tookMs cached degraded pageInfo { hasNextPage endCursor }
      edges { rank node { id } scores { fused vector keyword rerank } highlights { startOffset endOffset } } } }`,
    { input, ...page },
  );
  return found;
}
