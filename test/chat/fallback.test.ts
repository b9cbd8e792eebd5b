// What a chat shows when another model goes on: nothing of the first after it was withdrawn, nothing of the second before.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionStream, type StreamMessage } from '../../src/chat/events.ts';
import { readMessageText } from '../../src/chat/messages.ts';
import { openTail } from '../../src/chat/tail.ts';
import type { MessageText } from '../../src/chat/walk.ts';
import { ProviderError } from '../../src/models/failures.ts';
import { openChat, sendTo, storedAnswers } from '../support/answers.ts';
import { createTestApp, type Subscription, type TestApp, type TestUser } from '../support/app.ts';
import { createSession, rowIdOf } from '../support/chats.ts';
import { applyVersions, createStrictClient, EVENTS, isEnd, type StrictClient } from '../support/strict.ts';
import { createVoice, createVoiceProfile, type Visit } from '../support/voice.ts';

const voice = createVoice();
let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  parley = await createTestApp({}, { nodeTypes: [voice.nodeType] });
  ada = await parley.signUp('Ada');
  profileId = await createVoiceProfile(ada);
});
afterAll(() => parley.close());

interface Begun {
  readonly sessionId: string;
  readonly runId: string;
  readonly cursor: string;
  readonly stream: Subscription;
  readonly visit: Visit;
}

/** A run whose node waits for the test. */
async function begin(profile = profileId): Promise<Begun> {
  const sessionId = await createSession(ada, profile);
  const { runId, cursor } = await sendTo(ada, sessionId, 'Hello');
  return { sessionId, runId, cursor, stream: ada.subscribe(EVENTS, { s: sessionId, a: cursor }), visit: await voice.visit() };
}

const shows = (text: string) => ({ chatEvents }: { chatEvents: { text?: string } }): boolean => chatEvents.text?.includes(text) ?? false;
const is = (type: string) => ({ chatEvents }: { chatEvents: { __typename: string } }): boolean => chatEvents.__typename === type;

/** Checks a stream from the run's beginning, every resumption of it, and what is stored. */
async function check({ sessionId, cursor, stream }: Begun, versions: readonly string[], visible = versions.at(-1)): Promise<StrictClient> {
  await stream.until(isEnd);
  stream.stop();
  const client = createStrictClient(cursor);
  expect(applyVersions(client, stream.events, versions)).toBe(versions.length - 1);
  expect(client.faults).toEqual([]);
  expect([...client.texts.values()]).toEqual([visible]);
  expect(client.texts).toEqual(await storedAnswers(ada, sessionId));
  const events = stream.events.filter(({ chatEvents }) => chatEvents.cursor !== undefined);
  for (const [index, { chatEvents }] of events.entries()) {
    const again = createStrictClient(cursor);
    const withdrawn = applyVersions(again, events.slice(0, index + 1), versions);
    const rest = ada.subscribe(EVENTS, { s: sessionId, a: chatEvents.cursor });
    await rest.until(is('StreamCaughtUp'));
    rest.stop();
    expect(applyVersions(again, rest.events, versions, withdrawn)).toBe(versions.length - 1);
    expect(again.faults).toEqual([]);
    expect(again.texts).toEqual(client.texts);
    expect(again.ends).toEqual(client.ends);
  }
  return client;
}

/** What is told of a session, in order. */
async function listen(sessionId: string): Promise<StreamMessage[]> {
  const heard: StreamMessage[] = [];
  await parley.app.bus.subscribe(sessionStream, rowIdOf(sessionId), (message) => void heard.push(message));
  return heard;
}

const attemptsOf = async (runId: string) =>
  (await ada.ask('query ($id: ID!) { run(id: $id) { firstTokenMs attempts { model { id } attempt succeeded errorCode isFallback } error { code message retryable node } outputMessage { status text citations { index } } } }', { id: runId })).run;

