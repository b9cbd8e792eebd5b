import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';

const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence replayed }
  ... on MessageCreated { message { id role } }
  ... on MessageDelta { messageId blockIndex offset text tokenCount }
  ... on MessageCompleted { message { id role status text citations { quote } } }
  ... on RunUpdated { runStatus attempt error { code } run { id status } }
  ... on TypingChanged { isTyping typing { isAssistant user { name } } }
  ... on StreamReset { reason cursor drafts { text } }
  ... on StreamCaughtUp { cursor replayedCount } } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id status } userMessage { id text } cursor userErrors { __typename code field message } } }`;

let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp('Ada');
  profileId = await makeProfile(ada);
});
afterAll(() => parley.close());

async function makeProfile(user: TestUser): Promise<string> {
  const graph = { name: 'plain', nodes: [{ id: 'prompt', type: 'prompt' }, { id: 'output', type: 'output' }], edges: [{ from: 'start', to: 'prompt' }, { from: 'prompt', to: 'output' }, { from: 'output', to: 'end' }] };
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message field } } }', { input: { name: 'Plain', systemPrompt: 'Answer.', graph } });
  expect(createProfile.userErrors).toEqual([]);
  return createProfile.profile.id;
}

async function makeSession(user: TestUser, input: object = {}): Promise<string> {
  const { createChatSession } = await user.ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } userErrors { code } } }', { input: { profileId, ...input } });
  expect(createChatSession.userErrors).toEqual([]);
  return createChatSession.session.id;
}

const isFinal = (event: { chatEvents: { runStatus?: string } }): boolean => ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(event.chatEvents?.runStatus ?? '');

describe('a message', () => {
  it('is answered by a stream of events that adds up to the stored answer', async () => {
    const sessionId = await makeSession(ada);
    const stream = ada.subscribe(EVENTS, { s: sessionId });
    await stream.until((event) => event.chatEvents.__typename === 'StreamCaughtUp');
    const { sendMessage } = await ada.ask(SEND, { input: { sessionId, text: 'Hello, how are you?', idempotencyKey: randomUUID() } });
    expect(sendMessage.userErrors).toEqual([]);
    await stream.until(isFinal);
    const events = stream.events.map((event) => event.chatEvents);
    const logged = events.filter((event) => event.sequence !== undefined && event.__typename !== 'MessageDelta').map((event) => event.sequence);
    expect(logged).toEqual(logged.map((_, index) => index + 1));
    const deltas = events.filter((event) => event.__typename === 'MessageDelta');
    const completed = events.findLast((event) => event.__typename === 'MessageCompleted');
    expect(deltas.map((delta) => delta.text).join('')).toBe(completed.message.text);
    expect(completed.message.text.length).toBeGreaterThan(10);
  });
});
