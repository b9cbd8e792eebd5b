// The HTTP door: what it answers, what it refuses, and what it keeps to itself.
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/platform/config.ts';
import { createLog } from '../src/platform/log.ts';
import { createTestApp, password, type Answer, type TestApp, type TestUser } from './support/app.ts';

let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  parley = await createTestApp({ ALLOWED_ORIGINS: 'https://chat.example.com,http://localhost:5173' });
  ada = await parley.signUp('Ada');
});
afterAll(() => parley.close());

const REGISTER = 'mutation ($input: RegisterInput!) { register(input: $input) { user { id } userErrors { __typename code field message ... on ValidationError { constraint } } } }';
const post = (body: string, headers: Record<string, string> = {}) =>
  fetch(`${parley.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
const typename = JSON.stringify({ query: '{ __typename }' });

describe('/health', () => {
  it('answers exactly {"status":"ok"}', async () => {
    const response = await fetch(`${parley.url}/health`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.text()).toBe('{"status":"ok"}');
  });
});

describe('an idle connection', () => {
  it('is kept for longer than proxies keep theirs', async () => {
    const { headers } = await fetch(`${parley.url}/health`);
    expect(headers.get('keep-alive')).toBe('timeout=65');
  });
});

describe('/ready', () => {
  it('names each component and its state', async () => {
    const response = await fetch(`${parley.url}/ready`);
    expect(response.status).toBe(200);
    const { status, draining, components } = (await response.json()) as { status: string; draining: boolean; components: { name: string; state: string }[] };
    expect({ status, draining }).toEqual({ status: 'ok', draining: false });
    expect(components.map((component) => [component.name, component.state])).toEqual(
      expect.arrayContaining([['database', 'OK'], ['vectors', 'OK'], ['bus', 'OK'], ['model', 'OK']]),
    );
  });

  it('answers 503 from the moment the process is asked to stop', async () => {
    parley.app.draining = true;
    try {
      const response = await fetch(`${parley.url}/ready`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ status: 'down', draining: true });
      expect((await fetch(`${parley.url}/health`)).status).toBe(200);
    } finally {
      parley.app.draining = false;
    }
  });
});

describe('a path that does not exist', () => {
  it.each(['/', '/nothing', '/graphql/', '/-', '/graphiql', '//', '/%ff', '/graphql%00'])('is answered by 404 and where GraphQL is: %s', async (path) => {
    const { status, body } = await rawRequest(path);
    expect(status).toBe(404);
    expect(JSON.parse(body)).toEqual({ status: 'not found', graphql: '/graphql' });
  });

  it('and a host that does not exist either is 400', async () => {
    const { status, body } = await rawRequest('/graphql?query={__typename}', { host: 'a b' });
    expect([status, body]).toEqual([400, '{"status":"bad host"}']);
  });
});

describe('another web page', () => {
  const preflight = (origin: string) =>
    fetch(`${parley.url}/graphql`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, content-type' } });
  const corsOf = (response: Response) => [...response.headers].filter(([name]) => name.startsWith('access-control-'));

  it('of an allowed origin may call with credentials', async () => {
    const before = await preflight('https://chat.example.com');
    expect(before.headers.get('access-control-allow-headers')).toBe('authorization, content-type');
    for (const response of [before, await post(typename, { origin: 'https://chat.example.com' })]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('https://chat.example.com');
      expect(response.headers.get('access-control-allow-credentials')).toBe('true');
    }
  });

  it.each(['https://chat.example.com.evil.test', 'http://chat.example.com', 'null', 'https://evil.test'])('of the origin %s gets no CORS headers', async (origin) => {
    expect(corsOf(await preflight(origin))).toEqual([]);
    const response = await post(typename, { origin });
    expect(corsOf(response)).toEqual([]);
    expect(response.headers.get('vary')).toContain('Origin');
  });

  it('of an allowed origin can read why a request was refused before it was read', async () => {
    const response = await post('x'.repeat(1024 ** 2 + 1), { origin: 'https://chat.example.com' });
    expect(response.status).toBe(413);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://chat.example.com');
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'application/graphql', 'multipart/mixed; boundary=x', ''])(
    'cannot send an operation by a form: "%s" is 415',
    async (type) => {
      const response = await post('query=mutation{logout(input:{}){revokedSessionIds}}', { 'content-type': type });
      expect(response.status).toBe(415);
    },
  );

  it('cannot send an upload by a form: multipart/form-data needs a header that makes the browser ask first', async () => {
    const form = new FormData();
    form.append('operations', typename);
    form.append('map', '{}');
    const response = await fetch(`${parley.url}/graphql`, { method: 'POST', body: form });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('graphql-require-preflight');
  });

  it('cannot change anything by a link: a mutation by GET is 405', async () => {
    const response = await fetch(`${parley.url}/graphql?query=${encodeURIComponent('mutation { logout(input: {}) { revokedSessionIds } }')}`, {
      headers: { authorization: `Bearer ${ada.accessToken}` },
    });
    expect(response.status).toBe(405);
    expect((await ada.ask('{ viewer { user { name } } }')).viewer.user.name).toBe('Ada');
  });
});

describe('a body', () => {
  it('that is larger than configured is 413 before it is read', async () => {
    const response = await post(JSON.stringify({ query: `{ __typename } # ${'x'.repeat(1024 ** 2)}` }));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
  });

  it('without a length is 411', async () => {
    const { status, body } = await rawRequest('/graphql', { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, typename);
    expect(status).toBe(411);
    expect(JSON.parse(body).errors[0].message).toContain('Content-Length');
  });

  it('that is no operation is 400 and says why', async () => {
    for (const body of ['{"query":', '[]', '"x"', '{"query": 1}', '{}']) {
      const response = await post(body, { accept: 'application/graphql-response+json' });
      expect([body, response.status]).toEqual([body, 400]);
      expect(((await response.json()) as Answer).errors?.[0]?.message).toBeTruthy();
    }
  });

  it('with several operations at once is refused', async () => {
    const response = await post(`[${typename},${typename}]`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('Batching is not supported');
  });
});

