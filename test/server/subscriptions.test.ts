// Subscriptions over WebSocket and server-sent events: who may open them, what ends them, and what they may not do.
import { connect } from 'node:net';
import { SignJWT, decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { readOverSse, type Reading } from '../support/reading.ts';
import { openSocket, type RawSocket } from '../support/socket.ts';

let parley: TestApp;
let ada: TestUser;
let sessionId: string;
beforeAll(async () => {
  parley = await createTestApp({ ALLOWED_ORIGINS: 'https://chat.example.com', MAX_SUBSCRIPTIONS_PER_CONNECTION: '3', MAX_BODY_BYTES: '65536' });
  ada = await parley.signUp('Ada');
  sessionId = await makeSession(ada);
});
afterAll(() => parley.close());

/** Its first event comes at once: StreamCaughtUp. */
const EVENTS = 'subscription ($id: ID!) { chatEvents(sessionId: $id) { __typename } }';
const CAUGHT_UP = { data: { chatEvents: { __typename: 'StreamCaughtUp' } } };

describe('a socket', () => {
  it.each(['https://evil.test', 'https://chat.example.com.evil.test', 'null', 'file://'])('is refused to a page of the origin %s', async (origin) => {
    await expect(openSocket(parley.url, ada.accessToken, { origin })).rejects.toThrow('403');
  });

  it('opens for a page of an allowed origin, of the same host, and for programs', async () => {
    for (const headers of [{ origin: 'https://chat.example.com' }, { origin: parley.url }, {}]) {
      const socket = await openSocket(parley.url, ada.accessToken, headers as Record<string, string>);
      expect(socket.messages).toEqual([{ type: 'connection_ack' }]);
      socket.close();
    }
  });

  it('without a token closes with 4401', async () => {
    const socket = await openSocket(parley.url, null);
    expect(await socket.closed).toMatchObject({ code: 4401, reason: expect.stringContaining('connection_init') });
  });

  it('with a bad, an expired or a refresh token closes with 4403, so that clients come back with a fresh one', async () => {
    for (const token of ['nonsense', await tokenOf(ada, -1), ada.refreshToken]) {
      const socket = await openSocket(parley.url, token);
      expect((await socket.closed).code).toBe(4403);
      expect(socket.messages).toEqual([]);
    }
  });

  it('is not opened while the process stops', async () => {
    parley.app.draining = true;
    await expect(openSocket(parley.url, ada.accessToken)).rejects.toThrow('503');
    parley.app.draining = false;
  });

  it('closes with 1009 when a message is larger than a body may be', async () => {
    const socket = await openSocket(parley.url, ada.accessToken);
    socket.send({ id: '1', type: 'subscribe', payload: { query: `{ __typename } # ${'x'.repeat(65_536)}` } });
    expect((await socket.closed).code).toBe(1009);
  });

  it('closes with 4400 when a message is none of the protocol', async () => {
    for (const message of ['nonsense', '{"type":"nonsense"}', '{"type":"subscribe"}', '{"id":"1","type":"subscribe","payload":{"query":1}}']) {
      const socket = await openSocket(parley.url, ada.accessToken);
      socket.send(message);
      expect((await socket.closed).code).toBe(4400);
    }
  });

  it('leaves nothing behind when it closes, even while it is being opened', async () => {
    const open = await openSocket(parley.url, ada.accessToken);
    expect((await open.begin('1', EVENTS, { id: sessionId })).payload).toEqual(CAUGHT_UP);
    expect(parley.app.activity.subscriptions).toBe(1);
    open.socket.terminate();
    for (let each = 0; each < 5; each++) {
      const hasty = await openSocket(parley.url);
      hasty.send({ type: 'connection_init', payload: { authorization: `Bearer ${ada.accessToken}` } });
      hasty.send({ id: '1', type: 'subscribe', payload: { query: EVENTS, variables: { id: sessionId } } });
      hasty.socket.terminate();
    }
    await until(() => parley.app.activity.subscriptions === 0);
  });
});

describe('an operation on a socket', () => {
  it('that cannot be run is answered by its own error, and the socket goes on', async () => {
    const socket = await openSocket(parley.url, ada.accessToken);
    const refused: Record<string, string> = {
      unknown: 'subscription { nothing }',
      syntax: 'subscription {',
      unnamed: 'query A { __typename } query B { __typename }',
      deep: `{${'a{'.repeat(10_000)}a${'}'.repeat(10_000)}}`,
      costly: 'subscription { taskless: ingestionJobUpdated { document { chunks(first: 100) { nodes { document { chunks(first: 100) { nodes { id } } } } } } } }',
      foreign: 'subscription { chatEvents(sessionId: "nothing") { __typename } }',
    };
    for (const [id, query] of Object.entries(refused)) {
      const message = await socket.begin(id, query);
      const [error] = message.type === 'error' ? message.payload : message.payload.errors;
      expect(error.message, id).toBeTruthy();
      if (id === 'deep' || id === 'costly') expect(error.extensions.code).toBe('QUERY_TOO_COMPLEX');
      if (id === 'foreign') expect(error.extensions.code).toBe('NOT_FOUND');
    }
    expect((await socket.begin('last', '{ viewer { user { name } } }')).payload).toEqual({ data: { viewer: { user: { name: 'Ada' } } } });
    socket.close();
  });

  it('beyond the number that one socket may hold is LIMIT_EXCEEDED until another completes', async () => {
    const socket = await openSocket(parley.url, ada.accessToken);
    for (const id of ['1', '2', '3']) expect((await socket.begin(id, EVENTS, { id: sessionId })).payload).toEqual(CAUGHT_UP);
    const refused = await socket.begin('4', EVENTS, { id: sessionId });
    expect([refused.type, refused.payload[0].extensions.code]).toEqual(['error', 'LIMIT_EXCEEDED']);
    socket.send({ id: '2', type: 'complete' });
    expect((await socket.begin('5', EVENTS, { id: sessionId })).payload).toEqual(CAUGHT_UP);
    socket.close();
  });
});

describe('the end of access', () => {
  const overWebSocket = async (user: TestUser, token = user.accessToken): Promise<RawSocket> => {
    const socket = await openSocket(parley.url, token);
    expect((await socket.begin('1', EVENTS, { id: await makeSession(user) })).payload).toEqual(CAUGHT_UP);
    return socket;
  };
  const lastErrorOf = (socket: RawSocket) => socket.messages.filter((message) => message.id === '1' && message.payload?.errors).at(-1)?.payload.errors[0].extensions.code;

  it('by the token: the subscription ends with UNAUTHENTICATED and the socket with 4403', async () => {
    const bob = await parley.signUp('Bob');
    const session = await makeSession(bob);
    const token = await tokenOf(bob, 600);
    // So that the ten minutes pass when all is open, however long that takes.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const socket = await openSocket(parley.url, token);
      const events = await openEvents(token, session);
      expect((await socket.begin('1', EVENTS, { id: session })).payload).toEqual(CAUGHT_UP);
      expect(await events.next()).toEqual(CAUGHT_UP);
      vi.advanceTimersByTime(600_000);
      expect((await socket.closed).code).toBe(4403);
      expect(await events.next()).toMatchObject({ errors: [{ message: expect.stringContaining('expired'), extensions: { code: 'UNAUTHENTICATED' } }] });
      expect(await events.next()).toBeNull();
    } finally {
      vi.useRealTimers();
    }
  });

  it('by logout on this device: at once, and not that of another device', async () => {
    const bob = await parley.signUp('Bob');
    const { login } = (await parley.request('mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } } }', { input: { email: bob.email, password: bob.password } })).data;
    const here = await overWebSocket(bob);
    const there = await overWebSocket(bob, login.tokens.accessToken);
    const events = await openEvents(bob.accessToken, await makeSession(bob));
    expect(await events.next()).toEqual(CAUGHT_UP);
    await bob.ask('mutation { logout(input: {}) { revokedSessionIds } }');
    expect((await here.closed).code).toBe(4403);
    expect(await events.next()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect(await events.next()).toBeNull();
    expect((await there.begin('2', '{ viewer { user { name } } }')).payload.data.viewer.user.name).toBe('Bob');
    const again = parley.userOf(login.tokens.accessToken, bob);
    await again.ask('mutation { logout(input: { everywhere: true }) { revokedSessionIds } }');
    expect((await there.closed).code).toBe(4403);
  });

  it('by removal from the workspace', async () => {
    const bob = await parley.signUpInto(ada, 'MEMBER');
    const socket = await overWebSocket(bob);
    await ada.ask('mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { deletedId userErrors { message } } }', { input: { userId: bob.id } });
    expect((await socket.closed).code).toBe(4403);
  });

  it('by another role: subscriptions end with FORBIDDEN, and the socket stays for new ones', async () => {
    const bob = await parley.signUpInto(ada, 'MEMBER');
    const socket = await overWebSocket(bob);
    await ada.ask('mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { message } } }', { input: { userId: bob.id, role: 'VIEWER' } });
    await socket.until((message) => message.id === '1' && message.type === 'complete');
    expect(lastErrorOf(socket)).toBe('FORBIDDEN');
    expect((await socket.begin('2', '{ viewer { role } }')).payload).toEqual({ data: { viewer: { role: 'VIEWER' } } });
    socket.close();
  });
});

describe('server-sent events', () => {
  it('carry a subscription and end when the reader leaves', async () => {
    const events = await openEvents(ada.accessToken, sessionId);
    expect(await events.next()).toEqual(CAUGHT_UP);
    expect(parley.app.activity.subscriptions).toBe(1);
    await ada.ask('mutation ($s: ID!) { setTyping(input: { sessionId: $s, isTyping: true }) { accepted } }', { s: sessionId });
    expect(await events.next()).toEqual({ data: { chatEvents: { __typename: 'TypingChanged' } } });
    await events.sever();
    await until(() => parley.app.activity.subscriptions === 0);
  });

  it('answer what cannot be followed by its error', async () => {
    const events = await openEvents(ada.accessToken, 'nothing');
    expect(await events.next()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
    expect(await events.next()).toBeNull();
    expect(parley.app.activity.subscriptions).toBe(0);
  });
});

describe('a stop', () => {
  it('closes sockets with 1012, ends event streams, lets a request finish, and does not wait for a client that never answers', async () => {
    const other = await createTestApp();
    const bob = await other.signUp();
    const polite = await openSocket(other.url, bob.accessToken);
    const deaf = connect(other.server.port, '127.0.0.1');
    deaf.write('GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    await new Promise((resolve) => deaf.once('data', resolve));
    const events = await openEvents(bob.accessToken, await makeSession(bob, other), other);
    expect(await events.next()).toEqual(CAUGHT_UP);
    const slow = connect(other.server.port, '127.0.0.1');
    const body = JSON.stringify({ query: '{ viewer { user { email } } }' });
    slow.write(`POST /graphql HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nAuthorization: Bearer ${bob.accessToken}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`);
    await new Promise((resolve) => slow.once('data', resolve));
    const answer = new Promise((resolve) => slow.once('data', resolve));
    const closed = other.close();
    slow.write(body);
    expect(String(await answer)).toContain(bob.email);
    expect(await events.next()).toBeNull();
    await closed;
    expect(await polite.closed).toMatchObject({ code: 1012 });
    deaf.destroy();
  });
});

async function makeSession(user: TestUser, app = parley): Promise<string> {
  // Whoever may not make profiles uses somebody else's.
  const { createProfile } = await user.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer." }) { profile { id } } }');
  const profileId = createProfile.profile?.id ?? (await user.ask('{ profiles(first: 1) { nodes { id } } }')).profiles.nodes[0].id;
  const { createChatSession } = await app.userOf(user.accessToken, user).ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p }) { session { id } userErrors { message } } }', { p: profileId });
  return createChatSession.session.id;
}

/** An access token of the same sign-in that expires in so many seconds. */
async function tokenOf(user: TestUser, seconds: number): Promise<string> {
  const { iat: _iat, exp: _exp, ...claims } = decodeJwt(user.accessToken);
  return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(Math.floor(Date.now() / 1000) + seconds).sign(parley.app.jwtSecret);
}

/** Follows a chat session by server-sent events. */
const openEvents = (token: string, id: string, app = parley): Promise<Reading> => readOverSse(app.url, token, EVENTS, { id });

/** Waits for what nothing announces. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
