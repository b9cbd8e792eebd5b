// A workspace changes its embedding model while people search: at no moment is anything missing.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reembed } from '../src/documents/reembedding.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { startGatedEmbedder, type GatedEmbedder } from './support/gated-embedder.ts';
import { withoutProfiles } from './support/installation.ts';

let first: GatedEmbedder;
let second: GatedEmbedder;
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  first = await startGatedEmbedder(4);
  second = await startGatedEmbedder(7);
  // A circuit that opened would keep the embedder from being asked again for half a minute.
  parley = await createTestApp({ CONFIG_FILE: withoutProfiles(), PROVIDER_ALLOWED_NETWORKS: '127.0.0.1', RETRY_BASE_DELAY_MS: '1', RETRY_MAX_ATTEMPTS: '1', CIRCUIT_FAILURES: '1000' });
});
afterAll(async () => {
  for (const embedder of [first, second]) embedder.answer();
  await parley.close();
  await first.close();
  await second.close();
});
beforeEach(async () => {
  for (const embedder of [first, second]) {
    embedder.answer();
    embedder.answered.length = 0;
  }
  ada = await parley.signUp();
  for (const [name, embedder] of [['first', first], ['second', second]] as const) {
    const { upsertProvider } = await ada.ask('mutation ($input: UpsertProviderInput!) { upsertProvider(input: $input) { userErrors { message } } }', {
      input: { name, kind: 'OPENAI_COMPATIBLE', baseUrl: embedder.url, models: [{ name: 'embedder', capabilities: ['EMBEDDING'] }] },
    });
    expect(upsertProvider.userErrors).toEqual([]);
  }
  await choose('first');
});

const modelId = (provider: string): string => Buffer.from(`Model:${provider}:embedder`).toString('base64url');
async function choose(provider: string, user = ada): Promise<{ code: string }[]> {
  return (await user.ask('mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { userErrors { code } } }', { input: { embeddingModelId: modelId(provider) } })).updateWorkspace.userErrors;
}
const textOf = (name: string): string => `The ${name} sails the sea. It carries wood.`;
/** Some 150 passages. */
const longText = Array.from({ length: 150 }, (_, index) => `# Voyage ${index}\n\n${`The ship number ${index} carries wood over the sea. `.repeat(40)}`).join('\n\n');
async function add(name: string, text = textOf(name)): Promise<string> {
  const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } } }', { input: { name, text, mediaType: 'text/markdown' } });
  await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended;
  return addTextDocument.document.id;
}
const searchFor = async (mode: string, query = 'which ship carries wood'): Promise<any> => // eslint-disable-line -- read by whoever asked
  (await ada.ask('query ($input: SearchInput!) { search(input: $input, first: 100) { degraded cached totalCount edges { node { id document { name } } scores { vector } } } }', { input: { query, mode } })).search;
/** The names of what is found; each passage by its vector, and none without it. */
async function found(mode: string, query?: string): Promise<string[]> {
  const search = await searchFor(mode, query);
  expect(search.degraded).toEqual([]);
  for (const { scores } of search.edges) expect(scores.vector).toBeGreaterThan(0);
  expect(new Set(search.edges.map(({ node }: { node: { id: string } }) => node.id)).size).toBe(search.edges.length);
  return search.edges.map(({ node }: { node: { document: { name: string } } }) => node.document.name).sort();
}
interface Progress {
  readonly model: { readonly id: string };
  readonly completedDocuments: number;
  readonly totalDocuments: number;
  readonly error: string | null;
}
const progress = async (): Promise<Progress | null> =>
  (await ada.ask('{ viewer { workspace { embeddingSwitch { model { id } completedDocuments totalDocuments error } } } }')).viewer.workspace.embeddingSwitch;
