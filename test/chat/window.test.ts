import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticate } from '../../src/accounts/service.ts';
import { decodeId } from '../../src/builder.ts';
import { followSession } from '../../src/chat/service.ts';
import { createContext } from '../../src/context.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';

const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence }
  ... on StreamCaughtUp { cursor replayedCount }
  ... on StreamReset { reason cursor session { title } } } }`;
const RENAME = 'mutation ($id: ID!, $title: String!) { updateChatSession(input: { id: $id, title: $title }) { userErrors { message } } }';
const window = 10;

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp({ REPLAY_WINDOW_EVENTS: String(window) });
  ada = await parley.signUp();
});
afterAll(() => parley.close());

async function makeSession(): Promise<{ id: string; cursor: string }> {
  const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer." }) { profile { id } } }');
  const { createChatSession } = await ada.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id lastEventCursor } } }', {
    input: { profileId: createProfile.profile.id, title: '0', idempotencyKey: randomUUID() },
  });
  return { id: createChatSession.session.id, cursor: createChatSession.session.lastEventCursor };
}

/** Logs one event for each rename. */
async function rename(id: string, times: number): Promise<void> {
  for (let count = 1; count <= times; count++) await ada.ask(RENAME, { id, title: String(count) });
}

describe(`a reader more than ${window} logged events behind`, () => {
  it('is reset when it subscribes, and one that is just within is replayed', async () => {
    const { id, cursor } = await makeSession();
    await rename(id, window);
    const within = ada.subscribe(EVENTS, { s: id, a: cursor });
    const caughtUp = await within.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
    expect(caughtUp.chatEvents.replayedCount).toBe(window);
    await rename(id, 1);
    const outdated = ada.subscribe(EVENTS, { s: id, a: cursor });
    const reset = await outdated.until((event) => event.chatEvents.__typename === 'StreamReset');
    expect(reset.chatEvents).toMatchObject({ reason: 'CURSOR_EXPIRED', session: { title: '1' } });
    // The snapshot's cursor is a place to go on from.
    const again = ada.subscribe(EVENTS, { s: id, a: reset.chatEvents.cursor });
    expect((await again.until((event) => event.chatEvents.__typename === 'StreamCaughtUp')).chatEvents.replayedCount).toBe(0);
  });

  it('is reset when it reads on after it had paused, and goes on live from there', async () => {
    const { id } = await makeSession();
    // An iterator that is not pulled, as of a client whose socket takes nothing more.
    const viewer = await authenticate(parley.app, ada.accessToken);
    const items = await followSession(createContext(parley.app, { viewer }), decodeId('ChatSession', id), null);
    expect((await items.next()).value).toMatchObject({ kind: 'caughtUp' });
    await rename(id, window + 1);
    expect((await items.next()).value).toMatchObject({ kind: 'reset', reason: 'SLOW_CONSUMER' });
    await rename(id, 1);
    expect((await items.next()).value).toMatchObject({ kind: 'event', event: { type: 'SessionUpdated', sequence: window + 2 }, replayed: false });
    await items.return?.();
  });
});

it('a reader that is closed before its first event holds nothing', async () => {
  const { id } = await makeSession();
  const before = parley.app.activity.subscriptions;
  const stream = ada.subscribe(EVENTS, { s: id });
  await stream.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
  expect(parley.app.activity.subscriptions).toBe(before + 1);
  stream.stop();
  while (parley.app.activity.subscriptions > before) await new Promise((resolve) => setImmediate(resolve));
  expect(parley.app.tails.peek(decodeId('ChatSession', id))).toBeUndefined();
});
