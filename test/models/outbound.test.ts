// The way out to providers: what is read of their answers, and over how many connections.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { classifyProviderError, NoAnswerError } from '../../src/models/failures.ts';
import { createOutbound, withoutKey, type Outbound, type OutboundOptions } from '../../src/models/outbound.ts';
import { readNetwork } from '../../src/models/addresses.ts';
import { startListener } from '../support/listener.ts';

/** With everything that other spellings write otherwise. */
const key = 'sk-Abc/1+2="q"&<x>\\\'~_9';
const rules = { allowed: [readNetwork('127.0.0.1')], plainHttp: true };

let server: Server;
let url: string;
let connections: number;
let respond: (request: IncomingMessage, response: ServerResponse) => void;
let outbound: Outbound;
const opened: Outbound[] = [];
const open = (change: Partial<OutboundOptions> = {}): Outbound => {
  const made = createOutbound({ poolSize: 4, connectTimeoutMs: 20_000, rules, ...change });
  opened.push(made);
  return made;
};
const fetchBy = (by: Outbound): typeof fetch => by.fetchFor({ owner: 'WORKSPACE', apiKey: key });

beforeEach(async () => {
  connections = 0;
  respond = (_request, response) => void response.end('{}');
  server = createServer((request, response) => respond(request, response)).on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  outbound = open();
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

describe('a request', () => {
  it('arrives whole, as an address with its parts or as a Request', async () => {
    const arrived: unknown[] = [];
    respond = async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      arrived.push([request.method, request.url, request.headers['authorization'], request.headers['content-type'], body]);
      response.end('{}');
    };
    const parts = { method: 'POST', headers: { authorization: 'Bearer k', 'content-type': 'application/json' }, body: '{"größe":1}' };
    for (const [input, init] of [[url, parts], [new URL(url), parts], [new Request(url, parts), undefined], [new Request(url), parts]] as const) await (await fetchBy(outbound)(input, init)).text();
    expect(arrived).toEqual(Array.from({ length: 4 }, () => ['POST', '/v1', 'Bearer k', 'application/json', '{"größe":1}']));
  });

  it('ends when its signal aborts, also that of a Request', async () => {
    for (const wrap of [(signal: AbortSignal): Parameters<typeof fetch> => [url, { signal }], (signal: AbortSignal): Parameters<typeof fetch> => [new Request(url, { signal })]]) {
      const controller = new AbortController();
      const closed = new Promise<void>((resolve) => {
        respond = (_request, response) => void (response.once('close', resolve), controller.abort(new Error('enough')));
      });
      await expect(fetchBy(outbound)(...wrap(controller.signal))).rejects.toThrow('enough');
      await closed;
    }
  });
});

describe('an answer', () => {
  it.each([301, 302, 303, 307, 308])('%i, a redirect, is not followed, to nobody, and the key goes nowhere', async (status) => {
    const elsewhere = await startListener();
    let asked = 0;
    let target = '';
    respond = (_request, response) => {
      asked++;
      response.writeHead(status, { location: target }).end('moved');
    };
    for (target of [`http://127.0.0.1:${elsewhere.port}/`, `http://[::1]:${elsewhere.port}/`, `http://localhost:${elsewhere.port}/`, 'http://169.254.169.254/', '/v2', url]) {
      for (const owner of ['WORKSPACE', 'INSTALLATION'] as const) {
        const call = outbound.fetchFor({ owner, apiKey: key })(url, { method: 'POST', redirect: 'follow', headers: { authorization: `Bearer ${key.replace(/[^\x21-\x7e]/g, '')}` }, body: '{}' });
        await expect(call).rejects.toThrow(NoAnswerError);
        await expect(call).rejects.toThrow(`${status}, a redirect, which is not followed`);
      }
    }
    expect([asked, elsewhere.connections]).toEqual([12, 0]);
    await elsewhere.close();
  });

  it('that is a web page is none', async () => {
    for (const type of ['text/html', 'Text/HTML; charset=utf-8']) {
      respond = (_request, response) => void response.writeHead(200, { 'content-type': type }).end('<html>Log in</html>');
      await expect(fetchBy(outbound)(url)).rejects.toThrow(NoAnswerError);
    }
    respond = (_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: <html>\n\n');
    expect(await (await fetchBy(outbound)(url)).text()).toBe('data: <html>\n\n');
  });

  it('that refuses is read without the key, however it is spelled, in body and headers', async () => {
    const entities = key.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;').replace(/'/g, '&#39;');
    const spelled = {
      plain: key,
      JSON: JSON.stringify(key).slice(1, -1),
      'JSON with slashes escaped': JSON.stringify(key).slice(1, -1).replaceAll('/', '\\/'),
      'JSON in JSON': JSON.stringify(JSON.stringify(key).slice(1, -1)).slice(1, -1),
      'JSON as Go writes it': JSON.stringify(key).slice(1, -1).replace(/[&<>]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`),
      'part of an address': encodeURIComponent(key),
      'part of an address, every sign': key.replace(/[^a-zA-Z0-9]/g, (sign) => `%${sign.charCodeAt(0).toString(16).padStart(2, '0')}`),
      'address within an address': encodeURIComponent(encodeURIComponent(key)),
      HTML: entities,
      'HTML with numbers': key.replace(/[^a-zA-Z0-9]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16)};`),
      'other case': key.toUpperCase(),
    };
    for (const [name, text] of Object.entries(spelled)) {
      respond = (_request, response) => void response.writeHead(401, 'Wrong', { 'content-type': 'application/json', 'x-echo': key, 'retry-after': '3' }).end(`{"error":"The key ${text} is wrong, ${text}."}`);
      const answer = await fetchBy(outbound)(url);
      expect([name, await answer.text()]).toEqual([name, '{"error":"The key *** is wrong, ***."}']);
      expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('x-echo'), answer.ok]).toEqual([401, '3', '***', false]);
    }
    expect(withoutKey('nothing of it', key)).toBe('nothing of it');
    expect([withoutKey('text', null), withoutKey('text', '')]).toEqual(['text', 'text']);
  });

  it('that refuses is read as far as anybody would, and holds no half of a key at its end', async () => {
    const size = 64 * 1024;
    // The key lies across the place where reading ends, at every offset.
    for (let before = 1; before < key.length; before += 3) {
      respond = (_request, response) => void response.writeHead(500).end('x'.repeat(size - before) + key + 'y'.repeat(size * 40));
      const text = await (await fetchBy(outbound)(url)).text();
      expect(text.length).toBeLessThanOrEqual(size);
      expect(text).toMatch(/^x+$/);
    }
    respond = (_request, response) => void response.writeHead(500).end(gzipSync('z'.repeat(size * 40)));
    expect((await (await fetchBy(outbound)(url)).text()).length).toBeLessThanOrEqual(size);
  });

  it('that refuses without an end is not waited for', async () => {
    const closed = new Promise<void>((resolve) => {
      respond = (_request, response) => {
        response.once('close', resolve).writeHead(503);
        const more = (): void => void (response.destroyed || response.write('x'.repeat(16_384), more));
        more();
      };
    });
    expect((await fetchBy(outbound)(url)).status).toBe(503);
    await closed;
  });

  it('fails beyond the cap, also one that unfolds beyond it', async () => {
    const small = open({ maxResponseBytes: 10_000 });
    const plain = Buffer.alloc(10_001, 'x');
    respond = (_request, response) => void response.end(plain);
    const beyond = await fetchBy(small)(url).then((response) => response.text()).catch((reason: unknown) => reason);
    expect(beyond).toBeInstanceOf(Error);
    expect(classifyProviderError(beyond)).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
    respond = (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000, 'x')));
    await expect(fetchBy(small)(url).then((response) => response.text())).rejects.toThrow('more than 10000 bytes');
    for (const [headers, body] of [[{}, plain.subarray(1)], [{ 'content-encoding': 'gzip' }, gzipSync(plain.subarray(1))]] as const) {
      respond = (_request, response) => void response.writeHead(200, headers).end(body);
      expect(await (await fetchBy(small)(url)).text()).toBe('x'.repeat(10_000));
    }
  });
});