const patience = { timeout: 20_000, interval: 20 };
const done = () => expect.poll(progress, patience).toBeNull();
const uuidOf = (globalId: string): string => Buffer.from(globalId, 'base64url').toString().split(':')[1] as string;
const sql = async (text: string, values: unknown[] = []): Promise<any[]> => (await parley.app.database.pglite!.query<any>(text, values)).rows; // eslint-disable-line -- rows of the test's own statements
/** How many vectors each model has in the workspace. */
async function vectors(): Promise<Record<string, number>> {
  const rows = await sql('select model_id, count(*)::int as count from chunk_embedding where workspace_id = $1 group by model_id', [uuidOf(ada.workspaceId)]);
  return Object.fromEntries(rows.map(({ model_id, count }) => [model_id, count]));
}
/** Lets the minute pass that old vectors stay for searches that had begun, and what waits to be tried again begin at once. */
async function minuteLater(): Promise<void> {
  await sql("update document_version set other_vectors_since = other_vectors_since - interval '1 minute' where workspace_id = $1", [uuidOf(ada.workspaceId)]);
  await sql("update pgboss.job set start_after = now() where name = 'reembed' and state in ('created', 'retry')");
  parley.app.jobs.wake('reembed');
}
const onlyOf = async (model: string, count = 3): Promise<void> => {
  await jobsDone();
  await minuteLater();
  await expect.poll(vectors, patience).toEqual({ [model]: count });
  await expect.poll(async () => (await sql('select 1 from document_version where workspace_id = $1 and other_vectors_since is not null and id in (select published_version_id from document)', [uuidOf(ada.workspaceId)])).length, patience).toBe(0);
};
/** No job works on any workspace. */
const jobsDone = () => expect.poll(async () => (await sql("select 1 from pgboss.job where name = 'reembed' and (state = 'active' or (state < 'active' and start_after <= now()))")).length, patience).toBe(0);
const ships = ['Anna', 'Berta', 'Clara'];
const modes = ['SEMANTIC', 'HYBRID'];

