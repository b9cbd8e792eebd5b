import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { createSchema, createYoga } from 'graphql-yoga';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGraphiql } from '../../src/platform/graphiql.ts';

const defaultQuery = '{ authorization }';
let tokens = 0;
let server: Server;
let origin: string;

beforeAll(async () => {
  const yoga = createYoga({
    graphiql: false,
    logging: false,
    landingPage: false,
    schema: createSchema({
      typeDefs: /* GraphQL */ `
        type Query { authorization: String }
        type Subscription { count(to: Int!): String }
      `,
      resolvers: {
        Query: { authorization: (_, _arguments, { request }) => request.headers.get('authorization') },
        Subscription: {
          count: {
            async *subscribe(_: unknown, { to }: { to: number }, { request }: { request: Request }) {
              for (let at = 1; at <= to; at++) yield { count: `${at} for ${request.headers.get('authorization')}` };
            },
          },
        },
      },
    }),
  });
  const graphiql = createGraphiql({ endpoint: '/graphql', developmentToken: async () => `token-${++tokens}`, defaultQuery, title: 'A <b>Title' });
  server = createServer((request, response) => {
    void graphiql.handle(request, response).then((handled) => { if (!handled) void yoga(request, response); });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((done) => {
  server.closeAllConnections();
  server.close(done);
}));

/** A request as it is, without the decompression and the headers that fetch adds. */
async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const outgoing = httpRequest(`${origin}${path}`, { headers, method });
  outgoing.end();
  const [incoming] = await once(outgoing, 'response');
  return { status: incoming.statusCode as number, headers: incoming.headers as Record<string, string>, body: await buffer(incoming) };
}

const getPage = async (headers: Record<string, string> = {}) => (await get('/graphql', { accept: 'text/html', ...headers })).body.toString();

describe('the page', () => {
  it('is given to browsers only; everything else is left to the API', async () => {
    expect(await getPage()).toContain('<div id="root">');
    const api = await get('/graphql?query={__typename}', { accept: 'application/json' });
    expect(JSON.parse(api.body.toString())).toEqual({ data: { __typename: 'Query' } });
    expect((await get('/elsewhere', { accept: 'text/html' })).status).toBe(404);
  });

  it('is never stored and lets nothing run or connect but what comes from this server', async () => {
    const { headers } = await get('/graphql', { accept: 'text/html' });
    expect(headers['cache-control']).toBe('no-store');
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  it('holds a token for localhost and addresses, but not for a name that may be pointed here by others', async () => {
    for (const host of ['localhost:4000', '127.0.0.1', '[::1]:4000', '192.168.0.7:4000']) expect(await getPage({ host })).toMatch(/token-\d/);
    for (const host of ['evil.example:4000', '127.0.0.1.evil.example']) expect(await getPage({ host })).not.toMatch(/token-\d/);
  });

  it('escapes what it is given', async () => {
    const page = await getPage();
    expect(page).toContain('<title>A &lt;b>Title</title>');
    expect(page).not.toContain('A <b>Title');
  });

  it('is reached from /graphiql', async () => {
    expect(await get('/graphiql')).toMatchObject({ status: 302, headers: { location: '/graphql' } });
  });
});

describe('its files', () => {
  it('are compressed as the browser likes, and may be kept for ever', async () => {
    const [path = ''] = /\/graphiql\/graphiql\.[0-9a-f]+\.css/.exec(await getPage()) ?? [];
    const plain = await get(path);
    expect(plain).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable', vary: 'accept-encoding' },
    });
    const brotli = await get(path, { 'accept-encoding': 'gzip, deflate, br' });
    expect(brotli.headers['content-encoding']).toBe('br');
    expect(brotli.body.length).toBeLessThan(plain.body.length / 2);
    expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
    const gzip = await get(path, { 'accept-encoding': 'gzip, br;q=0' });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    const head = await get(path, {}, 'HEAD');
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': String(plain.body.length) } });
    expect(head.body.length).toBe(0);
  });

  it('are these only', async () => {
    for (const path of ['/graphiql/graphiql.js', '/graphiql/../package.json', '/graphiql/%2e%2e/package.json']) {
      expect((await get(path)).status).toBe(404);
    }
  });
});

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

// A machine without a browser may skip this; CI may not.
describe.skipIf(executablePath === undefined && !process.env.CI)('in a browser', () => {
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
      ],
    });
    page = await browser.newPage();
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${origin}/graphql`);
  });
  afterAll(() => browser?.close());

  /** Runs what is in the editor and gives the answer that GraphiQL shows. */
  async function run(): Promise<string> {
    await page.click('.graphiql-execute-button');
    const shown = page.locator('.result-window .view-lines');
    await shown.filter({ hasText: 'data' }).waitFor();
    return (await shown.textContent() ?? '').replaceAll('\u00a0', ' ');
  }

  it('GraphiQL runs a query, signed in with the development token', async () => {
    expect(await run()).toMatch(/"authorization": "Bearer token-\d+"/);
  });

  it('it keeps its one tab when the page is loaded again, with a new token', async () => {
    const before = tokens;
    await page.reload();
    expect(await run()).toContain(`"Bearer token-${before + 1}"`);
    expect(await page.locator('.graphiql-tab').count()).toBe(1);
  });

  it('it follows a subscription by server-sent events, signed in alike', async () => {
    await page.goto(`${origin}/graphql?query=${encodeURIComponent('subscription { count(to: 3) }')}`);
    const streamed = page.waitForResponse((response) => response.headers()['content-type']?.startsWith('text/event-stream') === true);
    await page.click('.graphiql-execute-button');
    await page.locator('.result-window .view-lines').filter({ hasText: /3.for.Bearer.token-\d/ }).waitFor();
    expect((await streamed).status()).toBe(200);
  });

  it('an authorization in the headers pane goes before the token', async () => {
    await page.goto(`${origin}/graphql?query=${encodeURIComponent(defaultQuery)}`);
    await page.getByRole('button', { name: 'Headers' }).click();
    await page.locator('.graphiql-editor-tool .monaco-editor:visible').click();
    await page.keyboard.insertText('{"Authorization": "Bearer mine"}');
    await page.click('.graphiql-execute-button');
    await page.locator('.result-window .view-lines').filter({ hasText: /"Bearer.mine"/ }).waitFor();
  });

  it('it marks a field that the schema does not have, so the workers of the editor run', async () => {
    await page.goto(`${origin}/graphql?query=${encodeURIComponent('{ nonsense }')}`);
    await page.locator('.graphiql-query-editor .squiggly-error').waitFor({ state: 'attached' });
  });

  it('nothing was asked of another server, and the browser had nothing to complain about', () => {
    expect(requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith('data:') && !url.startsWith('blob:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
