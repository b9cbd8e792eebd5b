// How often things may be asked for, as guests, members and strangers meet it. The counters themselves: contracts/limits.test.ts.
import { randomUUID } from 'node:crypto';
import { isNonNullType, isObjectType, type GraphQLObjectType } from 'graphql';
import { afterEach, describe, expect, it } from 'vitest';
import { schema } from '../src/schema.ts';
import { createTestApp, password, type TestApp, type TestUser } from './support/app.ts';
import { startRedis } from './support/redis.ts';
import { openSocket } from './support/socket.ts';

const ERRORS = 'userErrors { __typename code message ... on RateLimitError { retryAfterSeconds limit { bucket limit remaining used cost resetAt } } }';
const LOGIN = `mutation ($input: LoginInput!) { login(input: $input) { user { id } ${ERRORS} } }`;
const REGISTER = `mutation ($input: RegisterInput!) { register(input: $input) { user { id } ${ERRORS} } }`;
const SEND = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } userMessage { id } ${ERRORS} } }`;
const EVENTS = 'subscription ($s: ID!) { chatEvents(sessionId: $s) { __typename } }';
const LIMITS = '{ viewer { rateLimits { bucket limit remaining used cost resetAt } } }';

let parley: TestApp;
afterEach(() => parley.close());

const newcomer = () => ({ input: { email: `${randomUUID()}@example.test`, password, name: 'Newcomer' } });

async function ask(query: string, variables: object = {}, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await fetch(`${parley.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const as = (user: TestUser) => ({ authorization: `Bearer ${user.accessToken}` });

async function startSession(user: TestUser): Promise<string> {
  const { createProfile } = await user.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer." }) { profile { id } } }');
  const { createChatSession } = await user.ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p, visibility: WORKSPACE }) { session { id } } }', { p: createProfile.profile.id });
  return createChatSession.session.id;
}

/** How much of a bucket the user has used. */
async function used(user: TestUser, bucket: string): Promise<number> {
  const { viewer } = await user.ask(LIMITS);
  return viewer.rateLimits.find((limit: { bucket: string }) => limit.bucket === bucket).used;
}

