import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { GraphQLScalarType } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { useMultipart, type FileUpload } from '../../src/platform/multipart.ts';

const maxBytes = 26_214_400;
const preflight = { 'x-graphql-yoga-csrf': '1' };

/** What the resolvers tell the tests; `proceed` lets a resolver go on that waits for it. */
let seen: { serverSocket?: Socket; failures: unknown[]; reading: PromiseWithResolvers<void>; proceed: PromiseWithResolvers<void> };

async function* readAll(file: Promise<FileUpload>) {
  try {
    const { name, mediaType, stream } = await file;
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += chunk.length;
      seen.reading.resolve();
      yield;
    }
    yield { name, mediaType, bytes };
  } catch (error) {
    seen.failures.push(error);
    seen.reading.resolve();
    throw error;
  }
}

async function measure(file: Promise<FileUpload>) {
  for await (const result of readAll(file)) if (result) return result;
  throw new Error('unreachable');
}

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    scalar Upload
    type File { name: String! mediaType: String! bytes: Int! }
    type Query { hello: String }
    type Mutation {
      one(file: Upload!): File!
      many(files: [Upload!]!): [File!]!
      ignore(files: [Upload]): String!
      firstBytes(files: [Upload!]!): [File!]!
      patient(file: Upload!): File!
      waiting(file: Upload!): String!
      backwards(files: [Upload!]!): [File!]!
    }
  `,
  resolvers: {
    Upload: new GraphQLScalarType({ name: 'Upload', parseValue: (value) => value }),
    Mutation: {
      one: (_: unknown, { file }) => measure(file),
      many: (_: unknown, { files }) => Promise.all(files.map(measure)),
      ignore: () => 'ignored',
      async firstBytes(_: unknown, { files }) {
        const [first, ...rest] = files;
        for await (const _chunk of (await first).stream) break;
        return Promise.all(rest.map(measure));
      },
      async patient(_: unknown, { file }) {
        const upload: FileUpload = await file;
        let bytes = 0;
        for await (const chunk of upload.stream) {
          bytes += chunk.length;
          seen.reading.resolve();
          await seen.proceed.promise;
        }
        return { ...upload, bytes };
      },
      async waiting(_: unknown, { file }) {
        seen.reading.resolve();
        return (await file.catch((error: unknown) => { seen.failures.push(error); return { name: 'none' }; })).name;
      },
      async backwards(_: unknown, { files }) {
        const results = [];
        for (const file of files.toReversed()) results.push(await measure(file));
        return results;
      },
    },
  },
});

let server: Server;
let url: string;
beforeAll(async () => {
  const options = { schema, logging: false, multipart: false, maxRequestBodySize: false, batching: true } as const;
  const yoga = createYoga({ ...options, plugins: [useMultipart({ maxBytes, maxFiles: 3 })] });
  const impatient = createYoga({ ...options, plugins: [useMultipart({ maxBytes, maxFiles: 3, stallMs: 200 })] });
  server = createServer((request, response) => {
    seen.serverSocket = request.socket;
    void (request.url === '/graphql?impatient' ? impatient : yoga)(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
});
afterAll(() => new Promise((done) => {
  server.closeAllConnections();
  server.close(done);
}));
beforeEach(() => {
  seen = { failures: [], reading: Promise.withResolvers(), proceed: Promise.withResolvers() };
});

const one = { query: 'mutation ($file: Upload!) { one(file: $file) { name mediaType bytes } }', variables: { file: null } };
const listOf = (field: string, count: number) => ({
  query: `mutation ($files: [Upload!]!) { ${field}(files: $files) { name mediaType bytes } }`,
  variables: { files: Array.from({ length: count }, () => null) },
});

type Part = readonly [name: string, content: string | Blob, fileName?: string];

async function send(parts: readonly Part[], headers: Record<string, string> = preflight, to = url) {
  const form = new FormData();
  for (const [name, content, fileName] of parts) {
    if (typeof content === 'string') form.append(name, content);
    else form.append(name, content, fileName);
  }
  const response = await fetch(to, { method: 'POST', body: form, headers: { accept: 'application/json', ...headers } });
  return { status: response.status, ...(await response.json()) as { data?: any; errors?: { message: string; extensions: { code: string } }[] } };
}

const operation = (value: unknown): Part => ['operations', JSON.stringify(value)];
const map = (value: unknown): Part => ['map', JSON.stringify(value)];
const file = (name: string, size: number, fileName = `${name}.pdf`): Part =>
  [name, new Blob([Buffer.alloc(size, 'x')], { type: 'application/pdf' }), fileName];

/** The bytes of a request as a client may send them who is not as careful as fetch. */
function rawRequest(parts: readonly string[], { end = true, length }: { end?: boolean; length?: number } = {}): string {
  const body = parts.map((part) => `--cut\r\n${part}`).join('\r\n') + (end ? '\r\n--cut--\r\n' : '');
  return `POST /graphql HTTP/1.1\r\nHost: parley\r\nAccept: application/json\r\nConnection: close\r\nX-Requested-With: test\r\n` +
    `Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: ${length ?? Buffer.byteLength(body)}\r\n\r\n${body}`;
}
const rawField = (name: string, value: unknown) =>
  `Content-Disposition: form-data; name="${name}"\r\n\r\n${typeof value === 'string' ? value : JSON.stringify(value)}`;
const rawFile = (name: string, content: string, disposition = `filename="${name}.txt"`) =>
  `Content-Disposition: form-data; name="${name}"; ${disposition}\r\nContent-Type: Text/Plain\r\n\r\n${content}`;

async function open(): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}

async function sendRaw(request: string) {
  const socket = await open();
  socket.write(request);
  const answer = await readText(socket);
  return { status: Number(answer.split(' ')[1]), body: answer.slice(answer.indexOf('\r\n\r\n')) };
}

describe('an upload', () => {
  it('reaches the operation with its name, declared media type and every byte', async () => {
    const { status, data } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', 3_000_000, 'Grüße 文.pdf')]);
    expect(status).toBe(200);
    expect(data.one).toEqual({ name: 'Grüße 文.pdf', mediaType: 'application/pdf', bytes: 3_000_000 });
  });

  it('may consist of several files, also of ones that are read at the same time', async () => {
    const paths = { a: ['variables.files.0'], b: ['variables.files.1'], c: ['variables.files.2'] };
    const { data } = await send([operation(listOf('many', 3)), map(paths), file('a', 1_000_000), file('b', 0), file('c', 500_000)]);
    expect(data.many.map((each: { bytes: number }) => each.bytes)).toEqual([1_000_000, 0, 500_000]);
  });

  it('may be exactly as large as the limit', async () => {
    const { data } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', maxBytes)]);
    expect(data.one.bytes).toBe(maxBytes);
  });

  it('that is larger gives its reader an UploadTooLargeError', async () => {
    const { errors } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', maxBytes + 1)]);
    expect(errors).toHaveLength(1);
    expect(seen.failures).toEqual([expect.objectContaining({ name: 'UploadTooLargeError', code: 'PAYLOAD_TOO_LARGE', maxBytes })]);
  });

  it('that is too large does not keep the next file of the request from arriving', async () => {
    const paths = { a: ['variables.files.0'], b: ['variables.files.1'] };
    const query = 'mutation ($files: [Upload!]!) { a: firstBytes(files: $files) { bytes } }';
    const { data } = await send([
      operation({ query, variables: { files: [null, null] } }), map(paths), file('a', maxBytes + 5_000_000), file('b', 7),
    ]);
    expect(data.a).toEqual([{ bytes: 7 }]);
  });

  it('is read no faster than the operation takes it', async () => {
    const query = 'mutation ($file: Upload!) { patient(file: $file) { bytes } }';
    const answer = sendRaw(rawRequest([
      rawField('operations', { query, variables: { file: null } }), rawField('map', { 0: ['variables.file'] }), rawFile('0', 'x'.repeat(maxBytes)),
    ]));
    await seen.reading.promise;
    // Without back-pressure each of these turns would take in another chunk of 64 KB.
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    expect(seen.serverSocket?.bytesRead).toBeLessThan(2 ** 20);
    seen.proceed.resolve();
    expect((await answer).body).toContain(`"bytes":${maxBytes}`);
  });

  it('that nobody reads is thrown away, and the request is answered', async () => {
    const query = 'mutation ($files: [Upload]) { ignore(files: $files) }';
    const { data } = await send([
      operation({ query, variables: { files: [null, null] } }), map({ a: ['variables.files.0'], b: ['variables.files.1'] }),
      file('a', 10_000_000), file('b', 10_000_000),
    ]);
    expect(data.ignore).toBe('ignored');
  });

  it('that is abandoned after its first bytes makes way for the next', async () => {
    const { data } = await send([
      operation(listOf('firstBytes', 2)), map({ a: ['variables.files.0'], b: ['variables.files.1'] }),
      file('a', 5_000_000), file('b', 1234),
    ]);
    expect(data.firstBytes).toEqual([{ name: 'b.pdf', mediaType: 'application/pdf', bytes: 1234 }]);
  });

  it('that waits for another one behind it fails with TIMEOUT instead of hanging', async () => {
    const { status, errors } = await send([
      operation(listOf('backwards', 2)), map({ a: ['variables.files.0'], b: ['variables.files.1'] }),
      file('a', 5_000_000), file('b', 10),
    ], preflight, `${url}?impatient`);
    expect(status).toBe(408);
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'TIMEOUT' }, message: expect.stringContaining('in the order') });
  });

  it('keeps no directories or control characters of a name, and has a name without one', async () => {
    const answers = await Promise.all(['filename="..\\..\\C:\\dir/evil\t.txt"', 'filename=" "', "filename*=UTF-8''%00null.txt"].map((disposition) =>
      sendRaw(rawRequest([rawField('operations', one), rawField('map', { 0: ['variables.file'] }), rawFile('0', 'abc', disposition)]))));
    expect(answers[0]?.body).toContain('"one":{"name":"evil.txt","mediaType":"text/plain","bytes":3}');
    expect(answers[1]?.body).toContain('"name":"file"');
    expect(answers[2]?.body).toContain('"name":"null.txt"');
  });
});

describe('a multipart request', () => {
  it.each(['x-graphql-yoga-csrf', 'apollo-require-preflight', 'graphql-require-preflight', 'x-requested-with'])(
    'is read with the header %s', async (header) => {
      const { data } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', 1)], { [header]: '1' });
      expect(data.one.bytes).toBe(1);
    },
  );

  it('without such a header is refused, since any web page could have sent it', async () => {
    const { status, errors } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', 5_000_000)], {});
    expect(status).toBe(403);
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' }, message: expect.stringContaining('x-graphql-yoga-csrf') });
  });

  it.each<[fault: string, parts: Part[], message: RegExp]>([
    ['without operations', [file('0', 1)], /comes before "operations"/],
    ['without any part', [['other', 'x']], /"operations" is missing/],
    ['without map', [operation(one)], /"map" is missing/],
    ['with map first', [map({ 0: ['variables.file'] }), operation(one)], /"map" comes before/],
    ['with a file before map', [operation(one), file('0', 2_000_000), map({ 0: ['variables.file'] })], /comes before/],
    ['with two operations', [operation(one), operation(one)], /comes twice/],
    ['with two maps', [operation(one), map({ 0: ['variables.file'] }), map({})], /comes twice/],
    ['with operations that are not JSON', [['operations', '{"query":']], /"operations" is not JSON/],
    ['with operations that are no object', [operation(7)], /not a JSON object/],
    ['with a batch of operations', [operation([one])], /not supported/],
    ['with a map that is not JSON', [operation(one), ['map', '{']], /"map" is not JSON/],
    ['with a map that is a list', [operation(one), map([])], /"map" is not a JSON object/],
    ['with a map without paths', [operation(one), map({ 0: 'variables.file' })], /no list of paths/],
    ['with a map of empty lists', [operation(one), map({ 0: [] })], /no list of paths/],
    ['with a file used twice', [operation(one), map({ 0: ['variables.file', 'variables.other'] })], /2 times/],
    ['with two files at one place', [operation(one), map({ 0: ['variables.file'], 1: ['variables.file'] })], /no null/],
    ['with a path outside the variables', [operation({ ...one, extensions: null }), map({ 0: ['extensions'] })], /no null/],
    ['with a path that does not exist', [operation(one), map({ 0: ['variables.nothing.deep'] })], /no null/],
    ['with a path to a value', [operation({ ...one, variables: { file: 'x' } }), map({ 0: ['variables.file'] })], /no null/],
    ['with a path to a prototype', [operation(one), map({ 0: ['variables.__proto__.polluted'] })], /no null/],
    ['with a path to a constructor', [operation(one), map({ 0: ['variables.constructor.prototype.polluted'] })], /no null/],
    ['with its own __proto__', [['operations', '{"query":"{hello}","variables":{"__proto__":{"x":null}}}'], map({ 0: ['variables.__proto__.x'] })], /no null/],
    ['with a file that map names as text', [operation(one), map({ 0: ['variables.file'] }), ['0', 'text']], /not a file/],
    ['without a file that map names', [operation(one), map({ 0: ['variables.file'] })], /was not sent/],
    ['with a file that map does not name', [operation(one), map({ 0: ['variables.file'] }), file('1', 1)], /not named in "map"/],
  ])('%s is refused as VALIDATION_FAILED with status 400', async (_fault, parts, message) => {
    const { status, errors } = await send(parts);
    expect(errors?.[0]?.message).toMatch(message);
    expect(errors?.[0]?.extensions.code).toBe('VALIDATION_FAILED');
    expect(status).toBe(400);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each<[fault: string, parts: Part[]]>([
    ['more files than allowed', [operation(one), map({ 0: ['variables.file'], 1: ['variables.b'], 2: ['variables.c'], 3: ['variables.d'] })]],
    ['operations of more than a megabyte', [operation({ ...one, extensions: { a: 'x'.repeat(2 ** 20) } })]],
    ['many fields', Array.from({ length: 17 }, (_, index): Part => [`f${index}`, 'x'])],
    ['more bytes than all files may have', [operation(one), map({ 0: ['variables.file'] }), file('0', 4 * maxBytes)]],
  ])('with %s is refused as PAYLOAD_TOO_LARGE with status 413', async (_fault, parts) => {
    const { status, errors } = await send(parts);
    expect(errors?.[0]?.extensions.code).toBe('PAYLOAD_TOO_LARGE');
    expect(status).toBe(413);
  });

  it('that does not say its length is stopped at the limit all the same', async () => {
    async function* endless() {
      yield Buffer.from(`--cut\r\n${rawField('operations', one)}\r\n--cut\r\n${rawField('map', { 0: ['variables.file'] })}\r\n--cut\r\n${rawFile('0', '')}`);
      while (!seen.failures.length) yield Buffer.alloc(2 ** 20, 'x');
      yield Buffer.from('\r\n--cut--\r\n');
    }
    const response = await fetch(url, {
      method: 'POST', body: Readable.toWeb(Readable.from(endless())), duplex: 'half',
      headers: { ...preflight, 'content-type': 'multipart/form-data; boundary=cut' },
    } as unknown as RequestInit);
    await response.text();
    expect(seen.failures).toEqual([expect.objectContaining({ name: 'UploadTooLargeError' })]);
  });

  it('without a boundary is refused', async () => {
    const response = await fetch(url, { method: 'POST', body: 'x', headers: { ...preflight, 'content-type': 'multipart/form-data', accept: 'application/json' } });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('VALIDATION_FAILED');
  });

  it('with a body that is not multipart is refused', async () => {
    const { status, body } = await sendRaw(rawRequest([]).replace('--cut--', 'nonsense'));
    expect(status).toBe(400);
    expect(body).toContain('cannot be read');
  });

  it('with a malformed part header is refused', async () => {
    const { status, body } = await sendRaw(rawRequest([`Content-Disposition\r\n\r\nx`]));
    expect(status).toBe(400);
    expect(body).toContain('Malformed part header');
  });

  it('whose end is missing fails the file with an UploadInterruptedError', async () => {
    const { body } = await sendRaw(rawRequest(
      [rawField('operations', one), rawField('map', { 0: ['variables.file'] }), rawFile('0', 'abc')], { end: false },
    ));
    expect(body).toContain('errors');
    expect(seen.failures).toEqual([expect.objectContaining({ name: 'UploadInterruptedError' })]);
  });

  it('whose client goes away in the middle of a file fails the file', async () => {
    const socket = await open();
    socket.write(rawRequest(
      [rawField('operations', one), rawField('map', { 0: ['variables.file'] }), rawFile('0', 'x'.repeat(200_000))],
      { end: false, length: 1_000_000 },
    ));
    await seen.reading.promise;
    socket.destroy();
    await expect.poll(() => seen.failures).toEqual([
      expect.objectContaining({ name: 'UploadInterruptedError', message: expect.stringContaining('0.txt') }),
    ]);
  });

  it('whose client goes away before a file comes fails the promise of that file', async () => {
    const query = 'mutation ($file: Upload!) { waiting(file: $file) }';
    const socket = await open();
    socket.write(rawRequest(
      [rawField('operations', { query, variables: { file: null } }), rawField('map', { 0: ['variables.file'] }), ''],
      { end: false, length: 1_000_000 },
    ));
    await seen.reading.promise;
    socket.destroy();
    await expect.poll(() => seen.failures).toEqual([expect.objectContaining({ message: 'The request was cut off.' })]);
  });

  it('leaves the connection usable for the next request', async () => {
    for (const size of [10, 5_000_000, 10]) {
      const { data } = await send([operation(one), map({ 0: ['variables.file'] }), file('0', size)]);
      expect(data.one.bytes).toBe(size);
    }
  });

  it('leaves other requests alone', async () => {
    const response = await fetch(url, {
      method: 'POST', body: JSON.stringify({ query: '{ __typename }' }), headers: { 'content-type': 'application/json' },
    });
    expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
  });
});