describe('a token', () => {
  it('that is not valid is 401, and not a guest', async () => {
    const answer = await parley.request('{ __typename }', {}, 'nonsense');
    expect(answer.status).toBe(401);
    expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  it('of a refresh is not one for access', async () => {
    expect((await parley.request('{ __typename }', {}, ada.refreshToken)).status).toBe(401);
  });
});

describe('an operation', () => {
  const codeOf = (answer: Answer) => answer.errors?.map((error) => error.extensions?.code);
  const nested = (depth: number) => `{${'a{'.repeat(depth)}a${'}'.repeat(depth)}}`;

  it.each([
    ['is nested 10,000 deep', nested(10_000)],
    ['is nested 4,000 deep in parentheses', `{a(b:${'['.repeat(4_000)}${']'.repeat(4_000)})}`],
    ['has 100,000 tokens', `{${'a '.repeat(100_000)}}`],
    ['is one field deeper than allowed', `{viewer{workspace{defaultProfile{documents{nodes{latestJob{document{latestJob{document{latestJob{document{latestJob{id}}}}}}}}}}}}}`],
    ['asks for a million nodes', '{ profiles(first: 100) { nodes { documents(first: 100) { nodes { chunks(first: 100) { nodes { id } } } } } } }'],
    ['hides its cost in fragments', `{ profiles(first: 100) { nodes { ...A } } } fragment A on Profile { ${Array.from({ length: 30 }, (_, index) => `a${index}: documents(first: 20) { nodes { id } }`).join(' ')} }`],
  ])('that %s is QUERY_TOO_COMPLEX, quickly', async (_title, query) => {
    const start = performance.now();
    const answer = await ada.request(query);
    expect(codeOf(answer)).toEqual(['QUERY_TOO_COMPLEX']);
    expect(answer.status).toBe(400);
    // Milliseconds; what is executed or nested without a bound takes minutes.
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  it('says how much it costs and how much it may', async () => {
    const { errors } = await ada.request('{ profiles(first: 100) { nodes { documents(first: 100) { nodes { id name } } } } }');
    expect(errors?.[0]).toMatchObject({ message: expect.stringContaining('at most 10000'), extensions: { cost: 12_201 } });
  });

  it('with fragments of fragments, a thousand deep, is answered without an accident', async () => {
    const chain = Array.from({ length: 1_200 }, (_, index) => `fragment F${index} on Query{...F${index + 1}}`).join('');
    const answer = await ada.request(`{...F0}${chain}fragment F1200 on Query{__typename}`);
    expect(answer.data).toEqual({ __typename: 'Query' });
  });

  it('of a usual front end is not too complex: a page of 100 with pages of 20 within', async () => {
    const lists = `{
      profiles(first: 100) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
        id slug name description createdAt version { number model { id name } } viewerCanUpdate
        documents(first: 20) { totalCount pageInfo { hasNextPage endCursor } nodes { id name mediaType sizeBytes status createdAt tags metadata { title pageCount } } }
      } } }
    }`;
    const history = `{
      chatSessions(first: 20) { pageInfo { hasNextPage endCursor } nodes { id title updatedAt profile { id name } messages(last: 20) { nodes {
        id role status text createdAt siblingIndex citations { index quote documentName location { page startOffset endOffset } } usage { inputTokens outputTokens }
      } } } }
    }`;
    for (const query of [lists, history, getIntrospectionQuery()]) expect((await ada.request(query)).errors).toBeUndefined();
  });

  it('that asks for too long a page is told so, not that it is too complex', async () => {
    const { errors } = await ada.request('{ profiles(first: 1000000) { nodes { id } } }');
    expect(errors).toMatchObject([{ message: expect.stringContaining('ask for 1 to 100'), extensions: { code: 'VALIDATION_FAILED' } }]);
  });
});

describe('a value that no field expects', () => {
  it('in a name, such as NUL, is a ValidationError', async () => {
    for (const name of ['A\0da', 'Ada\nLovelace']) {
      const { data } = await parley.request(REGISTER, { input: { email: 'nul@example.test', password, name } });
      expect(data.register.userErrors).toMatchObject([{ __typename: 'ValidationError', field: ['name'], constraint: 'controlCharacters' }]);
      const { updateViewer } = await ada.ask('mutation ($name: String) { updateViewer(input: { name: $name }) { userErrors { code } } }', { name });
      expect(updateViewer.userErrors).toEqual([{ code: 'VALIDATION_FAILED' }]);
    }
  });

  const lists = {
    profiles: 'profiles(after: $after) { totalCount }',
    'profiles by name': 'profiles(after: $after, orderBy: { field: NAME, direction: DESC }) { totalCount }',
    documents: 'documents(after: $after) { totalCount }',
    'documents by size': 'documents(after: $after, orderBy: { field: SIZE, direction: ASC }) { totalCount }',
    chatSessions: 'chatSessions(after: $after) { totalCount }',
    members: 'viewer { workspace { members(after: $after) { totalCount } } }',
    search: 'search(input: { query: "x" }, after: $after) { totalCount }',
  };
  it.each(Object.entries(lists))('in a cursor is VALIDATION_FAILED: %s', async (_title, field) => {
    const cursors = [['x', 'y'], [1, 2], [1e300, 1e300], ['\0', '\0'], ['99999999-99-99', '99999999-99-99'], [true, null], [], {}].map((values) => Buffer.from(JSON.stringify(values)).toString('base64url'));
    for (const after of [...cursors, 'nonsense', '\0']) {
      const { errors } = await ada.request(`query ($after: String) { ${field} }`, { after });
      expect(errors, after).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }]);
    }
  });
});

describe('a connection that ends in the middle', () => {
  it('does no harm, at any point', async () => {
    const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"query"`;
    const upgrade = 'GET /elsewhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    for (const text of ['', 'GET', request, upgrade, 'GET // HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n']) {
      const socket = connect(parley.server.port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      socket.resetAndDestroy();
    }
    expect((await fetch(`${parley.url}/health`)).status).toBe(200);
  });
});

describe('an unexpected failure', () => {
  it('is masked, and its request id stands in the log with the reason', async () => {
    const lines: string[] = [];
    const log = createLog(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'error' }), { write: (line: string) => void lines.push(line) });
    const broken = await createTestApp({}, { log });
    try {
      const bob = await broken.signUp();
      await broken.app.database.close();
      const inside = await broken.request(REGISTER, { input: { email: 'late@example.test', password, name: 'Late' } });
      const before = await bob.request('{ viewer { user { name } } }');
      for (const answer of [inside, before]) {
        const [error] = answer.errors ?? [];
        expect(error?.extensions).toEqual({ code: 'INTERNAL', requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
        expect(error?.message).toContain(error?.extensions?.requestId);
        expect(JSON.stringify(answer)).not.toMatch(/pglite|postgres|insert|select|closed|\.ts|node_modules/i);
        const logged = lines.map((line) => JSON.parse(line)).find((line) => line.requestId === error?.extensions?.requestId);
        expect(logged).toMatchObject({ level: 'error', err: { message: expect.stringMatching(/closed/i), stack: expect.any(String) } });
      }
      expect(before.status).toBe(500);
      expect(inside.errors?.[0]?.path).toEqual(['register']);
      expect(lines.join('')).not.toContain(password);
      const ready = await fetch(`${broken.url}/ready`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({ components: expect.arrayContaining([expect.objectContaining({ name: 'database', state: 'DOWN', message: 'It does not answer.' })]) });
    } finally {
      await broken.server.close();
      // What is left to close fails, as its database is gone.
      await broken.app.close().catch(() => undefined);
    }
  });
});

describe('in production', () => {
  let production: TestApp;
  beforeAll(async () => {
    production = await createTestApp({ NODE_ENV: 'production', HOST: '127.0.0.1', JWT_SECRET_KEY: 'a-secret-of-at-least-32-characters' });
  });
  afterAll(() => production.close());

  it('a guest may not look at the schema, and a signed-in caller may', async () => {
    for (const query of [getIntrospectionQuery(), '{ __type(name: "User") { name } }', '{ ...F } fragment F on Query { __schema { queryType { name } } }']) {
      const answer = await production.request(query);
      expect([answer.status, answer.errors?.[0]?.extensions?.code, answer.data]).toEqual([401, 'UNAUTHENTICATED', undefined]);
    }
    expect((await production.request('{ health { __typename } }')).data).toEqual({ health: { __typename: 'Health' } });
    const bob = await production.signUp();
    expect((await bob.ask(getIntrospectionQuery())).__schema.queryType.name).toBe('Query');
  });

  it('elsewhere everybody may', async () => {
    expect((await parley.request(getIntrospectionQuery())).data.__schema.queryType.name).toBe('Query');
  });

  it('there is no GraphiQL and no origin is allowed by itself', async () => {
    const page = await fetch(`${production.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await page.text()).not.toContain('<html');
    expect((await fetch(`${production.url}/graphiql/`)).status).toBe(404);
    const response = await fetch(`${production.url}/graphql?query={__typename}`, { headers: { origin: 'http://localhost:5173' } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

/** A request as no browser would write it: any path, host and framing. */
function rawRequest(path: string, headers: Record<string, string> = {}, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: parley.server.port, path, method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
