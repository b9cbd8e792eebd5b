// What happens on one instance is known on the other: at once by messages, and from the rows when those are lost.
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChat, percentile, sendTo, speak, spread, storedAnswers } from '../support/answers.ts';
import { startCluster, type Cluster, type Instance } from '../support/cluster.ts';
import { startModelServer, type ModelCall, type ModelServer } from '../support/model-server.ts';
import { openPool } from '../support/postgres.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { readOverSse } from '../support/reading.ts';
import { seeded, soak, soakMs, stretched } from '../support/soak.ts';
import { openSocket } from '../support/socket.ts';
import { applied, applyVersions, createStrictClient, EVENTS, isEnd } from '../support/strict.ts';
import type { Subscription, TestUser } from '../support/visitor.ts';

/** What is read from rows once in a second or two is known by then, also on a busy machine. */
const soonMs = 20_000;

let model: ModelServer;
let cluster: Cluster;
let proxy: Proxy;
let rows: pg.Pool;
let [here, there]: Instance[] = [];
let ada: TestUser;

beforeAll(async () => {
  model = await startModelServer();
  // Models fail here as often as a test wants.
  cluster = await startCluster({ ...model.env, LOG_LEVEL: 'error', CIRCUIT_FAILURES: '1000' });
  proxy = await startProxy(cluster.redis.url);
  rows = openPool(cluster.databaseUrl);
  here = await cluster.start({ REDIS_URL: proxy.url });
  there = await cluster.start({ REDIS_URL: proxy.url });
  ada = await here.signUp('Ada');
});
afterAll(async () => {
  await rows?.end();
  await cluster?.close();
  await proxy?.close();
  await model?.close();
});

/** The instance that does not work on the session's run. */
async function otherThanOwner(sessionId: string): Promise<Instance> {
  const id = Buffer.from(sessionId, 'base64url').toString().replace('ChatSession:', '');
  const { rows: [run] } = await rows.query("select lease_owner from run where session_id = $1 and status = 'RUNNING'", [id]);
  const { status } = await ada.at(here as Instance).ask('{ status { instanceId } }');
  return (run.lease_owner === status.instanceId ? there : here) as Instance;
}

async function reply(text: string): Promise<ModelCall> {
  const call = await model.call();
  call.say(text);
  call.end();
  return call;
}

async function within<T>(ms: number, what: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`It took longer than ${ms} ms.`)), ms);
  return await Promise.race([what, late.promise]).finally(() => clearTimeout(timer));
}

/** Milliseconds from when the model says a piece of some answers until a reader at the other instance has it; checks the answers. */
async function answerDelays(): Promise<number[]> {
  const delays: number[] = [];
  for (let round = 0; round < soak(10); round++) {
    const sessionId = await openChat(ada);
    const { cursor } = await sendTo(ada, sessionId, 'Hello');
    const call = await model.call();
    const reader = ada.at(await otherThanOwner(sessionId)).subscribe(EVENTS, { s: sessionId, a: cursor });
    await reader.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
    const pieces = Array.from({ length: 120 }, (_, index) => `piece ${index}, `);
    const saidAt: number[] = [];
    const speaking = speak(call, pieces, 20, (index) => (saidAt[index] = performance.now()));
    let end = 0;
    for (const [index, piece] of pieces.entries()) {
      end += piece.length;
      await reader.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta' && chatEvents.offset + chatEvents.text.length >= end);
      delays.push(performance.now() - (saidAt[index] as number));
    }
    await speaking;
    await reader.until(isEnd);
    reader.stop();
    const client = applied(reader.events, cursor);
    expect(client.faults).toEqual([]);
    expect([...client.texts.values()]).toEqual([pieces.join('')]);
    expect(client.texts).toEqual(await storedAnswers(ada, sessionId));
  }
  return delays;
}

it('with one in twenty messages lost an answer is at most a second behind the model on the other instance, and complete', { timeout: soakMs(30_000) }, async () => {
  const random = seeded(20261127);
  proxy.dropMessages(() => random() < 0.05);
  const delays = await answerDelays();
  await proxy.restore();
  console.info(`with one in twenty messages lost a piece is behind the model by ${spread(delays)}`);
  expect(Math.max(...delays)).toBeLessThanOrEqual(stretched(1_000));
});

