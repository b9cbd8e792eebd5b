// How well passages are found, and how fast, as a client sees it: adds every document of a judged collection through the API of
// a real server on the embedded database, asks every query, and scores the order with the collection's own script. With
// --answers it also asks every question in a chat and scores what the assistant says; that needs questions with answers.
// `npm run bench:retrieval -- <folder with corpus.jsonl, queries.jsonl, qrels.jsonl> [--answers] [--mode KEYWORD] [--chunk-size 512]`
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/platform/config.ts';
import { startServer } from '../src/server.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { answers: { type: 'boolean', default: false }, mode: { type: 'string', default: 'HYBRID' }, 'chunk-size': { type: 'string' } },
});
const folder = resolve(positionals[0] ?? '.');
const scripts = resolve(folder, '../../score');
const work = await mkdtemp(join(tmpdir(), 'parley-bench-'));
const app = await createApp(loadConfig({ NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'error', DATA_DIR: join(work, 'data') }));
const server = await startServer(app);
const token = await signUp();

interface Row {
  readonly id: string;
  readonly title?: string;
  readonly text: string;
}
const corpus = await readJsonl<Row>('corpus.jsonl');
const queries = await readJsonl<Row>('queries.jsonl');

const profileId = await createProfile();
const { docidOf, figures: ingestion } = await addDocuments();
print({ step: 'ingestion', ...ingestion });
print({ step: 'search', mode: options.mode, ...(await searchAll()) });
if (options.answers) print({ step: 'answers', ...(await answerAll()) });

await server.close();
await app.close();
await rm(work, { recursive: true });
process.exit();

/** Adds the corpus and waits until all of it is ready. */
async function addDocuments() {
  const ids = new Map<string, string>();
  const refused: string[] = [];
  const started = performance.now();
  await severalAtOnce(corpus, 8, async ({ id, title = '', text }) => {
    const { addTextDocument: added } = await ask(
      'mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } userErrors { code } } }',
      { input: { name: (title || id).slice(0, 200), text: text.startsWith(title) ? text : `${title}\n${text}`, mediaType: 'text/plain', profileIds: [profileId] } },
    );
    if (added.document) ids.set(added.document.id, id);
    else refused.push(id);
  });
  const count = async (status: string[]): Promise<number> => (await ask('query ($status: [DocumentStatus!]) { documents(filterBy: { status: $status }) { totalCount } }', { status })).documents.totalCount;
  while ((await count(['PENDING', 'PROCESSING'])) > 0) await new Promise((done) => setTimeout(done, 250));
  const figures = { set: basename(folder), documents: corpus.length, ready: await count(['READY']), failed: await count(['FAILED', 'PARTIALLY_READY']), refused: refused.length, seconds: round((performance.now() - started) / 1000) };
  return { docidOf: ids, figures };
}

/** Asks every query; a document stands where the best of its passages stands. */
async function searchAll() {
  const run: string[] = [];
  const milliseconds: number[] = [];
  const took: number[] = [];
  for (const { id, text } of queries) {
    const asked = performance.now();
    const { search } = await ask(
      'query ($input: SearchInput!) { search(input: $input, first: 100) { tookMs degraded edges { rank node { document { id } } } } }',
      { input: { query: text, mode: options.mode } },
    );
    milliseconds.push(performance.now() - asked);
    took.push(search.tookMs);
    if (search.degraded.length > 0) throw new Error(`The search was degraded: ${search.degraded}`);
    const seen = new Set<string>();
    for (const { rank, node } of search.edges) {
      const docid = docidOf.get(node.document.id);
      if (docid === undefined || seen.has(docid)) continue;
      seen.add(docid);
      run.push(JSON.stringify({ qid: id, docid, score: 1 / rank }));
    }
  }
  const file = join(work, 'run.jsonl');
  await writeFile(file, run.join('\n'));
  const scores = score('score-retrieval.mjs', '--qrels', join(folder, 'qrels.jsonl'), '--run', file, '--json');
  return { ...scores, requestMs: quantiles(milliseconds), searchMs: quantiles(took) };
}

