import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeId } from '../src/builder.ts';
import { ChatEvent, Message, MessageBlock, Run } from '../src/chat/entity.ts';
import { kysely } from '../src/platform/database.ts';
import { createTestApp, type Subscription, type TestApp, type TestUser } from './support/app.ts';
import { startModelServer, type ModelCall, type ModelServer } from './support/model-server.ts';

const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence replayed }
  ... on MessageCreated { message { id role } }
  ... on MessageDelta { messageId blockIndex offset text tokenCount }
  ... on MessageCompleted { message { id role status text } }
  ... on MessageDeleted { messageId }
  ... on RunUpdated { runStatus attempt error { code retryable } run { id status } }
  ... on TypingChanged { isTyping typing { isAssistant user { name } } }
  ... on StreamReset { reason cursor drafts { text } session { id } }
  ... on StreamCaughtUp { cursor replayedCount } } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id status } userMessage { id text } cursor userErrors { __typename code field message ... on ConflictError { existing { id } } } } }`;
const CANCEL = 'mutation ($id: ID!) { cancelRun(input: { runId: $id }) { run { status } userErrors { code } } }';

// biome-ignore lint: events of all types are read by their fields.
type Event = any;
const finals = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'];
const isFinal = (event: Event): boolean => finals.includes(event.chatEvents?.runStatus ?? '');
const isDelta = (text: string) => (event: Event): boolean => event.chatEvents?.__typename === 'MessageDelta' && event.chatEvents.text.includes(text);
const caughtUp = (event: Event): boolean => event.chatEvents?.__typename === 'StreamCaughtUp';
const textOf = (events: Event[]): string => events.filter((event) => event.chatEvents.__typename === 'MessageDelta').map((event) => event.chatEvents.text).join('');

let model: ModelServer;
let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  model = await startModelServer();
  parley = await createTestApp(model.env);
  ada = await parley.signUp('Ada');
  profileId = await makeProfile(ada);
});
afterAll(async () => {
  await parley.close();
  await model.close();
});

async function makeProfile(user: TestUser): Promise<string> {
  const edges = [['start', 'prompt'], ['prompt', 'output'], ['output', 'end']].map(([from, to]) => ({ from, to }));
  const graph = { name: 'plain', nodes: [{ id: 'prompt', type: 'prompt' }, { id: 'output', type: 'output' }], edges };
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message field } } }', { input: { name: 'Plain', systemPrompt: 'Answer.', graph } });
  expect(createProfile.userErrors).toEqual([]);
  return createProfile.profile.id;
}

async function makeSession(user = ada, input: object = {}): Promise<string> {
  const { createChatSession } = await user.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } userErrors { code message } } }', { input: { profileId, ...input } });
  expect(createChatSession.userErrors).toEqual([]);
  return createChatSession.session.id;
}

async function send(sessionId: string, text: string, input: object = {}, user = ada) {
  return (await user.ask(SEND, { input: { sessionId, text, idempotencyKey: randomUUID(), ...input } })).sendMessage;
}

/** A session with a run whose model waits for the test. */
async function begin(text = 'Hello'): Promise<{ sessionId: string; runId: string; cursor: string; call: ModelCall }> {
  const sessionId = await makeSession();
  const sent = await send(sessionId, text);
  expect(sent.userErrors).toEqual([]);
  return { sessionId, runId: sent.run.id, cursor: sent.cursor, call: await model.call() };
}

describe('a message', () => {
  it('is answered by events without a gap and text that adds up to the stored answer', async () => {
    const sessionId = await makeSession();
    const stream = ada.subscribe(EVENTS, { s: sessionId });
    await stream.until(caughtUp);
    const sent = await send(sessionId, 'Hello');
    expect(sent).toMatchObject({ userErrors: [], userMessage: { text: 'Hello' }, run: { status: 'QUEUED' } });
    const call = await model.call();
    for (const word of ['Good', ' morning', ', Ada', '.']) call.say(word);
    call.end();
    await stream.until(isFinal);
    const events = stream.events.map((event) => event.chatEvents);
    const logged = events.filter((event) => event.sequence !== undefined && event.__typename !== 'MessageDelta').map((event) => event.sequence);
    expect(logged).toEqual(logged.map((_: number, index: number) => index + 1));
    const completed = events.find((event) => event.__typename === 'MessageCompleted');
    expect(completed.message).toMatchObject({ role: 'ASSISTANT', status: 'COMPLETE', text: 'Good morning, Ada.' });
    expect(textOf(stream.events)).toBe('Good morning, Ada.');
    expect(events.indexOf(completed)).toBeLessThan(events.findIndex((event) => event.runStatus === 'SUCCEEDED'));
    expect(events.filter((event) => event.__typename === 'TypingChanged').map((event) => event.isTyping)).toEqual([true, false]);
  });

  it('is sent once for one idempotency key, and another request with the key is a conflict', async () => {
    const sessionId = await makeSession();
    const key = randomUUID();
    const before = model.calls;
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(sessionId, 'Once', { idempotencyKey: key })));
    expect(new Set(answers.map((answer) => answer.run.id)).size).toBe(1);
    (await model.call()).end();
    expect(model.calls).toBe(before + 1);
    const other = await send(sessionId, 'Twice', { idempotencyKey: key });
    expect(other.userErrors[0]).toMatchObject({ __typename: 'ConflictError', code: 'CONFLICT', field: ['idempotencyKey'], existing: { id: answers[0].run.id } });
  });

  it('is another one with the same key in another workspace', async () => {
    const sessionId = await makeSession();
    const key = randomUUID();
    await send(sessionId, 'Here', { idempotencyKey: key });
    (await model.call()).end();
    const elsewhere = await parley.signUp('Owner of another');
    await elsewhere.ask('mutation ($input: AddMemberInput!) { addMember(input: $input) { userErrors { message } } }', { input: { email: ada.email, role: 'EDITOR' } });
    const { login } = (await parley.request('mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } } }', { input: { email: ada.email, password: ada.password, workspaceId: elsewhere.workspaceId } })).data;
    const there = parley.userOf(login.tokens.accessToken, ada);
    const profile = await makeProfile(there);
    const sent = await send(await makeSession(there, { profileId: profile }), 'There', { idempotencyKey: key }, there);
    expect(sent.userErrors).toEqual([]);
    (await model.call()).end();
  });

  it('is refused when it is empty, too long, or holds what cannot be stored', async () => {
    const sessionId = await makeSession();
    for (const text of ['', '   \n', 'a\0b', 'x'.repeat(32_001)]) {
      expect((await send(sessionId, text)).userErrors[0]).toMatchObject({ code: 'VALIDATION_FAILED', field: ['text'] });
    }
    expect((await send(sessionId, 'Hi', { timeZone: 'Mars/Olympus' })).userErrors[0]).toMatchObject({ code: 'VALIDATION_FAILED', field: ['timeZone'] });
    expect((await send(sessionId, 'Hi', { idempotencyKey: '' })).userErrors[0].field).toEqual(['idempotencyKey']);
  });

  it('carries the conversation so far to the model', async () => {
    const { sessionId, cursor, call } = await begin('My name is Ada.');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Noted.');
    call.end();
    await stream.until(isFinal);
    await send(sessionId, 'What is my name?');
    const second = await model.call();
    expect(second.body.messages.map((message) => [message.role, message.content])).toEqual([
      ['system', 'Answer.'], ['user', 'My name is Ada.'], ['assistant', 'Noted.'], ['user', 'What is my name?'],
    ]);
    second.end();
  });

  it('books what the provider reports, for message, run and session', async () => {
    const { sessionId, runId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Yes.');
    call.end({ prompt_tokens: 100, completion_tokens: 20 });
    await stream.until(isFinal);
    const usage = 'usage { inputTokens outputTokens costUsd estimated }';
    const data = await ada.ask(`query ($s: ID!, $r: ID!) { run(id: $r) { ${usage} attempts { succeeded model { name } } outputMessage { ${usage} } } chatSession(id: $s) { ${usage} } }`, { s: sessionId, r: runId });
    expect(data.run.usage).toMatchObject({ inputTokens: 100, outputTokens: 20, estimated: false });
    expect(data.run.usage.costUsd).toBeCloseTo((100 * 0.15 + 20 * 0.6) / 1e6, 12);
    expect(data.run.outputMessage.usage).toEqual(data.run.usage);
    expect(data.chatSession.usage).toEqual(data.run.usage);
    expect(data.run.attempts).toEqual([{ succeeded: true, model: { name: 'gpt-4o-mini' } }]);
  });
});

describe('a stream', () => {
  it('resumes after any cursor with exactly the rest, while it runs and when it is over', async () => {
    const { sessionId, cursor, call } = await begin();
    const whole = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    for (const word of ['one ', 'two ', 'three ']) {
      call.say(word);
      await whole.until(isDelta(word));
    }
    const half = whole.events.find(isDelta('two')).chatEvents;
    const live = ada.subscribe(EVENTS, { s: sessionId, a: half.cursor });
    await live.until(caughtUp);
    expect(textOf(live.events)).toBe('three ');
    call.say('four');
    call.end();
    await Promise.all([whole.until(isFinal), live.until(isFinal)]);
    expect(textOf(live.events)).toBe('three four');
    const all = whole.events.filter((event) => event.chatEvents.cursor && event.chatEvents.__typename !== 'StreamCaughtUp');
    for (const [index, event] of all.entries()) {
      const again = ada.subscribe(EVENTS, { s: sessionId, a: event.chatEvents.cursor });
      await again.until(caughtUp);
      expect(textOf(again.events)).toBe(textOf(all.slice(index + 1)));
      const sequences = (events: Event[]) => events.filter((each) => each.chatEvents.sequence && each.chatEvents.__typename !== 'MessageDelta').map((each) => each.chatEvents.sequence);
      expect(sequences(again.events)).toEqual(sequences(all.slice(index + 1)));
      expect(again.events.every((each) => each.chatEvents.replayed !== false)).toBe(true);
      again.stop();
    }
  });

  it('begins without a cursor with the text so far as one replayed delta', async () => {
    const { sessionId, cursor, call } = await begin();
    const first = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('so ');
    call.say('far');
    await first.until(isDelta('far'));
    const late = ada.subscribe(EVENTS, { s: sessionId });
    await late.until(caughtUp);
    expect(late.events.slice(0, 2).map((event) => [event.chatEvents.__typename, event.chatEvents.text, event.chatEvents.replayed])).toEqual([
      ['MessageDelta', 'so far', true], ['StreamCaughtUp', undefined, undefined],
    ]);
    call.end();
    await late.until(isFinal);
  });

  it('refuses a malformed or foreign cursor, and resets one from the future', async () => {
    const [one, other] = [await makeSession(), await makeSession()];
    const { chatSession } = await ada.ask('query ($id: ID!) { chatSession(id: $id) { lastEventCursor } }', { id: other });
    for (const cursor of ['garbage', chatSession.lastEventCursor]) {
      const refused = ada.subscribe(EVENTS, { s: one, a: cursor });
      expect(await refusal(refused)).toBe('VALIDATION_FAILED');
    }
    const raw = Buffer.from(chatSession.lastEventCursor, 'base64url').toString();
    const future = Buffer.from(raw.replace(/^(1\.[^.]+\.)\d+/, '$1999')).toString('base64url');
    const reset = ada.subscribe(EVENTS, { s: other, a: future });
    const event = await reset.until((each) => each.chatEvents.__typename === 'StreamReset');
    expect(event.chatEvents).toMatchObject({ reason: 'CURSOR_EXPIRED', session: { id: other }, drafts: [] });
  });

  it('resets a reader from before clearChatSession, and completes when the session is deleted', async () => {
    const { sessionId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.end();
    await stream.until(isFinal);
    const cleared = await ada.ask('mutation ($id: ID!) { clearChatSession(input: { id: $id }) { session { messages { totalCount } } userErrors { code } } }', { id: sessionId });
    expect(cleared.clearChatSession).toEqual({ session: { messages: { totalCount: 0 } }, userErrors: [] });
    await stream.until((event) => event.chatEvents.__typename === 'StreamReset');
    const old = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    await old.until((event) => event.chatEvents.__typename === 'StreamReset');
    await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { deletedId } }', { id: sessionId });
    expect(await stream.ended).toBeNull();
    expect(await old.ended).toBeNull();
  });

  it('does not slow others nor hold anything for a reader that stops reading, and that one catches up exactly', { timeout: 120_000 }, async () => {
    const words = Array.from({ length: 1_000 }, (_, index) => `word${index} ${'x'.repeat(1_000)} `);
    const text = words.join('');
    const run = async (withPaused: boolean): Promise<{ milliseconds: number; heap: number }> => {
      const { sessionId, cursor, call } = await begin();
      const reading = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
      await reading.until(caughtUp);
      const paused = withPaused ? await followSlowly(sessionId, cursor) : null;
      const before = heapUsed();
      const start = performance.now();
      for (const word of words) call.say(word);
      call.end();
      await reading.until(isFinal);
      const milliseconds = performance.now() - start;
      expect(textOf(reading.events)).toBe(text);
      const heap = heapUsed() - before;
      if (paused) expect(await paused()).toBe(text);
      return { milliseconds, heap };
    };
    await run(false);
    const rounds: { alone: Awaited<ReturnType<typeof run>>; beside: Awaited<ReturnType<typeof run>> }[] = [];
    // The fastest of interleaved rounds: what else the machine does at times counts for neither, in the end.
    const fastest = (which: 'alone' | 'beside'): number => Math.min(...rounds.map((round) => round[which].milliseconds));
    const slowdown = (): number => fastest('beside') / fastest('alone');
    // A queue of the text for the paused reader would show in every round; in some, what others left behind is collected.
    const held = (): number => Math.min(...rounds.map(({ alone, beside }) => beside.heap - alone.heap));
    while (rounds.length < 2 || (rounds.length < 10 && (slowdown() >= 2 || held() >= text.length))) rounds.push({ alone: await run(false), beside: await run(true) });
    expect(slowdown()).toBeLessThan(2);
    expect(held()).toBeLessThan(text.length);
  });
});

describe('cancelRun', () => {
  it('closes the request to the model, keeps the text, and ends the run exactly once', async () => {
    const { sessionId, runId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Half an ');
    await stream.until(isDelta('Half'));
    const { cancelRun } = await ada.ask(CANCEL, { id: runId });
    expect(cancelRun.userErrors).toEqual([]);
    await call.abandoned;
    await stream.until(isFinal);
    const events = stream.events.map((event) => event.chatEvents);
    expect(events.filter((event) => finals.includes(event.runStatus)).map((event) => event.runStatus)).toEqual(['CANCELLED']);
    expect(events.find((event) => event.__typename === 'MessageCompleted').message).toMatchObject({ status: 'CANCELLED', text: 'Half an ' });
    expect((await ada.ask(CANCEL, { id: runId })).cancelRun.userErrors[0].code).toBe('RUN_NOT_ACTIVE');
  });

  it('is not caused by a client that leaves', async () => {
    const { sessionId, runId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Going ');
    await stream.until(isDelta('Going'));
    stream.stop();
    call.say('on.');
    call.end();
    const again = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    await again.until(isFinal);
    expect(textOf(again.events)).toBe('Going on.');
    expect((await ada.ask('query ($id: ID!) { run(id: $id) { status } }', { id: runId })).run.status).toBe('SUCCEEDED');
  });
});

describe('an owner of a run that was only asleep', () => {
  it('writes no row and no event once another has taken the run over', async () => {
    const { sessionId, runId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Old text');
    await stream.until(isDelta('Old'));
    const id = decodeId('Run', runId);
    const db = kysely(parley.app.database.fork(), Run, ChatEvent, MessageBlock);
    const taken = await db.updateTable('run').set({ attempt: 2, leaseOwner: 'another', leaseUntil: new Date(Date.now() + 60_000) }).where('id', '=', id).returning('outputMessageId').executeTakeFirstOrThrow();
    const state = async () => ({
      run: await db.selectFrom('run').select(['status', 'attempt', 'leaseOwner', 'outputTokens']).where('id', '=', id).executeTakeFirstOrThrow(),
      events: await db.selectFrom('chat_event').select(['sequence', 'type']).where('sessionId', '=', decodeId('ChatSession', sessionId)).orderBy('sequence').execute(),
      blocks: await db.selectFrom('message_block').select('text').where('messageId', '=', taken.outputMessageId as string).execute(),
    });
    const before = await state();
    expect(before.run).toMatchObject({ status: 'RUNNING', attempt: 2, leaseOwner: 'another' });
    call.say(' and more of it');
    call.end();
    while (parley.app.activity.runs > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await state()).toEqual(before);
    await db.updateTable('run').set({ status: 'FAILED' }).where('id', '=', id).execute();
  });
});

describe('a message while another is answered', () => {
  it('is refused by default', async () => {
    const { sessionId, runId, call } = await begin();
    const refused = await send(sessionId, 'And another');
    expect(refused.userErrors[0]).toMatchObject({ code: 'RUN_IN_PROGRESS', existing: { id: runId } });
    call.end();
  });

  it('waits with ENQUEUE and follows the first answer', async () => {
    const { sessionId, cursor, call } = await begin('First');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    const second = await send(sessionId, 'Second', { ifRunning: 'ENQUEUE' });
    expect(second.run.status).toBe('QUEUED');
    call.say('Answer one.');
    call.end();
    const next = await model.call();
    next.say('Answer two.');
    next.end();
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED' && event.chatEvents.run.id === second.run.id);
    expect(await branch(sessionId)).toEqual(['First', 'Answer one.', 'Second', 'Answer two.']);
  });

  it('cancels and keeps with INTERRUPT, cancels and forgets with ROLLBACK', async () => {
    const kept = await begin('First');
    const stream = ada.subscribe(EVENTS, { s: kept.sessionId, a: kept.cursor });
    kept.call.say('Partial');
    await stream.until(isDelta('Partial'));
    const second = await send(kept.sessionId, 'Second', { ifRunning: 'INTERRUPT' });
    const next = await model.call();
    next.say('Other.');
    next.end();
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED' && event.chatEvents.run.id === second.run.id);
    expect(await branch(kept.sessionId)).toEqual(['First', 'Partial', 'Second', 'Other.']);

    const gone = await begin('First');
    const watching = ada.subscribe(EVENTS, { s: gone.sessionId, a: gone.cursor });
    gone.call.say('Partial');
    await watching.until(isDelta('Partial'));
    const third = await send(gone.sessionId, 'Second', { ifRunning: 'ROLLBACK' });
    const last = await model.call();
    last.say('Other.');
    last.end();
    await watching.until((event) => event.chatEvents.runStatus === 'SUCCEEDED' && event.chatEvents.run.id === third.run.id);
    expect(watching.events.filter((event) => event.chatEvents.__typename === 'MessageDeleted')).toHaveLength(2);
    expect(await branch(gone.sessionId)).toEqual(['Second', 'Other.']);
    const replay = ada.subscribe(EVENTS, { s: gone.sessionId, a: gone.cursor });
    await replay.until(caughtUp);
    expect(replay.events.some((event) => event.errors)).toBe(false);
  });

  it('that is deleted while the news of it is on its way is told as deleted', async () => {
    const { sessionId, cursor, call } = await begin();
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Answer.');
    call.end();
    await stream.until(isFinal);
    const expected = stream.events.map((event) => event.chatEvents).filter((event) => event.message).map((event) => [event.sequence, event.message.id]);
    const em = parley.app.database.fork();
    await kysely(em, Message).deleteFrom('message').where('sessionId', '=', decodeId('ChatSession', sessionId)).execute();
    const late = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    await late.until(caughtUp);
    expect(late.events.filter((event) => event.errors)).toEqual([]);
    expect(late.events.map((event) => event.chatEvents).filter((event) => event.__typename === 'MessageDeleted').map((event) => [event.sequence, event.messageId])).toEqual(expected);
  });

  it('takes back with ROLLBACK only what the run brought: neither a question that was asked again nor the branch that somebody chose', async () => {
    const { sessionId, cursor, call } = await begin('First');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    const ended = (runId: string) => stream.until((event) => isFinal(event) && event.chatEvents.run.id === runId);
    const answer = (next: ModelCall, text: string): void => {
      next.say(text);
      next.end();
    };
    answer(call, 'One.');
    await stream.until(isFinal);
    const { id } = (await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages { nodes { id } } } }', { id: sessionId })).chatSession.messages.nodes[1];
    await ada.ask('mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { run { id } } }', { input: { messageId: id, idempotencyKey: randomUUID() } });
    (await model.call()).say('One again');
    await stream.until(isDelta('One again'));
    const second = await send(sessionId, 'Second', { ifRunning: 'ROLLBACK' });
    answer(await model.call(), 'Two.');
    await ended(second.run.id);
    expect(await branch(sessionId)).toEqual(['First', 'One.', 'Second', 'Two.']);

    const third = await send(sessionId, 'Third');
    (await model.call()).say('Three');
    await stream.until(isDelta('Three'));
    await ada.ask('mutation ($input: SelectBranchInput!) { selectBranch(input: $input) { session { id } } }', { input: { sessionId, leafId: id } });
    const fourth = await send(sessionId, 'Fourth', { ifRunning: 'ROLLBACK' });
    answer(await model.call(), 'Four.');
    await ended(fourth.run.id);
    expect(stream.events.find((event) => isFinal(event) && event.chatEvents.run.id === third.run.id).chatEvents.runStatus).toBe('CANCELLED');
    expect(await branch(sessionId)).toEqual(['First', 'One.', 'Fourth', 'Four.']);
  });

  it('that waits is not put below a message that hangs below itself', async () => {
    const { sessionId, cursor, call } = await begin('First');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    const second = await send(sessionId, 'Second', { ifRunning: 'ENQUEUE' });
    const third = await send(sessionId, 'Third', { ifRunning: 'ENQUEUE', parentMessageId: second.userMessage.id });
    await ada.ask('mutation ($input: SelectBranchInput!) { selectBranch(input: $input) { session { id } } }', { input: { sessionId, leafId: third.userMessage.id } });
    for (const [next, text] of [[call, 'One.'], [null, 'Two.'], [null, 'Three.']] as const) {
      const answered = next ?? (await model.call());
      answered.say(text);
      answered.end();
    }
    await stream.until((event) => isFinal(event) && event.chatEvents.run.id === third.run.id);
    expect(await branch(sessionId)).toEqual(['First', 'One.', 'Second', 'Two.', 'Third', 'Three.']);
  });
});

describe('the tree', () => {
  it('grows siblings by edit and regenerate, and selectBranch shows another', async () => {
    const { sessionId, cursor, call } = await begin('Question');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.say('Answer A');
    call.end();
    await stream.until(isFinal);
    const messages = 'messages { nodes { id role text siblingIndex siblings { id } } }';
    const [question, answer] = (await ada.ask(`query ($id: ID!) { chatSession(id: $id) { ${messages} } }`, { id: sessionId })).chatSession.messages.nodes;
    const { regenerateMessage } = await ada.ask('mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { run { id } userErrors { code } } }', { input: { messageId: answer.id, idempotencyKey: randomUUID() } });
    const again = await model.call();
    again.say('Answer B');
    again.end();
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED' && event.chatEvents.run.id === regenerateMessage.run.id);
    expect(await branch(sessionId)).toEqual(['Question', 'Answer B']);
    const { editMessage } = await ada.ask('mutation ($input: EditMessageInput!) { editMessage(input: $input) { run { id } userErrors { code } } }', { input: { messageId: question.id, text: 'Better question', idempotencyKey: randomUUID() } });
    const third = await model.call();
    third.say('Answer C');
    third.end();
    await stream.until((event) => event.chatEvents.runStatus === 'SUCCEEDED' && event.chatEvents.run.id === editMessage.run.id);
    expect(await branch(sessionId)).toEqual(['Better question', 'Answer C']);
    const { selectBranch } = await ada.ask(`mutation ($input: SelectBranchInput!) { selectBranch(input: $input) { session { ${messages} leaves { text } } userErrors { code } } }`, { input: { sessionId, leafId: answer.id } });
    expect(selectBranch.session.messages.nodes.map((message: Event) => [message.text, message.siblingIndex, message.siblings.length])).toEqual([['Question', 0, 2], ['Answer A', 0, 2]]);
    expect(selectBranch.session.leaves.map((leaf: Event) => leaf.text)).toEqual(['Answer A', 'Answer B', 'Answer C']);
    const { forkChatSession } = await ada.ask('mutation ($input: ForkChatSessionInput!) { forkChatSession(input: $input) { session { id messages { nodes { text } } } userErrors { code } } }', { input: { sessionId, fromMessageId: answer.id } });
    expect(forkChatSession.session.messages.nodes.map((message: Event) => message.text)).toEqual(['Question', 'Answer A']);
    const { rateMessage } = await ada.ask('mutation ($input: RateMessageInput!) { rateMessage(input: $input) { message { feedback { rating comment } } userErrors { code } } }', { input: { messageId: answer.id, rating: 'UP', comment: 'Good.' } });
    expect(rateMessage.message.feedback).toEqual({ rating: 'UP', comment: 'Good.' });
  });
});

describe('typing', () => {
  it('of a person reaches other connections and ends by itself', async () => {
    const sessionId = await makeSession();
    const watching = ada.subscribe(EVENTS, { s: sessionId });
    await watching.until(caughtUp);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      const { setTyping } = await ada.ask('mutation ($s: ID!) { setTyping(input: { sessionId: $s, isTyping: true }) { accepted userErrors { code } } }', { s: sessionId });
      expect(setTyping).toEqual({ accepted: true, userErrors: [] });
      const begun = await watching.until((event) => event.chatEvents.__typename === 'TypingChanged');
      expect(begun.chatEvents).toEqual({ __typename: 'TypingChanged', isTyping: true, typing: { isAssistant: false, user: { name: 'Ada' } } });
      vi.advanceTimersByTime(6_000);
      await watching.until((event) => event.chatEvents.__typename === 'TypingChanged' && !event.chatEvents.isTyping);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('access', () => {
  it('is the owner\'s alone, unless the session is shared; then it ends with FORBIDDEN when sharing ends', async () => {
    const member = await parley.signUpInto(ada, 'MEMBER');
    const sessionId = await makeSession();
    const READ = 'query ($id: ID!) { chatSession(id: $id) { id } }';
    const UPDATE = 'mutation ($input: UpdateChatSessionInput!) { updateChatSession(input: $input) { session { visibility } userErrors { code } } }';
    expect((await member.ask(READ, { id: sessionId })).chatSession).toBeNull();
    expect((await send(sessionId, 'Hi', {}, member)).userErrors[0].code).toBe('NOT_FOUND');
    const refused = member.subscribe(EVENTS, { s: sessionId });
    expect(await refusal(refused)).toBe('NOT_FOUND');
    await ada.ask(UPDATE, { input: { id: sessionId, visibility: 'WORKSPACE' } });
    expect((await member.ask(READ, { id: sessionId })).chatSession.id).toBe(sessionId);
    expect((await member.ask(UPDATE, { input: { id: sessionId, visibility: 'PRIVATE' } })).updateChatSession.userErrors[0].code).toBe('FORBIDDEN');
    const following = member.subscribe(EVENTS, { s: sessionId });
    await following.until(caughtUp);
    await ada.ask(UPDATE, { input: { id: sessionId, visibility: 'PRIVATE' } });
    await following.ended;
    expect(JSON.stringify(following.events.at(-1))).toContain('FORBIDDEN');
  });

  it('does not reach into other sessions by the id of a message there', async () => {
    const { sessionId, cursor, call } = await begin('Mine');
    const stream = ada.subscribe(EVENTS, { s: sessionId, a: cursor });
    call.end();
    await stream.until(isFinal);
    const { messages } = (await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages { nodes { id } } } }', { id: sessionId })).chatSession;
    const messageId = messages.nodes[0].id;
    const LEAF = 'query ($id: ID!, $leaf: ID!) { chatSession(id: $id) { messages(leafId: $leaf) { totalCount nodes { text } } } }';
    const FORK = 'mutation ($input: ForkChatSessionInput!) { forkChatSession(input: $input) { session { id } userErrors { code field } } }';
    const member = await parley.signUpInto(ada, 'MEMBER');
    const eve = await parley.signUp('Eve');
    for (const user of [member, eve]) {
      const own = await makeSession(user, user === eve ? { profileId: await makeProfile(eve) } : {});
      expect((await user.ask(LEAF, { id: own, leaf: messageId })).chatSession.messages).toEqual({ totalCount: 0, nodes: [] });
      expect((await user.ask(FORK, { input: { sessionId: own, fromMessageId: messageId } })).forkChatSession.userErrors).toEqual([{ code: 'NOT_FOUND', field: ['fromMessageId'] }]);
      expect((await send(own, 'Below yours', { parentMessageId: messageId }, user)).userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: ['parentMessageId'] });
      expect((await user.ask('query ($id: ID!) { node(id: $id) { id } }', { id: messageId })).node).toBeNull();
    }
  });

  it('needs CHAT, and a stranger cannot tell foreign from absent', async () => {
    const { sessionId, runId, call } = await begin();
    call.end();
    const viewer = await parley.signUpInto(ada, 'VIEWER');
    expect((await send(sessionId, 'Hi', {}, viewer)).userErrors[0]).toMatchObject({ __typename: 'ForbiddenError', code: 'FORBIDDEN' });
    const eve = await parley.signUp('Eve');
    for (const [field, id] of [['chatSession', sessionId], ['run', runId], ['node', sessionId], ['node', runId]]) {
      expect((await eve.ask(`query ($id: ID!) { ${field}(id: $id) { id } }`, { id }))[field as string]).toBeNull();
    }
    expect((await eve.ask(CANCEL, { id: runId })).cancelRun.userErrors[0].code).toBe('NOT_FOUND');
    const spy = eve.subscribe(EVENTS, { s: sessionId });
    expect(await refusal(spy)).toBe('NOT_FOUND');
    expect((await parley.request('{ chatSessions { totalCount } }')).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });
});

describe('chatSessionChanged', () => {
  it('tells of sessions that are made, renamed and deleted, to those who see them', async () => {
    const member = await parley.signUpInto(ada, 'MEMBER');
    const CHANGES = 'subscription { chatSessionChanged { kind sessionId session { title } } }';
    const mine = ada.subscribe(CHANGES);
    const others = member.subscribe(CHANGES);
    // A subscription is open once it has told of something: keep making sessions until both have.
    while (others.events.length === 0 || mine.events.length === 0) await makeSession(ada, { visibility: 'WORKSPACE', title: 'Shared' });
    const sessionId = await makeSession(ada, { title: 'Private' });
    await mine.until((event) => event.chatSessionChanged.sessionId === sessionId);
    await ada.ask('mutation ($id: ID!) { updateChatSession(input: { id: $id, title: "Renamed" }) { session { id } } }', { id: sessionId });
    await mine.until((event) => event.chatSessionChanged.kind === 'UPDATED' && event.chatSessionChanged.session?.title === 'Renamed');
    await ada.ask('mutation ($id: ID!) { deleteChatSession(input: { id: $id }) { deletedId } }', { id: sessionId });
    await mine.until((event) => event.chatSessionChanged.kind === 'DELETED' && event.chatSessionChanged.sessionId === sessionId);
    expect(others.events.some((event) => event.chatSessionChanged.sessionId === sessionId)).toBe(false);
  });
});

/** The code of the error that a subscription answers with, before any event. */
async function refusal(stream: Subscription): Promise<string> {
  await stream.ended;
  expect(stream.events).toHaveLength(1);
  return stream.events[0].errors[0].extensions.code;
}

async function branch(sessionId: string): Promise<string[]> {
  const { chatSession } = await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages(first: 50) { nodes { text } } } }', { id: sessionId });
  return chatSession.messages.nodes.map((message: Event) => message.text);
}

/** Bytes of the heap that are in use, once what can be collected is. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** Subscribes on a socket that is not read; the returned function reads on and gives the whole text. */
async function followSlowly(sessionId: string, cursor: string): Promise<() => Promise<string>> {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(`${parley.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const events: Event[] = [];
  const done = Promise.withResolvers<void>();
  await new Promise<void>((resolve) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ada.accessToken}` } })));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'connection_ack') {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: EVENTS, variables: { s: sessionId, a: cursor } } }), () => resolve());
      }
      if (message.type === 'next') events.push(message.payload.data);
      if (message.type === 'next' && isFinal(message.payload.data)) done.resolve();
    });
  });
  socket.pause();
  return async () => {
    socket.resume();
    await done.promise;
    socket.close();
    return textOf(events);
  };
}