/** An answer that two models begin and a third one gives, to readers on both instances and to those who resume anywhere. */
async function expectFallback(): Promise<void> {
  const sessionId = await openChat(ada, 'PRIVATE', ['openai:gpt-4o', 'openai:gpt-4']);
  const { runId, cursor } = await sendTo(ada, sessionId, 'Hello');
  let call = await model.call();
  const other = await otherThanOwner(sessionId);
  const readers = [here, there].map((instance) => ada.at(instance as Instance).subscribe(EVENTS, { s: sessionId, a: cursor }));
  const versions = ['The first model begins at length', 'The second says', 'The third model says it all, and more than the first'];
  for (const [index, version] of versions.entries()) {
    if (index > 0) call = await model.call();
    const half = Math.ceil(version.length / 2);
    call.say(version.slice(0, half));
    call.say(version.slice(half));
    const has = ({ chatEvents }: { chatEvents: { __typename: string; offset?: number; text?: string; sequence?: number } }): boolean =>
      chatEvents.__typename === 'MessageDelta' && chatEvents.offset! + chatEvents.text!.length === version.length;
    await within(soonMs, Promise.all(readers.map((reader) => reader.until(has))));
    if (index < 2) call.cut();
    else call.end();
  }
  // Both: a cursor of one instance is from the future for another that has not heard as much.
  await within(soonMs, Promise.all(readers.map((reader) => reader.until(isEnd))));
  for (const reader of readers) {
    reader.stop();
    const client = createStrictClient(cursor);
    expect(applyVersions(client, reader.events, versions)).toBe(2);
    expect([client.faults, client.ends, [...client.texts.values()]]).toEqual([[], ['SUCCEEDED'], versions.slice(2)]);
    const events = reader.events.filter(({ chatEvents }) => chatEvents.cursor !== undefined);
    for (const [index, { chatEvents }] of events.entries()) {
      const resumed = createStrictClient(cursor);
      const withdrawn = applyVersions(resumed, events.slice(0, index + 1), versions);
      const rest = ada.at(other).subscribe(EVENTS, { s: sessionId, a: chatEvents.cursor });
      await rest.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
      rest.stop();
      expect(applyVersions(resumed, rest.events, versions, withdrawn)).toBe(2);
      expect([resumed.faults, resumed.ends, resumed.texts]).toEqual([[], ['SUCCEEDED'], client.texts]);
    }
  }
  const { run } = await ada.at(other).ask('query ($id: ID!) { run(id: $id) { attempts { model { name } succeeded errorCode isFallback } } }', { id: runId });
  expect(run.attempts).toEqual([
    { model: { name: 'gpt-4o-mini' }, succeeded: false, errorCode: 'PROVIDER_UNAVAILABLE', isFallback: false },
    { model: { name: 'gpt-4o' }, succeeded: false, errorCode: 'PROVIDER_UNAVAILABLE', isFallback: true },
    { model: { name: 'gpt-4' }, succeeded: true, errorCode: null, isFallback: true },
  ]);
}

it('when another model goes on nobody sees its text before the first was withdrawn, nor that one after, with every second message lost', { timeout: soakMs(60_000) }, async () => {
  const random = seeded(20261125);
  await expectFallback();
  proxy.dropMessages(() => random() < 0.5);
  for (let round = 0; round < soak(5); round++) await expectFallback();
  await proxy.restore();
});