describe('connections', () => {
  it('are kept: 20 requests one after the other use 1', async () => {
    for (let n = 0; n < 20; n++) {
      await (await fetchBy(outbound)(url)).text();
      // A connection is free a moment after its answer was read.
      await new Promise(setImmediate);
    }
    console.info(`20 requests one after the other: ${connections} connection`);
    expect(connections).toBe(1);
  });

  it('are no more than allowed: of 100 requests at once the others wait', async () => {
    let working = 0;
    let most = 0;
    const held: (() => void)[] = [];
    const full = new Promise<void>((resolve) => {
      respond = (_request, response) => {
        most = Math.max(most, ++working);
        const answer = (): void => {
          working--;
          response.end('{}');
        };
        if (held.length < 4) held.push(answer);
        else answer();
        if (held.length === 4) resolve();
      };
    });
    const calls = Array.from({ length: 100 }, async () => (await fetchBy(outbound)(url)).text());
    await full;
    expect([connections, most]).toEqual([4, 4]);
    for (const answer of held) answer();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['{}']));
    console.info(`100 requests at once, a pool of 4: ${connections} connections`);
    expect([connections, most]).toEqual([4, 4]);
  });

  it('are shared by all providers at one host, whose answers do not mix', async () => {
    respond = (request, response) => void response.end(request.headers['authorization']);
    const answers = await Promise.all(Array.from({ length: 40 }, async (_, n) => (await outbound.fetchFor({ owner: 'WORKSPACE', apiKey: `k${n}` })(url, { headers: { authorization: `k${n}` } })).text()));
    expect(answers).toEqual(Array.from({ length: 40 }, (_, n) => `k${n}`));
    expect(connections).toBeLessThanOrEqual(4);
  });

  it('that nobody accepts are given up after the time for it', async () => {
    // A thread that listens and then sleeps: two who wait fill its queue, and further ones are not answered.
    const sleeper = new Worker(`
      const { parentPort } = require('node:worker_threads');
      const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
        parentPort.postMessage(server.address().port);
        setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
      });`, { eval: true });
    const [port] = (await once(sleeper, 'message')) as [number];
    const waiting = [1, 2].map(() => connect(port, '127.0.0.1'));
    await Promise.all(waiting.map((socket) => once(socket, 'connect')));
    const hasty = open({ connectTimeoutMs: 200 });
    const error = await hasty.fetchFor({ owner: 'INSTALLATION', apiKey: key })(`http://127.0.0.1:${port}`).catch((reason: unknown) => reason);
    expect((error as Error).cause).toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
    expect(classifyProviderError(error)).toMatchObject({ code: 'TIMEOUT', retryable: true });
    for (const socket of waiting) socket.destroy();
    await sleeper.terminate();
  });

  it('to a name that is never found are given up after the same time', async () => {
    const hasty = open({ connectTimeoutMs: 200, rules: { ...rules, resolve: () => undefined } });
    const error = await fetchBy(hasty)('http://slow.example/v1').catch((reason: unknown) => reason);
    expect(classifyProviderError(error)).toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('close', () => {
  it('waits for answers that come, ends those that do not, and may be called again', async () => {
    let finish = (): void => undefined;
    let gone = Promise.resolve();
    respond = (_request, response) => {
      gone = new Promise((resolve) => response.once('close', resolve));
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      finish = () => void response.end('data: 2\n\n');
    };
    const brief = await fetchBy(outbound)(url);
    const closing = outbound.close();
    finish();
    expect(await brief.text()).toBe('data: 1\n\ndata: 2\n\n');
    await Promise.all([closing, outbound.close()]);
    await outbound.close();

    const other = open();
    const endless = await fetchBy(other)(url);
    const text = endless.text().catch((reason: unknown) => reason);
    await Promise.all([other.close(), other.close()]);
    expect(await text).toBeInstanceOf(Error);
    await gone;
    const late = await fetchBy(other)(url).catch((reason: unknown) => reason);
    expect(late).toBeInstanceOf(Error);
    expect(inspect(late, { depth: 10 })).not.toContain(key);
  });
});
