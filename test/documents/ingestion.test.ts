// Ingestion under everything that may happen to it: kills, cancels, failing embedders, slow and leaving subscribers.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createContext } from '../../src/context.ts';
import { followJobs as followRows } from '../../src/documents/follow.ts';
import { ingest } from '../../src/documents/ingest.ts';
import { authenticate } from '../../src/accounts/service.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { addText, createProfile, ended, followJobs, holdEmbedding as holdEmbeddingOf, read, replace, upload, type HeldEmbedding } from './support.ts';

const words = (count: number, seed = 'word'): string => Array.from({ length: count }, (_, index) => `${seed}${index % 97} sentence number ${index} ends here.`).join(' ');
const uuidOf = (globalId: string): string => Buffer.from(globalId, 'base64url').toString().split(':')[1] as string;
const never = new AbortController().signal;

let parley: TestApp;
let ada: TestUser;
const task = (jobId: string) => ({ workspaceId: uuidOf(ada.workspaceId), jobId: uuidOf(jobId) });
const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => (await parley.app.database.pglite!.query<Record<string, unknown>>(text, values)).rows;
const rowsOf = async (documentId: string): Promise<unknown> =>
  (await sql(`select (select count(*)::int from document_chunk where document_id = $1) as chunks,
    (select count(*)::int from posting join document_chunk on document_chunk.id = chunk_id where document_id = $1) as postings,
    (select count(*)::int from chunk_embedding join document_chunk on document_chunk.id = chunk_id where document_id = $1) as vectors,
    (select count(*)::int from document_text join document_version on document_version.id = version_id where document_id = $1) as pieces`, [uuidOf(documentId)]))[0];
let held: HeldEmbedding | null = null;
function holdEmbedding(): HeldEmbedding {
  held = holdEmbeddingOf(parley);
  return held;
}
afterEach(() => held?.letGo());
/** As a process that is killed leaves a job: begun, and not published. */
const rewind = async (jobId: string, attempt: number): Promise<void> => {
  await sql("update ingestion_job set status = 'RUNNING', stage = 'INDEXING', attempt = $2, finished_at = null where id = $1", [uuidOf(jobId), attempt]);
  await sql("update document set status = 'PROCESSING', published_version_id = null where id = (select document_id from ingestion_job where id = $1)", [uuidOf(jobId)]);
};

beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp();
});
afterAll(() => parley.close());