describe.each([
  ['with every message of Redis lost', (): void => proxy.dropMessages(true)],
  ['with Redis gone', (): void => proxy.refuse()],
])('%s', (how, fault) => {
  beforeAll(fault);
  afterAll(() => proxy.restore());

  it('an answer on one instance is at most a second behind the model on the other, and complete', { timeout: soakMs(30_000) }, async () => {
    const delays = await answerDelays();
    console.info(`${how}, a piece is behind the model by ${spread(delays)}`);
    // It was not heard by a message.
    expect(percentile(delays, 50)).toBeGreaterThan(50);
    expect(percentile(delays, 95)).toBeLessThanOrEqual(stretched(1_000));
    expect(Math.max(...delays)).toBeLessThanOrEqual(stretched(1_000));
  });

  it('another model goes on just as exactly', () => expectFallback());

  it('session lists hear of sessions that are made, renamed, used and deleted elsewhere, if they may see them', async () => {
    const bob = await (here as Instance).signUpInto(ada, 'MEMBER');
    const CHANGES = 'subscription { chatSessionChanged { kind sessionId session { title } } }';
    const lists = [ada, bob].map((user) => user.at(there as Instance).subscribe(CHANGES));
    const [mine, others] = lists as [Subscription, Subscription];
    const heard = (list: Subscription, kind: string, sessionId: string, title?: string) =>
      within(soonMs, list.until(({ chatSessionChanged: change }) => change.kind === kind && change.sessionId === sessionId && (title === undefined || change.session?.title === title)));
    const [own, shared] = [await openChat(ada), await openChat(ada, 'WORKSPACE')];
    await heard(mine, 'CREATED', own);
    for (const list of lists) await heard(list, 'CREATED', shared);
    for (const [id, title] of [[own, 'Mine'], [shared, 'Ours']]) {
      await ada.ask('mutation ($input: UpdateChatSessionInput!) { updateChatSession(input: $input) { userErrors { message } } }', { input: { id, title } });
    }
    await heard(mine, 'UPDATED', own, 'Mine');
    for (const list of lists) await heard(list, 'UPDATED', shared, 'Ours');
    const before = mine.events.length;
    await sendTo(ada, own, 'Hello');
    await reply('Good day');
    await expect.poll(() => mine.events.slice(before).some(({ chatSessionChanged: change }) => change.kind === 'UPDATED' && change.sessionId === own), { timeout: soonMs }).toBe(true);
    await expect.poll(async () => (await storedAnswers(ada, own)).size).toBe(1);
    for (const id of [own, shared]) await expect.poll(async () => (await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { deletedId userErrors { message } } }', { id })).deleteChatSession.deletedId).toBe(id);
    await heard(mine, 'DELETED', own);
    for (const list of lists) await heard(list, 'DELETED', shared);
    expect(others.events.filter(({ chatSessionChanged: change }) => change.sessionId === own)).toEqual([]);
    // Nothing is told twice.
    for (const kind of ['CREATED', 'DELETED']) expect(mine.events.filter(({ chatSessionChanged: change }) => change.kind === kind && change.sessionId === shared)).toHaveLength(1);
    for (const list of lists) list.stop();
  });

  it('a sign-out, a removal and another role end what is open elsewhere', async () => {
    const sessionId = await openChat(ada, 'WORKSPACE');
    const open = async (user: TestUser) => {
      const events = await readOverSse((there as Instance).url, user.accessToken, EVENTS, { s: sessionId });
      const socket = await openSocket((there as Instance).url, user.accessToken);
      await socket.begin('1', EVENTS, { s: sessionId });
      expect((await events.next()).data.chatEvents.__typename).toBe('StreamCaughtUp');
      return { events, socket };
    };
    const [bob, carol, dan] = await Promise.all([1, 2, 3].map(() => (here as Instance).signUpInto(ada, 'MEMBER'))) as [TestUser, TestUser, TestUser];
    const [ofBob, ofCarol, ofDan, ofAda] = await Promise.all([open(bob), open(carol), open(dan), open(ada)]);
    await bob.ask('mutation { logout(input: {}) { revokedSessionIds } }');
    await ada.ask('mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { deletedId } }', { input: { userId: carol.id } });
    await ada.ask('mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { message } } }', { input: { userId: dan.id, role: 'VIEWER' } });
    for (const { events, socket } of [ofBob, ofCarol]) {
      expect((await within(soonMs, socket.closed)).code).toBe(4403);
      expect((await within(soonMs, events.next())).errors[0].extensions.code).toBe('UNAUTHENTICATED');
      expect(await events.next()).toBeNull();
    }
    expect((await within(soonMs, ofDan.events.next())).errors[0].extensions.code).toBe('FORBIDDEN');
    await within(soonMs, ofDan.socket.until((message) => message.id === '1' && message.type === 'complete'));
    expect((await ofDan.socket.begin('2', '{ viewer { role } }')).payload).toEqual({ data: { viewer: { role: 'VIEWER' } } });
    // Whose access has not changed hears on.
    const { runId } = await sendTo(ada, sessionId, 'Hello');
    await reply('Good day');
    await within(soonMs, ofAda.socket.until((message) => message.payload?.data?.chatEvents.run?.id === runId));
    for (const { events, socket } of [ofDan, ofAda]) await Promise.all([events.sever(), socket.close()]);
  });

  it('a run that is cancelled elsewhere stops, and each reader hears of it once', async () => {
    const sessionId = await openChat(ada);
    const { runId, cursor } = await sendTo(ada, sessionId, 'Hello');
    const call = await model.call();
    call.say('I was about to ');
    const other = await otherThanOwner(sessionId);
    const readers = [here, there].map((instance) => ada.at(instance as Instance).subscribe(EVENTS, { s: sessionId, a: cursor }));
    await Promise.all(readers.map((reader) => reader.until(({ chatEvents }) => chatEvents.__typename === 'MessageDelta')));
    await ada.at(other).ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { userErrors { message } } }', { id: runId });
    await within(soonMs, call.abandoned);
    for (const reader of readers) {
      await within(soonMs, reader.until(isEnd));
      reader.stop();
      const client = applied(reader.events, cursor);
      expect([client.faults, client.ends, [...client.texts.values()]]).toEqual([[], ['CANCELLED'], ['I was about to ']]);
    }
  });

  it('a session that is cleared elsewhere is reset, and one that is deleted completes its stream', async () => {
    const sessionId = await openChat(ada);
    await sendTo(ada, sessionId, 'Hello');
    await reply('Good day');
    await expect.poll(async () => [...(await storedAnswers(ada, sessionId)).values()]).toEqual(['Good day']);
    const reader = ada.at(there as Instance).subscribe(EVENTS, { s: sessionId });
    await reader.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
    await expect.poll(async () => (await ada.ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId })).clearChatSession.userErrors).toEqual([]);
    await within(soonMs, reader.until(({ chatEvents }) => chatEvents.__typename === 'StreamReset'));
    await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { deletedId } }', { id: sessionId });
    expect(await within(soonMs, reader.ended)).toBeNull();
  });

  it('a model is never sent what was taken back, cleared or edited on the other instance', async () => {
    const sessionId = await openChat(ada);
    /** Asks at an instance; returns what the model was sent before the question. */
    const ask = async (at: Instance | undefined, question: string, answer: string, more: object = {}): Promise<string[]> => {
      const user = ada.at(at as Instance);
      await sendTo(user, sessionId, question, more);
      const call = await reply(answer);
      await expect.poll(async () => (await user.ask('query ($id: ID!) { chatSession(id: $id) { activeRun { id } } }', { id: sessionId })).chatSession.activeRun).toBeNull();
      return call.body.messages.slice(1, -1).map((message) => message.content);
    };
    expect(await ask(here, 'one', 'eins')).toEqual([]);
    expect(await ask(here, 'two', 'zwei')).toEqual(['one', 'eins']);
    // Taken back by the other instance, while this one answers.
    await sendTo(ada.at(here as Instance), sessionId, 'taken back');
    const call = await model.call();
    call.say('never said');
    expect(await ask(there, 'three', 'drei', { ifRunning: 'ROLLBACK' })).toEqual(['one', 'eins', 'two', 'zwei']);
    expect(await ask(here, 'four', 'vier')).toEqual(['one', 'eins', 'two', 'zwei', 'three', 'drei']);
    await ada.at(there as Instance).ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { userErrors { message } } }', { id: sessionId });
    expect(await ask(here, 'five', 'fünf')).toEqual([]);
    expect(await ask(there, 'six', 'sechs')).toEqual(['five', 'fünf']);
    expect(await ask(here, 'seven', 'sieben')).toEqual(['five', 'fünf', 'six', 'sechs']);
  });
});