describe('when another model goes on', () => {
  it('what was shown is withdrawn before it is said why, and the new text follows', async () => {
    const begun = await begin();
    const { stream, visit } = begun;
    const keep = visit.run.written();
    visit.say('The old model says this');
    await stream.until(shows('this'));
    visit.fallBack(keep);
    visit.say('The old');
    visit.say(' text is void');
    visit.end();
    const client = await check(begun, ['The old model says this', 'The old text is void']);
    expect(client.ends).toEqual(['SUCCEEDED']);
    const events = stream.events.map(({ chatEvents }) => chatEvents).filter(({ __typename: type }) => type !== 'TypingChanged');
    const at = events.findIndex(({ __typename: type }) => type === 'MessageTruncated');
    expect(events[at]).toMatchObject({ blockIndex: 0, offset: 0, cause: 'MODEL_FELL_BACK' });
    expect(events[at + 1]).toMatchObject({ __typename: 'ModelFellBack', runId: begun.runId, errorCode: 'PROVIDER_UNAVAILABLE', discardedChars: 23 });
  });

  it('nothing is withdrawn where nothing was shown, and it is said all the same', async () => {
    const begun = await begin();
    begun.visit.fallBack(begun.visit.run.written());
    begun.visit.say('From the second model');
    begun.visit.end();
    await check(begun, ['From the second model']);
    expect(begun.stream.events.map(({ chatEvents }) => chatEvents).find(({ __typename: type }) => type === 'ModelFellBack')).toMatchObject({ discardedChars: 0 });
  });

  it('what stood when the question was asked stays, to the unit, across blocks and several withdrawals', async () => {
    const begun = await begin();
    const { stream, visit } = begun;
    visit.say('Kept. ');
    const keep = visit.run.written();
    visit.think('Let me think');
    await stream.until(shows('think'));
    visit.say('A');
    await stream.until(shows('A'));
    visit.fallBack(keep);
    visit.say('A long answer');
    await stream.until(shows('long'));
    visit.fallBack(keep, 'openai:gpt-4', 'openai:gpt-3.5-turbo');
    visit.think('Hm');
    visit.say('Done');
    visit.end();
    const client = await check(begun, ['Kept. Let me thinkA', 'Kept. A long answer', 'Kept. HmDone'], 'Kept. Done');
    expect([...client.blocks.values()]).toEqual([[{ type: 'MessageDelta', text: 'Kept. ' }, { type: 'ReasoningDelta', text: 'Hm' }, { type: 'MessageDelta', text: 'Done' }]]);
  });

  it('a message that began with reasoning may begin with text again', async () => {
    const begun = await begin();
    const { stream, visit } = begun;
    const keep = visit.run.written();
    visit.think('Hm, ');
    await stream.until(shows('Hm'));
    visit.fallBack(keep);
    visit.say('Yes');
    visit.end();
    const client = await check(begun, ['Hm, ', 'Yes']);
    expect([...client.blocks.values()]).toEqual([[{ type: 'MessageDelta', text: 'Yes' }]]);
  });

  it('a burst of fallbacks and text loses nothing and keeps its order; the node sees its own text at once', async () => {
    const begun = await begin();
    const { visit } = begun;
    visit.say('Kept: ');
    const keep = visit.run.written();
    const versions = ['Kept: '];
    for (let model = 0; model < 5; model++) {
      visit.say(`model ${model} `);
      visit.say('says');
      versions[model] = `Kept: model ${model} says`;
      if (model === 4) break;
      visit.fallBack(keep);
      expect([visit.run.answer(), visit.run.written()]).toEqual(['Kept: ', keep]);
    }
    expect([visit.run.answer(), visit.run.written()]).toEqual(['Kept: model 4 says', { blockIndex: 0, offset: 18, citations: 0 }]);
    visit.end();
    await check(begun, versions);
  });

  it('its text waits for the withdrawal to be committed and announced, and then leaves at once', async () => {
    const begun = await begin();
    const { sessionId, stream, visit } = begun;
    const keep = visit.run.written();
    visit.say('old');
    await stream.until(shows('old'));
    const heard = await listen(sessionId);
    const [busy, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = parley.app.database.fork().transactional(async () => {
      busy.resolve();
      await done.promise;
    });
    await busy.promise;
    visit.fallBack(keep);
    for (const word of ['new ', 'text ', 'waits']) visit.say(word);
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect(heard).toEqual([]);
    done.resolve();
    await holding;
    await stream.until(shows('waits'));
    const [first, ...rest] = heard.filter(({ type }) => type !== 'typing');
    expect(first).toMatchObject({ type: 'events', events: [{ type: 'MessageTruncated' }, { type: 'ModelFellBack' }] });
    expect(rest.map((message) => message.type === 'delta' && message.text)).toEqual(['new ', 'text ', 'waits']);
    visit.end();
    await check(begun, ['old', 'new text waits']);
  });

  it('citations that were withdrawn are gone, and those of before stay', async () => {
    const begun = await begin();
    const { stream, visit } = begun;
    const cite = (index: number): void =>
      visit.run.emit({
        type: 'citation', index, chunkId: null as never, documentId: null as never, documentName: 'guide', documentVersion: 1, page: null, headingPath: [],
        startOffset: 0, endOffset: 1, quote: 'q', answerStart: 0, answerEnd: 1,
      });
    visit.say('One [1]');
    cite(1);
    const keep = visit.run.written();
    expect(keep.citations).toBe(1);
    visit.say(' and two [2]');
    cite(2);
    await stream.until(({ chatEvents }) => chatEvents.citation?.index === 2);
    visit.fallBack(keep);
    visit.say(', but three [3]');
    cite(3);
    expect(visit.run.written().citations).toBe(2);
    visit.end();
    await check(begun, ['One [1] and two [2]', 'One [1], but three [3]']);
    expect((await attemptsOf(begun.runId)).outputMessage.citations).toEqual([{ index: 1 }, { index: 3 }]);
  });

  it('the first token is the first that was shown, and a run whose last model fails keeps what that one had said', async () => {
    const begun = await begin();
    const { runId, stream, visit } = begun;
    const keep = visit.run.written();
    const attempt = { attempt: 1, succeeded: false, errorCode: 'PROVIDER_UNAVAILABLE' as const, durationMs: 1 };
    visit.say('old');
    await stream.until(shows('old'));
    visit.run.emit({ type: 'modelAttempt', ...attempt, modelId: 'openai:gpt-4o', isFallback: false });
    visit.fallBack(keep);
    visit.run.emit({ type: 'modelAttempt', ...attempt, modelId: 'openai:gpt-4', errorCode: 'CIRCUIT_OPEN', isFallback: true });
    visit.fallBack(keep, 'openai:gpt-4', 'openai:gpt-3.5-turbo');
    visit.say('as far as');
    visit.run.emit({ type: 'modelAttempt', ...attempt, modelId: 'openai:gpt-3.5-turbo', isFallback: true });
    visit.fail(new ProviderError({ code: 'PROVIDER_REJECTED', retryable: true, message: 'In our words.', retryAfterMs: null }, { providerId: 'openai', attempts: 2, cause: new Error('in theirs') }));
    const client = await check(begun, ['old', 'as far as']);
    expect(client.ends).toEqual(['FAILED']);
    const run = await attemptsOf(runId);
    expect(run.attempts).toEqual([
      { model: { id: expect.any(String) }, attempt: 1, succeeded: false, errorCode: 'PROVIDER_UNAVAILABLE', isFallback: false },
      { model: { id: expect.any(String) }, attempt: 1, succeeded: false, errorCode: 'CIRCUIT_OPEN', isFallback: true },
      { model: { id: expect.any(String) }, attempt: 1, succeeded: false, errorCode: 'PROVIDER_UNAVAILABLE', isFallback: true },
    ]);
    expect(run.error).toEqual({ code: 'PROVIDER_REJECTED', message: 'In our words.', retryable: true, node: 'voice0' });
    expect(run.outputMessage).toMatchObject({ status: 'FAILED', text: 'as far as' });
  });

  it('models that have left the catalog since are still named', async () => {
    const begun = await begin();
    const { runId, sessionId, cursor, visit } = begun;
    visit.run.emit({ type: 'modelAttempt', modelId: 'gone:small', attempt: 1, succeeded: false, errorCode: 'TIMEOUT', durationMs: 1, isFallback: false });
    visit.fallBack(visit.run.written(), 'gone:small', 'gone:large:latest');
    visit.say('Done');
    visit.end();
    await check(begun, ['Done']);
    const model = '{ name isAvailable provider { name isConfigured } }';
    const replay = ada.subscribe(`subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename ... on ModelFellBack { from ${model} to ${model} } } }`, { s: sessionId, a: cursor });
    const provider = { name: 'gone', isConfigured: false };
    const { chatEvents } = await replay.until(is('ModelFellBack'));
    replay.stop();
    expect(chatEvents).toMatchObject({ from: { name: 'small', isAvailable: false, provider }, to: { name: 'large:latest', isAvailable: false, provider } });
    const { run } = await ada.ask(`query ($id: ID!) { run(id: $id) { attempts { model ${model} errorCode } } }`, { id: runId });
    expect(run.attempts).toEqual([{ model: { name: 'small', isAvailable: false, provider }, errorCode: 'TIMEOUT' }]);
  });

  it('a run that is cancelled while the withdrawal is written ends once, after it', async () => {
    const begun = await begin();
    const { runId, stream, visit } = begun;
    const keep = visit.run.written();
    visit.say('old');
    await stream.until(shows('old'));
    visit.fallBack(keep);
    visit.say('new');
    await ada.ask('mutation ($id: ID!) { cancelRun(input: { runId: $id }) { userErrors { message } } }', { id: runId });
    expect((await check(begun, ['old', 'new'])).ends).toEqual(['CANCELLED']);
  });

  it('the node after it goes on from there', async () => {
    const begun = await begin(await createVoiceProfile(ada, 2));
    const { stream, visit } = begun;
    const keep = visit.run.written();
    visit.say('old');
    await stream.until(shows('old'));
    visit.fallBack(keep);
    visit.say('new, ');
    visit.end();
    const next = await voice.visit();
    const between = next.run.written();
    expect([next.run.answer(), between.offset]).toEqual(['new, ', 5]);
    next.say('worse');
    await stream.until(shows('worse'));
    next.fallBack(between);
    next.say('better');
    next.end();
    await check(begun, ['old', 'new, worse', 'new, better']);
  });
});

it('a reader who comes while the answer streams has the text of now, whatever was withdrawn', async () => {
  const begun = await begin();
  const { sessionId, stream, visit } = begun;
  const keep = visit.run.written();
  visit.say('old');
  await stream.until(shows('old'));
  visit.fallBack(keep);
  visit.say('new');
  await stream.until(shows('new'));
  const late = ada.subscribe(EVENTS, { s: sessionId });
  await late.until(is('StreamCaughtUp'));
  visit.say(' and more');
  await late.until(shows('more'));
  late.stop();
  expect(late.events.filter(is('MessageDelta')).map(({ chatEvents }) => [chatEvents.offset, chatEvents.text])).toEqual([[0, 'new'], [3, ' and more']]);
  visit.end();
  await check(begun, ['old', 'new and more']);
});

it('an instance that hears nothing shows saved text only as far as it knows of withdrawals', async () => {
  const begun = await begin();
  const { sessionId, stream, visit } = begun;
  const keep = visit.run.written();
  visit.say('old text');
  await stream.until(shows('old'));
  const deaf: typeof parley.app = Object.create(parley.app, { bus: { value: { subscribe: async () => async () => undefined } } });
  const tail = (await openTail(deaf, rowIdOf(sessionId)))!;
  const { messageId } = tail.draft()!;
  const saved = async (text: string): Promise<MessageText> => {
    for (;;) {
      const known = await readMessageText(parley.app, messageId);
      if (known.blocks[0]?.text === text) return known;
      await nextTurn();
    }
  };
  const read = (): unknown[] => {
    const all: unknown[] = [];
    for (let step = tail.step(position); step; step = tail.step(position)) {
      position = step.position;
      all.push(step.kind === 'delta' ? step.delta.text : step.event.type);
    }
    return all;
  };
  let position = { ...tail.end(), blockIndex: 0, offset: 0 };
  const before = await saved('old text');
  tail.load(messageId, before);
  expect(read()).toEqual(['old text']);
  visit.fallBack(keep);
  visit.say('new text, and longer');
  // The rows have it all; of the log it knows nothing yet.
  tail.load(messageId, await saved('new text, and longer'));
  expect(read()).toEqual([]);
  const filled = new Promise<void>((resolve) => void tail.listen(resolve));
  tail.compare({ lastSequence: tail.lastSequence + 2, clearedSequence: 0 });
  await filled;
  // A statement that was slow brings how it was before.
  tail.load(messageId, before);
  expect(read()).toEqual(['MessageTruncated', 'ModelFellBack', 'new text, and longer']);
  await tail.close();
  visit.end();
  await check(begun, ['old text', 'new text, and longer']);
});

it('a run that falls back and is taken over withdraws each text once, for readers of before, within and after', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-fallback-'));
  const voices = createVoice();
  const options = { onDisk: true, nodeTypes: [voices.nodeType] };
  try {
    const before = await createTestApp({ DATA_DIR: folder }, options);
    const eve = await before.signUp('Eve');
    const sessionId = await createSession(eve, await createVoiceProfile(eve, 2));
    const { cursor } = await sendTo(eve, sessionId, 'Hello');
    const stream = eve.subscribe(EVENTS, { s: sessionId, a: cursor });
    const first = await voices.visit();
    first.say('Kept. ');
    first.end();
    const second = await voices.visit();
    const keep = second.run.written();
    second.say('old words');
    await stream.until(shows('old'));
    second.fallBack(keep);
    second.say('newer words, half');
    await stream.until(shows('newer'));
    const known = stream.events.filter(({ chatEvents }) => chatEvents.cursor !== undefined);
    await before.close(0);

    const after = await createTestApp({ DATA_DIR: folder }, options);
    const again = after.userOf(eve.accessToken, eve);
    try {
      const third = await voices.visit();
      // A reader who opens the session's tail again in the middle.
      const late = again.subscribe(EVENTS, { s: sessionId, a: cursor });
      third.say('last words');
      await late.until(shows('last'));
      third.end();
      await late.until(isEnd);
      const versions = ['Kept. old words', 'Kept. newer words, half', 'Kept. last words'];
      const client = createStrictClient(cursor);
      expect(applyVersions(client, late.events, versions)).toBe(2);
      expect([client.faults, [...client.texts.values()], client.ends]).toEqual([[], ['Kept. last words'], ['SUCCEEDED']]);
      for (const [index, { chatEvents }] of known.entries()) {
        const resumed = createStrictClient(cursor);
        const withdrawn = applyVersions(resumed, known.slice(0, index + 1), versions);
        const rest = again.subscribe(EVENTS, { s: sessionId, a: chatEvents.cursor });
        await rest.until(is('StreamCaughtUp'));
        rest.stop();
        expect(applyVersions(resumed, rest.events, versions, withdrawn)).toBe(2);
        expect(resumed.faults).toEqual([]);
        expect(resumed.texts).toEqual(client.texts);
      }
    } finally {
      await after.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('the prompt node tells where the question was asked, and by which models it was answered', async () => {
  const models = parley.app.models as { ask: TestApp['app']['models']['ask'] };
  const { ask } = models;
  models.ask = async ({ modelIds: [modelId] }, hooks) => {
    hooks.text('old');
    hooks.attempt({ modelId, attempt: 1, succeeded: false, errorCode: 'TIMEOUT', durationMs: 1, isFallback: false });
    hooks.fellBack({ from: modelId, to: 'offline:extractive', errorCode: 'TIMEOUT' });
    hooks.text('new');
    hooks.attempt({ modelId: 'offline:extractive', attempt: 1, succeeded: true, errorCode: null, durationMs: 1, isFallback: true });
    return { modelId: 'offline:extractive', text: 'new', toolCalls: [], finish: 'STOP' };
  };
  try {
    const sessionId = await openChat(ada);
    const { cursor } = await sendTo(ada, sessionId, 'Hello');
    const stream = ada.subscribe(
      `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
        ... on MessageTruncated { blockIndex offset } ... on ModelFellBack { errorCode discardedChars from { name isAvailable } to { name provider { kind } } }
        ... on RunUpdated { runStatus run { attempts { model { name } succeeded isFallback } outputMessage { text } } } } }`,
      { s: sessionId, a: cursor },
    );
    const { chatEvents: end } = await stream.until(isEnd);
    expect(end.run).toEqual({
      attempts: [{ model: { name: 'extractive' }, succeeded: false, isFallback: false }, { model: { name: 'extractive' }, succeeded: true, isFallback: true }],
      outputMessage: { text: 'new' },
    });
    expect((await stream.until(is('ModelFellBack'))).chatEvents).toEqual({
      __typename: 'ModelFellBack', errorCode: 'TIMEOUT', discardedChars: 3, from: { name: 'extractive', isAvailable: true }, to: { name: 'extractive', provider: { kind: 'OFFLINE' } },
    });
    expect((await stream.until(is('MessageTruncated'))).chatEvents).toMatchObject({ blockIndex: 0, offset: 0 });
  } finally {
    models.ask = ask;
  }
});