describe('a try', () => {
  it('after a killed one begins anew: nothing is doubled', async () => {
    const { document, job } = await addText(ada, { text: words(200) });
    await ended(ada, job.id);
    const before = await rowsOf(document.id);
    await rewind(job.id, 1);
    await ingest(parley.app, task(job.id), never);
    expect(await rowsOf(document.id)).toEqual(before);
    expect(await read(ada, document.id)).toMatchObject({ status: 'READY', versions: { totalCount: 1 }, latestJob: { status: 'SUCCEEDED', attempt: 2 } });
  });

  it('of a job that is done does nothing', async () => {
    const { document, job } = await addText(ada, { text: 'Once is enough.' });
    await ended(ada, job.id);
    const before = await rowsOf(document.id);
    await ingest(parley.app, task(job.id), never);
    expect(await rowsOf(document.id)).toEqual(before);
    expect((await read(ada, document.id)).latestJob).toMatchObject({ attempt: 1 });
  });

  it('that fails unexpectedly is repeated, and fails the document the third time', async () => {
    const { document, job } = await addText(ada, { text: 'Its bytes get lost.' });
    await ended(ada, job.id);
    await rewind(job.id, 0);
    await sql('update document_version set file_id = null where document_id = $1', [uuidOf(document.id)]);
    for (const attempt of [1, 2]) {
      await expect(ingest(parley.app, task(job.id), never)).rejects.toThrow();
      expect((await read(ada, document.id)).latestJob).toMatchObject({ status: 'QUEUED', attempt });
    }
    await ingest(parley.app, task(job.id), never);
    expect(await read(ada, document.id)).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', retryable: true }, latestJob: { status: 'FAILED', attempt: 3 } });
  });

  it('is not made a fourth time when three processes have ended in it, and the document says so', async () => {
    const { document, job } = await addText(ada, { text: 'A poisonous document.' });
    await ended(ada, job.id);
    await rewind(job.id, 3);
    await ingest(parley.app, task(job.id), never);
    const message = expect.stringContaining('ended 3 times before it was done');
    expect(await read(ada, document.id)).toMatchObject({ status: 'FAILED', error: { code: 'INTERNAL', message, retryable: true }, chunkCount: 0 });
  });

  it('that a stopping process interrupts is put back without being counted', async () => {
    const { document, job } = await addText(ada, { text: words(400) });
    await ended(ada, job.id);
    await rewind(job.id, 0);
    const stop = new AbortController();
    const held = holdEmbedding();
    const running = expect(ingest(parley.app, task(job.id), stop.signal)).rejects.toThrow('The process stops.');
    await held.begun;
    stop.abort(new Error('The process stops.'));
    await running;
    expect((await read(ada, document.id)).latestJob).toMatchObject({ status: 'QUEUED', stage: 'QUEUED', attempt: 0 });
    held.letGo();
    await ingest(parley.app, task(job.id), never);
    expect(await read(ada, document.id)).toMatchObject({ status: 'READY', latestJob: { attempt: 1 } });
  });

  it('that another process has taken over writes nothing more', async () => {
    const { document, job } = await addText(ada, { text: words(1000) });
    await ended(ada, job.id);
    const before = await rowsOf(document.id);
    // It wakes up when the other has begun, and when it has done all of it.
    for (const isOver of [false, true]) {
      await rewind(job.id, 0);
      const held = holdEmbedding();
      const asleep = ingest(parley.app, task(job.id), never);
      await held.begun;
      const awake = { ...parley.app, models: { ...parley.app.models, embed: held.embed } };
      const other = ingest(isOver ? awake : parley.app, task(job.id), never);
      if (isOver) await other;
      held.letGo();
      await Promise.all([asleep, other]);
      expect(await rowsOf(document.id)).toEqual(before);
    }
    expect((await read(ada, document.id)).latestJob).toMatchObject({ status: 'SUCCEEDED', attempt: 2 });
  });

  it('that wakes up before it has removed anything leaves what the next one made', async () => {
    const { document, job } = await addText(ada, { text: words(300) });
    await ended(ada, job.id);
    const before = await rowsOf(document.id);
    await rewind(job.id, 0);
    const begun = Promise.withResolvers<void>();
    const wakes = Promise.withResolvers<void>();
    const { bus } = parley.app;
    // It falls asleep after its first transaction.
    const sleepy = { ...parley.app, bus: { ...bus, subscribe: async (...given: Parameters<typeof bus.subscribe>) => {
      begun.resolve();
      await wakes.promise;
      return await bus.subscribe(...given);
    } } } as typeof parley.app;
    const asleep = ingest(sleepy, task(job.id), never);
    await begun.promise;
    await ingest(parley.app, task(job.id), never);
    wakes.resolve();
    await asleep;
    expect(await rowsOf(document.id)).toEqual(before);
    expect(await read(ada, document.id)).toMatchObject({ status: 'READY', latestJob: { status: 'SUCCEEDED', attempt: 2 } });
  });

  it('ends as soon as it is cancelled, and leaves nothing', async () => {
    const held = holdEmbedding();
    const { document, job } = await addText(ada, { text: words(1000) });
    const jobs = followJobs(ada, { jobId: job.id });
    await jobs.until(() => true);
    await held.begun;
    await ada.ask('mutation ($input: CancelIngestionInput!) { cancelIngestion(input: $input) { job { status } } }', { input: { jobId: job.id } });
    await jobs.ended;
    expect(jobs.events.at(-1).ingestionJobUpdated).toMatchObject({ status: 'CANCELLED', document: { status: 'FAILED' } });
    await settled();
    expect(await rowsOf(document.id)).toEqual({ chunks: 0, postings: 0, vectors: 0, pieces: 0 });
    expect((await read(ada, document.id)).latestJob).toMatchObject({ status: 'CANCELLED' });
  });

  it('gives way to a newer version of its document', async () => {
    const held = holdEmbedding();
    const { documents, jobs } = await upload(parley, ada, [{ name: 'old.txt', content: words(1000, 'old') }]);
    const both = followJobs(ada, { documentId: documents[0].id });
    await both.until((event) => event.ingestionJobUpdated.id === jobs[0].id);
    await held.begun;
    const replaced = await replace(parley, ada, documents[0].id, { name: 'new.txt', content: 'The new text.' });
    held.letGo();
    await both.until((event) => event.ingestionJobUpdated.id === jobs[0].id && event.ingestionJobUpdated.status === 'CANCELLED');
    await both.until((event) => event.ingestionJobUpdated.id === replaced.job.id && event.ingestionJobUpdated.status === 'SUCCEEDED');
    both.stop();
    expect(await read(ada, documents[0].id)).toMatchObject({ status: 'READY', version: { number: 2, text: 'The new text.' }, chunkCount: 1 });
  });
});