describe('a guest', () => {
  it('registers as often as the address may, then gets a RateLimitError as data, and nobody is made', async () => {
    parley = await createTestApp({ RATE_LIMIT_REGISTER: '2/3600' });
    for (let time = 0; time < 2; time++) expect((await ask(REGISTER, newcomer())).body.data.register.userErrors).toEqual([]);
    const before = Date.now();
    const refused = await ask(REGISTER, newcomer());
    expect(refused.status).toBe(200);
    expect(refused.body.errors).toBeUndefined();
    const { user, userErrors } = refused.body.data.register;
    expect(user).toBeNull();
    expect(userErrors).toEqual([
      {
        __typename: 'RateLimitError', code: 'RATE_LIMITED', message: expect.stringMatching(/^Too many requests: 2 in 3600 seconds are allowed \(register\)\. Try again in \d+ seconds\.$/),
        retryAfterSeconds: expect.any(Number), limit: { bucket: 'register', limit: 2, remaining: 0, used: 2, cost: 1, resetAt: expect.any(String) },
      },
    ]);
    const [{ retryAfterSeconds, limit }] = userErrors;
    expect(retryAfterSeconds).toBeGreaterThan(3500);
    expect(retryAfterSeconds).toBeLessThanOrEqual(3600);
    expect((Date.parse(limit.resetAt) - before) / 1000).toBeCloseTo(retryAfterSeconds, -1);
    expect(await (await fetch(`${parley.url}/metrics`)).text()).toContain('parley_rate_limited_total{limit="register"} 1');
  });

  it('tries passwords as often as the address may, however many stand in one request', async () => {
    parley = await createTestApp({ RATE_LIMIT_LOGIN: '3/600' });
    const ada = await parley.signUp();
    const attempt = (alias: string, secret: string) => `${alias}: login(input: { email: "${ada.email}", password: "${secret}" }) { user { id } ${ERRORS} }`;
    const many = await ask(`mutation { ${['a', 'b', 'c'].map((alias) => attempt(alias, 'wrong')).join(' ')} ${attempt('d', password)} }`);
    for (const alias of ['a', 'b', 'c', 'd']) expect(many.body.data[alias]).toMatchObject({ user: null, userErrors: [{ code: 'RATE_LIMITED', limit: { cost: 4 } }] });
    // In a fragment that is spread twice they are one answer each, in two fragments with aliases of their own they are not.
    const inFragments = await ask(`mutation { ...A ...A ...B } fragment A on Mutation { ${attempt('a', 'wrong')} } fragment B on Mutation { ${attempt('b', 'wrong')} }`);
    expect(inFragments.body.data.a.userErrors).toMatchObject([{ limit: { cost: 2 } }]);
    expect((await ask(LOGIN, { input: { email: ada.email, password } }, as(ada))).body.data.login.userErrors).toMatchObject([{ code: 'RATE_LIMITED' }]);
  });

  it('is counted by the address that the outermost trusted proxy saw, whatever it says of itself', async () => {
    parley = await createTestApp({ RATE_LIMIT_REGISTER: '1/3600', TRUSTED_PROXIES: '1' });
    const codes = async (forwarded: string) => {
      const answer = await ask(REGISTER, newcomer(), { 'x-forwarded-for': forwarded });
      return answer.body.data.register.userErrors.map((error: { code: string }) => error.code);
    };
    expect(await codes('203.0.113.7')).toEqual([]);
    expect(await codes('203.0.113.7:4711')).toEqual(['RATE_LIMITED']);
    expect(await codes('198.51.100.9, 203.0.113.7')).toEqual(['RATE_LIMITED']);
    expect(await codes('203.0.113.8')).toEqual([]);
    expect(await codes('2001:db8:1:2:3:4:5:6')).toEqual([]);
    expect(await codes('[2001:db8:1:2::9]:4711')).toEqual(['RATE_LIMITED']);
    expect(await codes('2001:db8:1:3::9')).toEqual([]);
    // No address: the proxy itself is counted.
    expect(await codes('unknown')).toEqual([]);
    expect(await codes('')).toEqual(['RATE_LIMITED']);
  });

  it('cannot choose an address where no proxy is trusted', async () => {
    parley = await createTestApp({ RATE_LIMIT_REGISTER: '1/3600' });
    await ask(REGISTER, newcomer(), { 'x-forwarded-for': '203.0.113.7' });
    expect((await ask(REGISTER, newcomer(), { 'x-forwarded-for': '203.0.113.8' })).body.data.register.userErrors).toMatchObject([{ code: 'RATE_LIMITED' }]);
  });

  it('asks for anything else within the hour and the day of the address, and sees how much is left', async () => {
    parley = await createTestApp({ RATE_LIMIT_DEFAULT_HOUR: '2/3600', RATE_LIMIT_DEFAULT_DAY: '5/86400' });
    const first = await ask('{ rateLimit { bucket limit remaining used cost } }');
    expect(first.body.data.rateLimit).toEqual({ bucket: 'default_hour', limit: 2, remaining: 1, used: 1, cost: 1 });
    expect((await ask('{ health { state } }')).status).toBe(200);
    const refused = await ask('{ health { state } viewer { role } }');
    expect(refused.status).toBe(429);
    const { code, retryAfterSeconds, ...rest } = refused.body.errors[0].extensions;
    expect({ code, rest }).toEqual({ code: 'RATE_LIMITED', rest: {} });
    expect(refused.headers.get('retry-after')).toBe(String(retryAfterSeconds));
    expect(retryAfterSeconds).toBeGreaterThan(3500);
  });
});

describe('/health', () => {
  it('answers an address as often as it may, then 429 with Retry-After', async () => {
    parley = await createTestApp({ RATE_LIMIT_HEALTH: '2/60' });
    const statuses: number[] = [];
    for (let time = 0; time < 3; time++) statuses.push((await fetch(`${parley.url}/health`)).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await fetch(`${parley.url}/health`);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await refused.json()).toEqual({ status: 'too many requests' });
    // Who asks for readiness decides where requests go.
    expect((await fetch(`${parley.url}/ready`)).status).toBe(200);
  });
});