describe('another embedding model', () => {
  it('takes over document by document, and every search finds all of them all the time', async () => {
    for (const name of ships) await add(name);
    expect(await vectors()).toEqual({ 'first:embedder': 3 });
    // Documents wait, questions do not.
    second.hold('sails');
    expect(await choose('second')).toEqual([]);
    for (const completedDocuments of [0, 1, 2]) {
      await second.asked();
      expect(await progress()).toEqual({ model: { id: modelId('second') }, completedDocuments, totalDocuments: 3, error: null });
      // The second time from what was kept.
      for (const mode of [...modes, ...modes]) expect(await found(mode)).toEqual(ships);
      second.answerOnly(1);
    }
    await done();
    for (const mode of modes) expect(await found(mode)).toEqual(ships);
    await onlyOf('second:embedder');
    const asked = second.answered.length;
    first.refuse();
    for (const mode of modes) expect(await found(mode, 'which ship carries wood at last')).toEqual(ships);
    expect(second.answered.length).toBeGreaterThan(asked);
    const { documents } = await ada.ask('{ documents(first: 10) { nodes { status version { number embeddingModel { id } } } } }');
    for (const { status, version } of documents.nodes) expect([status, version]).toEqual(['READY', { number: 1, embeddingModel: { id: modelId('second') } }]);
  });

  it('has all vectors of a document before any of them counts, and the old ones stay for searches that had begun', async () => {
    await add('Long', longText);
    const count = (await vectors())['first:embedder'] as number;
    expect(count).toBeGreaterThan(128);
    const counts = async () => (await sql('select embedding_model_id from document_version where workspace_id = $1', [uuidOf(ada.workspaceId)]))[0].embedding_model_id;
    second.hold();
    await choose('second');
    for (const stored of [64, 128]) {
      await second.asked();
      second.answerOnly(1);
      await expect.poll(vectors, patience).toEqual({ 'first:embedder': count, 'second:embedder': stored });
      await second.asked();
      expect(await counts()).toBe('first:embedder');
      expect(await progress()).toMatchObject({ completedDocuments: 0, totalDocuments: 1 });
      const { totalCount, degraded } = await searchFor('SEMANTIC', `which ship of ${stored}`);
      expect([totalCount, degraded]).toEqual([count, []]);
    }
    second.answer();
    await done();
    expect(await counts()).toBe('second:embedder');
    await jobsDone();
    expect(await vectors()).toEqual({ 'first:embedder': count, 'second:embedder': count });
    expect((await searchFor('SEMANTIC')).totalCount).toBe(count);
    await onlyOf('second:embedder', count);
    expect((await searchFor('SEMANTIC', 'which ship at last')).totalCount).toBe(count);
    expect(second.answered.filter((texts) => texts > 1)).toEqual([64, 64, count - 128]);
  });

  it('that fails is asked again and says why, and the old vectors serve until it answers', async () => {
    for (const name of ships) await add(name);
    second.refuse();
    await choose('second');
    await expect.poll(progress, patience).toMatchObject({ completedDocuments: 0, error: 'The model provider cannot be reached or is failing. Try again in a moment.' });
    expect(second.refused).toBeGreaterThan(0);
    for (const mode of modes) expect(await found(mode)).toEqual(ships);
    expect(await vectors()).toEqual({ 'first:embedder': 3 });
    second.answer();
    await minuteLater();
    await done();
    await onlyOf('second:embedder');
    for (const mode of modes) expect(await found(mode)).toEqual(ships);
    expect(await sql('select embedding_error from workspace where id = $1', [uuidOf(ada.workspaceId)])).toEqual([{ embedding_error: null }]);
  });

  it('that fails with one document does not hold up the others', async () => {
    for (const name of ships) await add(name);
    second.refuse('Anna');
    await choose('second');
    await expect.poll(progress, patience).toMatchObject({ completedDocuments: 2, totalDocuments: 3, error: expect.any(String) });
    for (const mode of modes) expect(await found(mode)).toEqual(ships);
    second.answer();
    await minuteLater();
    await done();
  });

  it('that is given up on the way leaves the one before as it was', async () => {
    for (const name of ships) await add(name);
    await add('Long', longText);
    const { 'first:embedder': count } = await vectors();
    second.hold();
    await choose('second');
    await second.asked();
    second.answerOnly(1);
    await second.asked();
    await choose('first');
    const asked = first.answered.length;
    second.answer();
    await done();
    await onlyOf('first:embedder', count);
    expect((await searchFor('SEMANTIC')).totalCount).toBe(count);
    // One question; no passage was embedded again that had its vector all the time.
    expect(first.answered.slice(asked)).toEqual([1]);
  });

  it('goes on where it was when a document is deleted, replaced or added meanwhile', async () => {
    const ids = [];
    for (const name of ships) ids.push(await add(name));
    second.hold();
    await choose('second');
    await second.asked();
    const adding = add('Dora');
    await ada.ask('mutation ($id: ID!) { deleteDocument(input: { id: $id }) { deletedId } }', { id: ids[0] });
    expect(await found('SEMANTIC')).toEqual(ships.slice(1));
    second.answer();
    await adding;
    const { reingestDocument } = await ada.ask('mutation ($id: ID!) { reingestDocument(input: { id: $id }) { job { id } userErrors { code } } }', { id: ids[1] });
    await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: reingestDocument.job.id }).ended;
    await done();
    await onlyOf('second:embedder');
    expect(await found('SEMANTIC', 'which ship then')).toEqual(['Berta', 'Clara', 'Dora']);
  });

  it('is also what a document ends with that was on its way when it was chosen', async () => {
    first.hold();
    const adding = add('Anna');
    await first.asked();
    await choose('second');
    await jobsDone();
    first.answer();
    await adding;
    await done();
    await onlyOf('second:embedder', 1);
  });

  it('completes documents whose ingestion had left vectors out', async () => {
    first.refuse();
    const id = await add('Anna');
    const status = async () => (await ada.ask('query ($id: ID!) { document(id: $id) { status error { code } latestJob { status } } }', { id })).document;
    expect(await status()).toMatchObject({ status: 'PARTIALLY_READY', latestJob: { status: 'PARTIALLY_SUCCEEDED' } });
    await choose('second');
    await done();
    expect(await status()).toEqual({ status: 'READY', error: null, latestJob: { status: 'SUCCEEDED' } });
    expect(await found('SEMANTIC')).toEqual(['Anna']);
  });

  it('goes on after an interruption with what is missing', async () => {
    await add('Long', longText);
    const count = (await vectors())['first:embedder'] as number;
    // By hand, so that it can be interrupted: the job itself finds nothing to do.
    await sql("update workspace set embedding_model_id = 'second:embedder' where id = $1", [uuidOf(ada.workspaceId)]);
    const task = { workspaceId: uuidOf(ada.workspaceId), onlyForget: false };
    const stop = new AbortController();
    second.hold();
    const interrupted = reembed(parley.app, task, stop.signal);
    await second.asked();
    second.answerOnly(1);
    await second.asked();
    stop.abort(new Error('The process stops.'));
    await expect(interrupted).rejects.toThrow('The process stops.');
    expect(await vectors()).toEqual({ 'first:embedder': count, 'second:embedder': 64 });
    second.answerOnly(10);
    second.answered.length = 0;
    second.answer();
    await reembed(parley.app, task, new AbortController().signal);
    expect(second.answered).toEqual([64, count - 128]);
    expect(await vectors()).toEqual({ 'first:embedder': count, 'second:embedder': count });
    await onlyOf('second:embedder', count);
  });

  it('is not brought about by a job that was asleep while the workspace changed its mind', async () => {
    await add('Long', longText);
    const count = (await vectors())['first:embedder'] as number;
    second.hold();
    await sql("update workspace set embedding_model_id = 'second:embedder' where id = $1", [uuidOf(ada.workspaceId)]);
    const task = { workspaceId: uuidOf(ada.workspaceId), onlyForget: false };
    const asleep = reembed(parley.app, task, new AbortController().signal);
    await second.asked();
    second.answerOnly(1);
    await second.asked();
    // Others give it up, forget what it had stored, and choose it again; its document is nobody's meanwhile.
    await sql("update workspace set embedding_model_id = 'first:embedder' where id = $1", [uuidOf(ada.workspaceId)]);
    await sql("update document_version set other_vectors_since = now() - interval '2 minutes' where workspace_id = $1", [uuidOf(ada.workspaceId)]);
    await reembed(parley.app, task, new AbortController().signal);
    expect(await vectors()).toEqual({ 'first:embedder': count });
    await sql("update workspace set embedding_model_id = 'second:embedder' where id = $1", [uuidOf(ada.workspaceId)]);
    second.answer();
    await asleep;
    expect(await progress()).toMatchObject({ completedDocuments: 0 });
    expect((await searchFor('SEMANTIC')).totalCount).toBe(count);
    await reembed(parley.app, task, new AbortController().signal);
    expect(await progress()).toBeNull();
    expect(await vectors()).toEqual({ 'first:embedder': count, 'second:embedder': count });
  });

  it('makes rankings out of date that were kept', async () => {
    for (const name of ships) await add(name);
    await found('SEMANTIC');
    expect((await searchFor('SEMANTIC')).cached).toBe(true);
    // There and back again: the same documents with vectors of the same model, but not the same vectors.
    for (const provider of ['second', 'first']) {
      await choose(provider);
      await done();
      expect((await searchFor('SEMANTIC')).cached).toBe(false);
    }
  });

  it('is chosen by whoever may change the configuration, and only among models that embed', async () => {
    await add('Anna');
    const editor = await parley.signUpInto(ada, 'EDITOR');
    expect(await choose('second', editor)).toEqual([{ code: 'FORBIDDEN' }]);
    const { updateWorkspace } = await ada.ask('mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { userErrors { code field } } }', { input: { embeddingModelId: Buffer.from('Model:offline:extractive').toString('base64url') } });
    expect(updateWorkspace.userErrors).toEqual([{ code: 'VALIDATION_FAILED', field: ['embeddingModelId'] }]);
    expect(await progress()).toBeNull();
    expect(await vectors()).toEqual({ 'first:embedder': 1 });
  });
});