/** A profile that may use the whole corpus, with the product's own settings unless an option says otherwise. */
async function createProfile(): Promise<string> {
  const chunkSize = options['chunk-size'] === undefined ? undefined : Number(options['chunk-size']);
  const { createProfile: made } = await ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', {
    input: { name: 'Bench', systemPrompt: 'Answer from the passages.', retrieval: { mode: 'ALWAYS', ...(chunkSize !== undefined && { chunkSize }) } },
  });
  if (!made.profile) throw new Error(made.userErrors[0]?.message);
  return made.profile.id;
}

/** Asks every question in a chat of its own. */
async function answerAll() {
  const client = createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${token}` }, retryAttempts: 0 });
  const answers: string[] = [];
  const firstTokenMs: number[] = [];
  let cited = 0;
  await severalAtOnce(queries, 4, async ({ id, text }) => {
    const { createChatSession } = await ask('mutation ($input: CreateChatSessionInput!) { createChatSession(input: $input) { session { id } } }', { input: { profileId } });
    const sessionId = createChatSession.session.id;
    const { sendMessage } = await ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { sessionId, text, idempotencyKey: id } });
    if (!sendMessage.run) throw new Error(sendMessage.userErrors[0]?.message);
    await ended(client, sessionId, sendMessage.cursor);
    const { node } = await ask('query ($id: ID!) { node(id: $id) { ... on Run { status firstTokenMs outputMessage { text citations { index } } } } }', { id: sendMessage.run.id });
    if (node.firstTokenMs !== null) firstTokenMs.push(node.firstTokenMs);
    if (node.outputMessage?.citations.length > 0) cited++;
    answers.push(JSON.stringify({ qid: id, text: (node.outputMessage?.text ?? '').replace(/\s*\[\d+\]/g, '') }));
  });
  await client.dispose();
  const file = join(work, 'answers.jsonl');
  await writeFile(file, answers.join('\n'));
  return { ...score('score-answers.mjs', '--queries', join(folder, 'queries.jsonl'), '--answers', file), cited, firstTokenMs: quantiles(firstTokenMs) };
}

/** Resolves when the session's run has ended. */
function ended(client: ReturnType<typeof createClient>, sessionId: string, after: string): Promise<void> {
  return new Promise((done, fail) => {
    const stop = client.subscribe<any>( // eslint-disable-line -- read below as the query has it
      { query: 'subscription ($sessionId: ID!, $after: EventCursor) { chatEvents(sessionId: $sessionId, after: $after) { ... on RunUpdated { runStatus } } }', variables: { sessionId, after } },
      {
        next: ({ data, errors }) => {
          if (errors) fail(new Error(JSON.stringify(errors)));
          if (['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(data?.chatEvents?.runStatus)) {
            done();
            stop();
          }
        },
        error: fail,
        complete: () => done(),
      },
    );
  });
}

async function ask(query: string, variables: object = {}): Promise<any> { // eslint-disable-line -- read by whoever wrote the query
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json() as { data: unknown; errors?: unknown };
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer.data;
}

async function signUp(): Promise<string> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken } } }',
      variables: { input: { email: 'bench@example.test', password: 'Str0ng-pass-word!', name: 'Bench' } },
    }),
  });
  const { data } = await response.json() as { data: { register: { tokens: { accessToken: string } } } };
  return data.register.tokens.accessToken;
}

async function severalAtOnce<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (const item of left) await work(item);
  }));
}

async function readJsonl<T>(name: string): Promise<T[]> {
  return (await readFile(join(folder, name), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as T);
}

function score(script: string, ...args: string[]): Record<string, number> {
  return JSON.parse(execFileSync(process.execPath, [join(scripts, script), ...args], { encoding: 'utf8' }));
}

function quantiles(values: number[]) {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function print(figures: object): void {
  console.log(JSON.stringify(figures));
}