describe('an embedder', () => {
  let server: Server;
  let status = 500;
  let remote: TestApp;
  let grace: TestUser;
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => {
        const { input } = JSON.parse(body) as { input: string[] };
        const data = input.map((_, index) => ({ object: 'embedding', index, embedding: [index, 1, 0.5] }));
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(status === 200 ? { object: 'list', model: 'tiny', data, usage: { prompt_tokens: 1, total_tokens: 1 } } : { error: { message: 'no' } }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    remote = await createTestApp({ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`, EMBEDDING_MODEL: 'openai:tiny' });
    grace = await remote.signUp('Grace');
  });
  afterAll(async () => {
    await remote.close();
    server.close();
  });

  it('that refuses leaves a document that is found by its words', async () => {
    status = 401;
    const { document, job } = await addText(grace, { text: words(400) });
    expect(await ended(grace, job.id)).toMatchObject({ status: 'PARTIALLY_SUCCEEDED', stage: 'DONE', document: { status: 'PARTIALLY_READY' } });
    const made = await read(grace, document.id);
    expect(made).toMatchObject({ status: 'PARTIALLY_READY', error: { stage: 'EMBEDDING', failedChunkCount: made.chunkCount } });
    expect(made.chunkCount).toBeGreaterThan(3);
  });

  it('that is back gives vectors to what had none', async () => {
    status = 401;
    const { document, job } = await addText(grace, { text: 'Nobody embeds this at first.' });
    await ended(grace, job.id);
    status = 200;
    const { reingestDocument } = await grace.ask('mutation ($input: ReingestDocumentInput!) { reingestDocument(input: $input) { job { id } } }', { input: { id: document.id } });
    expect(await ended(grace, reingestDocument.job.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await read(grace, document.id)).toMatchObject({ status: 'READY', error: null, version: { reusedChunkCount: 0, embeddingModel: { name: 'tiny' } } });
    const { rows } = await remote.app.database.pglite!.query('select from chunk_embedding join document_chunk on document_chunk.id = chunk_id where document_id = $1', [uuidOf(document.id)]);
    expect(rows).toHaveLength(1);
  });
});

describe('ingestionJobUpdated', () => {
  it('tells unfinished jobs at once and each stage, to the end, of every job that matches', async () => {
    const profileId = await createProfile(ada);
    const held = holdEmbedding();
    const waits = await addText(ada, { name: 'Waits', text: words(300, 'waits'), profileIds: [profileId] });
    const [jobs, everything] = [followJobs(ada, { profileId }), followJobs(ada)];
    // Both are told of a job that is not finished, and thereby that they have begun.
    for (const stream of [jobs, everything]) await stream.until((event) => event.ingestionJobUpdated.id === waits.job.id);
    held.letGo();
    const other = await addText(ada, { name: 'Elsewhere', text: 'Not of this profile.' });
    const mine = await addText(ada, { name: 'Mine', text: words(300), profileIds: [profileId] });
    const done = (id: string) => (event: { ingestionJobUpdated: { status: string; document: { id: string } } }): boolean =>
      event.ingestionJobUpdated.status === 'SUCCEEDED' && event.ingestionJobUpdated.document.id === id;
    await jobs.until(done(mine.document.id));
    for (const { document } of [waits, other, mine]) await everything.until(done(document.id));
    expect(new Set(jobs.events.map((event) => event.ingestionJobUpdated.document.id))).toEqual(new Set([waits.document.id, mine.document.id]));
    const stages = [...new Set(jobs.events.filter((event) => event.ingestionJobUpdated.id === mine.job.id).map((event) => event.ingestionJobUpdated.stage))];
    expect(stages.at(-1)).toBe('DONE');
    expect(stages).toEqual(['QUEUED', 'EXTRACTING', 'CHUNKING', 'EMBEDDING', 'INDEXING', 'DONE'].filter((stage) => stages.includes(stage)));
    jobs.stop();
    everything.stop();
  });

  it('tells the end of a job whose document was deleted meanwhile', async () => {
    holdEmbedding();
    const { document, job } = await addText(ada, { text: words(300) });
    const jobs = followJobs(ada, { documentId: document.id });
    await jobs.until(() => true);
    await ada.ask('mutation ($input: DeleteDocumentInput!) { deleteDocument(input: $input) { deletedId } }', { input: { id: document.id } });
    await jobs.until((event) => event.ingestionJobUpdated?.status === 'CANCELLED');
    expect(jobs.events.at(-1).ingestionJobUpdated).toMatchObject({ id: job.id, document: { status: 'DELETING' } });
    jobs.stop();
  });

  it('refuses ids of other workspaces, guests, and nothing else', async () => {
    const { document, job } = await addText(ada, { text: 'Private.' });
    const profileId = await createProfile(ada);
    const stranger = await parley.signUp('Stranger');
    for (const filter of [{ jobId: job.id }, { documentId: document.id }, { profileId }, { jobId: document.id }]) {
      expect(JSON.stringify(await refusal(stranger, filter))).toContain('NOT_FOUND');
    }
    const viewer = await parley.signUpInto(ada, 'VIEWER');
    expect(await ended(viewer, job.id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('gives a reader that is slow the newest state of each job, and never leaves out an end', async () => {
    const ctx = createContext(parley.app, { viewer: await authenticate(parley.app, ada.accessToken) });
    const slow = await followRows(ctx, { jobId: null, documentId: null, profileId: null });
    const added = await Promise.all(Array.from({ length: 6 }, (_, index) => addText(ada, { text: `${index} ${words(100)}` })));
    for (const { job } of added) await ended(ada, job.id);
    const seen: string[] = [];
    while (seen.length < added.length) {
      const { value } = await slow.next();
      if (added.some(({ job }) => uuidOf(job.id) === value.id)) seen.push(`${value.id} ${value.status}`);
    }
    expect(seen.sort()).toEqual(added.map(({ job }) => `${uuidOf(job.id)} SUCCEEDED`).sort());
    await slow.return?.();
    expect(await slow.next()).toEqual({ value: undefined, done: true });
  });

  it('can be left before its first event, and while it waits for one', async () => {
    const ctx = createContext(parley.app, { viewer: await authenticate(parley.app, (await parley.signUp('Quiet')).accessToken) });
    const filter = { jobId: null, documentId: null, profileId: null };
    const unread = await followRows(ctx, filter);
    await unread.return?.();
    expect(await unread.next()).toMatchObject({ done: true });
    const waiting = await followRows(ctx, filter);
    const next = waiting.next();
    await waiting.return?.();
    expect(await next).toMatchObject({ done: true });
  });
});

async function settled(): Promise<void> {
  while ((await parley.app.jobs.pending()) > 0) await new Promise((resolve) => setImmediate(resolve));
}

async function refusal(user: TestUser, filter: object): Promise<unknown> {
  const jobs = followJobs(user, filter);
  const outcome = await jobs.ended;
  return outcome ?? jobs.events;
}
