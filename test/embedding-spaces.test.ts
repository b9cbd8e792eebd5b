// A workspace changes its embedding model while people search: at no moment is anything missing.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { withoutProfiles } from './support/installation.ts';
import { startGatedEmbedder, type GatedEmbedder } from './support/gated-embedder.ts';

let first: GatedEmbedder;
let second: GatedEmbedder;
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  first = await startGatedEmbedder(4);
  second = await startGatedEmbedder(7);
  parley = await createTestApp({ CONFIG_FILE: withoutProfiles(), PROVIDER_ALLOWED_NETWORKS: '127.0.0.1', RETRY_BASE_DELAY_MS: '1', RETRY_MAX_ATTEMPTS: '1' });
});
afterAll(async () => {
  await parley.close();
  await first.close();
  await second.close();
});
beforeEach(async () => {
  for (const embedder of [first, second]) embedder.answer();
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
async function add(name: string): Promise<string> {
  const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } } }', { input: { name, text: `The ${name} sails the sea. It carries wood.`, mediaType: 'text/plain' } });
  await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended;
  return addTextDocument.document.id;
}
async function found(mode: string): Promise<string[]> {
  const { search } = await ada.ask('query ($input: SearchInput!) { search(input: $input) { degraded edges { node { document { name } } scores { vector } } } }', { input: { query: 'which ship carries wood', mode } });
  expect(search.degraded).toEqual([]);
  for (const { scores } of search.edges) expect(scores.vector).toBeGreaterThan(0);
  return search.edges.map(({ node }: { node: { document: { name: string } } }) => node.document.name).sort();
}
const progress = async (): Promise<{ model: { id: string }; completedDocuments: number; totalDocuments: number } | null> =>
  (await ada.ask('{ viewer { workspace { embeddingSwitch { model { id } completedDocuments totalDocuments } } } }')).viewer.workspace.embeddingSwitch;
const done = () => expect.poll(progress, { timeout: 20_000, interval: 20 }).toBeNull();
/** How many vectors each model has in the workspace. */
async function vectors(): Promise<Record<string, number>> {
  const { rows } = await parley.app.database.pglite!.query<{ model_id: string; count: number }>('select model_id, count(*)::int as count from chunk_embedding where workspace_id = $1 group by model_id', [Buffer.from(ada.workspaceId, 'base64url').toString().split(':')[1]]);
  return Object.fromEntries(rows.map(({ model_id, count }) => [model_id, count]));
}
const onlyOf = (model: string) => expect.poll(vectors, { timeout: 20_000, interval: 20 }).toEqual({ [model]: 3 });
const ships = ['Anna', 'Berta', 'Clara'];

describe('another embedding model', () => {
  it('takes over document by document, and every search finds all of them all the time', async () => {
    for (const name of ships) await add(name);
    expect(await vectors()).toEqual({ 'first:embedder': 3 });
    second.hold();
    expect(await choose('second')).toEqual([]);
    await second.asked();
    expect(await progress()).toEqual({ model: { id: modelId('second') }, completedDocuments: 0, totalDocuments: 3 });
    for (const mode of ['SEMANTIC', 'HYBRID']) expect(await found(mode)).toEqual(ships);
    // From here on both models have documents for a while, and people search all the time.
    let isDone = false;
    const searching = (async () => {
      let searches = 0;
      while (!isDone) {
        for (const mode of ['SEMANTIC', 'HYBRID']) expect(await found(mode)).toEqual(ships);
        searches++;
      }
      return searches;
    })();
    second.answer();
    await done();
    await onlyOf('second:embedder');
    isDone = true;
    expect(await searching).toBeGreaterThan(0);
    for (const mode of ['SEMANTIC', 'HYBRID']) expect(await found(mode)).toEqual(ships);
    const { documents } = await ada.ask('{ documents(first: 10) { nodes { status version { number embeddingModel { id } } } } }');
    for (const { status, version } of documents.nodes) expect([status, version]).toEqual(['READY', { number: 1, embeddingModel: { id: modelId('second') } }]);
  });

  it('that fails is asked again, and the old vectors serve until it answers', async () => {
    for (const name of ships) await add(name);
    second.refuse();
    await choose('second');
    await expect.poll(() => second.refused, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(await found('SEMANTIC')).toEqual(ships);
    expect(await vectors()).toEqual({ 'first:embedder': 3 });
    second.answer();
    await done();
    await onlyOf('second:embedder');
    expect(await found('SEMANTIC')).toEqual(ships);
  });

  it('that is given up on the way leaves the one before as it was', async () => {
    for (const name of ships) await add(name);
    second.hold();
    await choose('second');
    await second.asked();
    await choose('first');
    expect(await found('SEMANTIC')).toEqual(ships);
    second.answer();
    await done();
    await onlyOf('first:embedder');
    expect(await found('SEMANTIC')).toEqual(ships);
  });

  it('goes on where it was when a document is deleted or replaced meanwhile', async () => {
    const ids = [];
    for (const name of ships) ids.push(await add(name));
    second.hold();
    await choose('second');
    await second.asked();
    await ada.ask('mutation ($id: ID!) { deleteDocument(input: { id: $id }) { deletedId } }', { id: ids[0] });
    second.answer();
    await done();
    expect(await found('SEMANTIC')).toEqual(ships.slice(1));
    await expect.poll(vectors, { timeout: 20_000 }).toEqual({ 'second:embedder': 2 });
  });

  it('is also what a document ends with that was on its way when it was chosen', async () => {
    first.hold();
    const adding = add('Anna');
    await first.asked();
    await choose('second');
    first.answer();
    await adding;
    await done();
    expect(await vectors()).toEqual({ 'second:embedder': 1 });
  });

  it('is chosen by whoever may change the configuration, and only among models that embed', async () => {
    const editor = await parley.signUpInto(ada, 'EDITOR');
    expect(await choose('second', editor)).toEqual([{ code: 'FORBIDDEN' }]);
    const { updateWorkspace } = await ada.ask('mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { userErrors { code field } } }', { input: { embeddingModelId: Buffer.from('Model:offline:extractive').toString('base64url') } });
    expect(updateWorkspace.userErrors).toEqual([{ code: 'VALIDATION_FAILED', field: ['embeddingModelId'] }]);
    expect(await progress()).toBeNull();
  });
});