describe('a user', () => {
  it('sends, edits and regenerates within one limit, and others in the workspace have their own', async () => {
    parley = await createTestApp({ RATE_LIMIT_SEND_MESSAGE: '3/600' });
    const ada = await parley.signUp();
    const sessionId = await startSession(ada);
    const send = (user: TestUser, text: string) => user.ask(SEND, { input: { sessionId, text, idempotencyKey: randomUUID(), ifRunning: 'ENQUEUE' } });
    const sent = (await send(ada, 'one')).sendMessage;
    await expect.poll(async () => (await ada.ask('query ($id: ID!) { run(id: $id) { status } }', { id: sent.run.id })).run.status).toBe('SUCCEEDED');
    const EDIT = `mutation ($m: ID!, $k: String!) { editMessage(input: { messageId: $m, text: "two", idempotencyKey: $k }) { run { id } ${ERRORS} } }`;
    const edited = (await ada.ask(EDIT, { m: sent.userMessage.id, k: randomUUID() })).editMessage;
    expect(edited.userErrors).toEqual([]);
    await expect.poll(async () => (await ada.ask('query ($id: ID!) { run(id: $id) { status } }', { id: edited.run.id })).run.status).toBe('SUCCEEDED');
    const AGAIN = `mutation ($m: ID!, $k: String!) { regenerateMessage(input: { messageId: $m, idempotencyKey: $k }) { run { id } ${ERRORS} } }`;
    expect((await ada.ask(AGAIN, { m: sent.userMessage.id, k: randomUUID() })).regenerateMessage.userErrors).toEqual([]);
    for (const refused of [(await send(ada, 'four')).sendMessage, (await ada.ask(EDIT, { m: sent.userMessage.id, k: randomUUID() })).editMessage, (await ada.ask(AGAIN, { m: sent.userMessage.id, k: randomUUID() })).regenerateMessage]) {
      expect(refused).toMatchObject({ run: null, userErrors: [{ __typename: 'RateLimitError', limit: { bucket: 'send_message', limit: 3, remaining: 0 } }] });
    }
    const runs = await ada.ask('query ($id: ID!) { chatSession(id: $id) { runs { totalCount } } }', { id: sessionId });
    expect(runs.chatSession.runs.totalCount).toBe(3);
    const member = await parley.signUpInto(ada, 'MEMBER');
    expect((await send(member, 'mine')).sendMessage.userErrors).toEqual([]);
    const stranger = await parley.signUp();
    expect((await send(stranger, 'foreign')).sendMessage.userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  });

  it('opens event streams within a limit, over WebSocket and server-sent events', async () => {
    parley = await createTestApp({ RATE_LIMIT_CHAT_EVENTS: '1/600' });
    const ada = await parley.signUp();
    const sessionId = await startSession(ada);
    const socket = await openSocket(parley.url, ada.accessToken);
    expect(await socket.begin('1', EVENTS, { s: sessionId })).toMatchObject({ type: 'next', payload: { data: { chatEvents: { __typename: 'StreamCaughtUp' } } } });
    const refused = await socket.begin('2', EVENTS, { s: sessionId });
    const { code, retryAfterSeconds, ...rest } = (refused.payload.errors ?? refused.payload)[0].extensions;
    expect({ code, retryAfterSeconds, rest }).toEqual({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number), rest: {} });
    // The connection and what is open on it go on.
    expect(await socket.begin('3', '{ viewer { role } }')).toMatchObject({ type: 'next', payload: { data: { viewer: { role: 'OWNER' } } } });
    socket.close();
    const sse = await fetch(`${parley.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...as(ada) }, body: JSON.stringify({ query: EVENTS, variables: { s: sessionId } }) });
    expect(sse.status).toBe(429);
    expect(Number(sse.headers.get('retry-after'))).toBeGreaterThan(500);
    expect(await sse.text()).toContain('RATE_LIMITED');
  });

  it('reads lists of messages within a limit, wherever in a request they stand', async () => {
    parley = await createTestApp({ RATE_LIMIT_MESSAGES: '4/600' });
    const ada = await parley.signUp();
    const id = await startSession(ada);
    const before = await used(ada, 'default_hour');
    await ada.ask('query ($id: ID!) { chatSession(id: $id) { messages { nodes { text } } } }', { id });
    await ada.ask('query ($id: ID!) { node(id: $id) { ...F } } fragment F on ChatSession { messages(first: 1) { nodes { id } } }', { id });
    await ada.ask('{ viewer { role } chatSessions { nodes { a: messages(first: 1) { nodes { id } } b: messages(last: 1) { nodes { id } } } } }');
    const refused = await ask('query ($id: ID!) { chatSession(id: $id) { title messages { nodes { text } } } }', { id }, as(ada));
    expect([refused.status, refused.body.errors[0].extensions.code]).toEqual([429, 'RATE_LIMITED']);
    expect((await ask('query ($id: ID!) { chatSession(id: $id) { title } }', { id }, as(ada))).status).toBe(200);
    // The third asked for the viewer besides, which has no limit of its own, and looking twice costs one more.
    expect(await used(ada, 'default_hour')).toBe(before + 3);
    expect(await used(ada, 'messages')).toBe(4);
  });

  it('counts each mutation and each query in all else, by user and not by address', async () => {
    parley = await createTestApp({ RATE_LIMIT_DEFAULT_HOUR: '6/3600', RATE_LIMIT_DEFAULT_DAY: '8/86400' });
    const [ada, stranger] = [await parley.signUp(), await parley.signUp()];
    // signUp has asked for the viewer once.
    expect(await used(ada, 'default_hour')).toBe(2);
    expect((await ask('mutation { a: updateViewer(input: { name: "A" }) { user { name } userErrors { code } } b: updateViewer(input: { name: "B" }) { user { name } userErrors { code } } }', {}, as(ada))).body.data.b).toEqual({ user: { name: 'B' }, userErrors: [] });
    expect(await used(ada, 'default_hour')).toBe(5);
    const two = `mutation { a: updateViewer(input: { name: "C" }) { user { name } ${ERRORS} } login(input: { email: "", password: "" }) { ${ERRORS} } }`;
    expect((await ask(two, {}, as(ada))).body.data).toMatchObject({ a: { user: { name: 'C' } }, login: { userErrors: [{ code: 'INVALID_CREDENTIALS' }] } });
    const refused = await ask(two, {}, as(ada));
    expect(refused.status).toBe(200);
    for (const field of ['a', 'login']) expect(refused.body.data[field].userErrors).toMatchObject([{ __typename: 'RateLimitError', limit: { bucket: 'default_hour' } }]);
    for (let time = 0; time < 3; time++) expect((await ask('{ viewer { role } }', {}, as(ada))).status).toBe(429);
    // Who is refused by the hour has not used up the day.
    const subject = `user:${Buffer.from(ada.id, 'base64url').toString().split(':')[1]}`;
    await expect.poll(async () => (await parley.app.limits.status('default_day', subject))?.used).toBe(6);
    expect((await ask('{ viewer { role } }', {}, as(stranger))).status).toBe(200);
  });

  it('is limited over a WebSocket as over HTTP', async () => {
    parley = await createTestApp({ RATE_LIMIT_DEFAULT_HOUR: '3/3600' });
    const ada = await parley.signUp();
    const socket = await openSocket(parley.url, ada.accessToken);
    for (const id of ['1', '2']) expect((await socket.begin(id, '{ viewer { role } }')).payload.data.viewer.role).toBe('OWNER');
    expect((await socket.begin('3', '{ viewer { role } }')).payload.errors[0].extensions.code).toBe('RATE_LIMITED');
    const mutation = await socket.begin('4', 'mutation { updateViewer(input: { name: "A" }) { user { id } userErrors { code } } }');
    expect(mutation.payload.data.updateViewer).toEqual({ user: null, userErrors: [{ code: 'RATE_LIMITED' }] });
    socket.close();
  });

  it('uploads within the limits, and a refused upload is answered as data', async () => {
    parley = await createTestApp({ RATE_LIMIT_DEFAULT_HOUR: '1/3600' });
    const ada = await parley.signUp();
    const form = new FormData();
    const query = `mutation ($f: [Upload!]!) { uploadDocuments(input: { files: $f }) { documents { id } jobs { id } ${ERRORS} } }`;
    form.append('operations', JSON.stringify({ query, variables: { f: [null] } }));
    form.append('map', '{"0":["variables.f.0"]}');
    form.append('0', new File(['# Long\n'.repeat(200_000)], 'long.md'));
    const response = await fetch(`${parley.url}/graphql`, { method: 'POST', headers: { 'graphql-require-preflight': 'yes', ...as(ada) }, body: form });
    const { data } = (await response.json()) as { data: any };
    expect(data.uploadDocuments).toMatchObject({ documents: [], jobs: [], userErrors: [{ code: 'RATE_LIMITED' }] });
  });

  it('sees every limit that counts users, and none that is off', async () => {
    parley = await createTestApp({ RATE_LIMIT_MESSAGES: 'off', RATE_LIMIT_DEFAULT_DAY: 'off', RATE_LIMIT_DEFAULT_HOUR: '7/3600' });
    const ada = await parley.signUp();
    const { viewer } = await ada.ask(LIMITS);
    expect(viewer.rateLimits.map((limit: { bucket: string; limit: number; remaining: number }) => [limit.bucket, limit.limit, limit.remaining])).toEqual([
      ['send_message', 30_000, 30_000], ['chat_events', 20_000, 20_000], ['test_provider', 10_000, 10_000], ['default_hour', 7, 5],
    ]);
  });

  it('is not limited where everything is off', async () => {
    const off = Object.fromEntries(['REGISTER', 'LOGIN', 'SEND_MESSAGE', 'CHAT_EVENTS', 'MESSAGES', 'TEST_PROVIDER', 'HEALTH', 'DEFAULT_HOUR', 'DEFAULT_DAY'].map((name) => [`RATE_LIMIT_${name}`, 'off']));
    parley = await createTestApp(off);
    const ada = await parley.signUp();
    expect(await ada.ask('{ rateLimit { bucket } viewer { rateLimits { bucket } } }')).toEqual({ rateLimit: null, viewer: { rateLimits: [] } });
    expect((await fetch(`${parley.url}/health`)).status).toBe(200);
  });
});

it('two instances with one Redis count an address together', async () => {
  const redis = await startRedis();
  const env = { REDIS_URL: redis.url, RATE_LIMIT_LOGIN: '3/600' };
  parley = await createTestApp(env);
  const other = await createTestApp(env);
  try {
    for (const each of [parley, other]) await expect.poll(() => each.app.redis?.attempt((client) => client.ping())).toBe('PONG');
    const codes: string[] = [];
    for (const each of [parley, other, parley, other, parley]) {
      const { data } = await each.request(LOGIN, { input: { email: 'nobody@example.test', password } });
      codes.push(data.login.userErrors[0].code);
    }
    expect(codes).toEqual(['INVALID_CREDENTIALS', 'INVALID_CREDENTIALS', 'INVALID_CREDENTIALS', 'RATE_LIMITED', 'RATE_LIMITED']);
  } finally {
    await other.close();
    await redis.close();
  }
});

it('every mutation can be refused as data: no field of a payload needs what was not done', async () => {
  parley = await createTestApp();
  const mutations = Object.values((schema.getMutationType() as GraphQLObjectType).getFields());
  expect(mutations.length).toBeGreaterThan(20);
  for (const { name, type } of mutations) {
    const payload = isNonNullType(type) ? type.ofType : type;
    if (!isObjectType(payload)) throw new Error(`${name} answers no payload.`);
    for (const field of Object.values(payload.getFields())) {
      const value = await field.resolve?.({ userErrors: [] }, {}, {}, { fieldName: field.name, returnType: field.type } as never);
      if (isNonNullType(field.type)) expect(value, `${name}.${field.name}`).not.toBeNull();
      if (isNonNullType(field.type)) expect(value, `${name}.${field.name}`).toBeDefined();
    }
  }
});
