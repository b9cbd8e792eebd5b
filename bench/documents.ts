// How well and how fast documents are read, and how the service feels meanwhile: uploads every file of a folder through the
// API of a real server on the embedded database, waits for the ingestions, scores the texts and prints the latency of a small
// query that was asked all the time. `npm run bench:documents -- <folder with files/, expected.json, reference-text/>`
import { execFileSync } from 'node:child_process';
import { openAsBlob } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/platform/config.ts';
import { startServer } from '../src/server.ts';

const folder = resolve(process.argv[2] ?? '.');
const password = 'Str0ng-pass-word!';
const work = await mkdtemp(join(tmpdir(), 'parley-bench-'));
const app = await createApp(loadConfig({ NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'error', DATA_DIR: join(work, 'data') }));
const server = await startServer(app);

interface Ended {
  readonly status: string;
  readonly error: { readonly code: string } | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

const token = await signUp();
const ended = new Map<string, Ended>();
const stop = followJobs();
const probe = measureLatency();
const names = (await readdir(join(folder, 'files'))).sort();
const start = performance.now();
const uploads = await uploadAll();
await until(() => [...uploads.values()].every(({ id }) => id === undefined || ended.has(id)));
const seconds = (performance.now() - start) / 1000;
const latencies = await probe();

const rows = [];
for (const [file, { id, code }] of uploads) rows.push({ file, ...(id === undefined ? { status: statusOf(code) } : await resultOf(id)) });
const got = join(work, 'got.jsonl');
await writeFile(got, rows.map((row) => JSON.stringify(row)).join('\n'));
const score = resolve(folder, '../score/score-documents.mjs');
process.stdout.write(execFileSync(process.execPath, [score, '--expected', join(folder, 'expected.json'), '--got', got, '--reference', join(folder, 'reference-text')]));
const chunks = await ask('{ documents(first: 100) { nodes { chunkCount } } }');
const chunkCount = chunks.documents.nodes.reduce((sum: number, node: { chunkCount: number }) => sum + node.chunkCount, 0);
console.log(JSON.stringify({
  files: names.length, seconds: Number(seconds.toFixed(1)), chunks: chunkCount,
  viewer: { requests: latencies.length, p50: at(latencies, 0.5), p99: at(latencies, 0.99), max: at(latencies, 1) },
}));
stop();
await server.close();
await app.close();
await rm(work, { recursive: true });
process.exit();

async function request(body: FormData | string): Promise<Record<string, never>> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: {
      ...(typeof body === 'string' && { 'content-type': 'application/json' }),
      'graphql-require-preflight': '1',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body,
  });
  const answer = await response.json() as { data: Record<string, never>; errors?: unknown };
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer.data;
}

async function ask(query: string, variables: object = {}): Promise<any> { // eslint-disable-line -- read by whoever wrote the query
  return await request(JSON.stringify({ query, variables }));
}

async function signUp(): Promise<string> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken } } }',
      variables: { input: { email: 'bench@example.test', password, name: 'Bench' } },
    }),
  });
  const { data } = await response.json() as { data: { register: { tokens: { accessToken: string } } } };
  return data.register.tokens.accessToken;
}

function followJobs(): () => void {
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${token}` }, retryAttempts: 0,
  });
  client.subscribe<{ ingestionJobUpdated: Ended & { document: { id: string } } }>(
    { query: 'subscription { ingestionJobUpdated { status stage error { code } startedAt finishedAt document { id } } }' },
    {
      next: ({ data }) => {
        const job = data?.ingestionJobUpdated;
        if (job?.finishedAt) ended.set(job.document.id, job);
      },
      error: (error) => console.error('the subscription ended', error),
      complete: () => undefined,
    },
  );
  return () => void client.dispose();
}

/** Asks again 5 ms after each answer; returns the milliseconds of all, ascending. */
function measureLatency(): () => Promise<number[]> {
  const latencies: number[] = [];
  let open = true;
  const loop = (async () => {
    while (open) {
      const asked = performance.now();
      await ask('{ viewer { user { name } } }');
      latencies.push(performance.now() - asked);
      await new Promise((done) => setTimeout(done, 5));
    }
  })();
  return async () => {
    open = false;
    await loop;
    return latencies.sort((a, b) => a - b);
  };
}

/** What became of each file by name: a document, or the code of its refusal. */
async function uploadAll(): Promise<Map<string, { id?: string; code?: string }>> {
  const uploaded = new Map<string, { id?: string; code?: string }>();
  for (const name of names) {
    const form = new FormData();
    const query = 'mutation ($input: UploadDocumentsInput!) { uploadDocuments(input: $input) { documents { id } userErrors { code message } } }';
    form.set('operations', JSON.stringify({ query, variables: { input: { files: [null] } } }));
    form.set('map', JSON.stringify({ 0: ['variables.input.files.0'] }));
    form.set('0', await openAsBlob(join(folder, 'files', name)), name);
    const { uploadDocuments } = await request(form) as any; // eslint-disable-line -- as in the query above
    uploaded.set(name, { id: uploadDocuments.documents[0]?.id, code: uploadDocuments.userErrors[0]?.code });
  }
  return uploaded;
}

async function resultOf(id: string) {
  const { document } = await ask('query ($id: ID!) { document(id: $id) { status error { code } metadata { title author pageCount } version { text } } }', { id });
  const job = ended.get(id);
  const ms = Date.parse(job?.finishedAt ?? '') - Date.parse(job?.startedAt ?? '');
  const { pageCount: pages, title, author } = document.metadata;
  const status = document.error ? statusOf(document.error.code) : 'text';
  let { text } = document.version;
  for (let length = text.length; length === 100_000;) {
    const more = await ask('query ($id: ID!, $start: Int) { document(id: $id) { version { text(start: $start) } } }', { id, start: text.length });
    length = more.document.version.text.length;
    text += more.document.version.text;
  }
  return { status, pages, title, author, text, ms };
}

function statusOf(code: string | undefined): string {
  return code === 'DOCUMENT_HAS_NO_TEXT' ? 'no_text' : code === 'DOCUMENT_ENCRYPTED' ? 'password' : 'broken';
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setTimeout(done, 20));
}

function at(sorted: readonly number[], share: number): number {
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1));
}