it('typing on one instance is shown on the other, and ends there by itself when the instance is killed', { timeout: 60_000 }, async () => {
  const worker = await cluster.start({ REDIS_URL: proxy.url, APP_ROLE: 'all' });
  const watcher = await cluster.start({ REDIS_URL: proxy.url, APP_ROLE: 'api' });
  for (const instance of [here, there] as Instance[]) await instance.kill();
  for (const instance of [worker, watcher]) await expect.poll(() => busOf(instance), { timeout: 10_000 }).toBe('clustered');
  const bob = await watcher.signUpInto(ada.at(watcher), 'MEMBER');
  const sessionId = await openChat(ada.at(worker), 'WORKSPACE');
  const stream = bob.at(watcher).subscribe(EVENTS, { s: sessionId });
  await stream.until(({ chatEvents }) => chatEvents.__typename === 'StreamCaughtUp');
  const changes = (assistant: boolean): boolean[] => stream.events.map(({ chatEvents }) => chatEvents).filter((event) => event.typing?.isAssistant === assistant).map((event) => event.isTyping);
  const setTyping = (isTyping: boolean) => ada.at(worker).ask('mutation ($input: SetTypingInput!) { setTyping(input: $input) { accepted } }', { input: { sessionId, isTyping } });
  await setTyping(true);
  await expect.poll(() => changes(false)).toEqual([true]);
  expect(stream.events.at(-1).chatEvents.typing.user.id).toBe(ada.id);
  await setTyping(false);
  await expect.poll(() => changes(false)).toEqual([true, false]);
  await sendTo(ada.at(worker), sessionId, 'Hello');
  (await model.call()).say('I am');
  await expect.poll(() => changes(true)).toEqual([true]);
  await setTyping(true);
  await expect.poll(() => changes(false)).toEqual([true, false, true]);
  const killedAt = performance.now();
  await worker.kill();
  await expect.poll(() => changes(false), { timeout: 10_000 }).toEqual([true, false, true, false]);
  await expect.poll(() => changes(true), { timeout: 20_000 }).toEqual([true, false]);
  console.info(`nobody is shown as typing ${Math.round(performance.now() - killedAt)} ms after the instance was killed`);
  expect((await bob.at(watcher).ask('query ($id: ID!) { chatSession(id: $id) { typing { isAssistant } } }', { id: sessionId })).chatSession.typing).toEqual([]);
});

async function busOf(instance: Instance): Promise<string> {
  const { components } = (await (await fetch(`${instance.url}/ready`)).json()) as { components: { name: string; message: string }[] };
  return components.find(({ name }) => name === 'bus')?.message ?? '';
}
