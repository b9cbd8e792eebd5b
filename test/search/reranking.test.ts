// Passages that a model ranks again, through the API: in searches within a profile, in answers, and what becomes of them when
// the model does not answer.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { kysely } from '../../src/platform/database.ts';
import { UsageEntry } from '../../src/usage/entity.ts';
import { sendTo } from '../support/answers.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { createSession } from '../support/chats.ts';
import { startScriptedModels, type RequestBody, type ScriptedModels, type Step } from '../support/scripted-models.ts';

const query = 'How long does the warranty of the coffee machine last?';
let server: ScriptedModels;
let parley: TestApp;
let ada: TestUser;
/** Ranks again by the model. */
let profileId: string;
/** Ranks again by the built-in ranking. */
let plainId: string;
let providerId: string;
let modelId: string;
beforeAll(async () => {
  server = await startScriptedModels();
  parley = await createTestApp({ PROVIDER_ALLOWED_NETWORKS: '127.0.0.1', RETRY_BASE_DELAY_MS: '0' });
  ada = await parley.signUp('Ada');
  const { baseUrl } = server.provider([]);
  const { upsertProvider } = await ada.ask(
    'mutation ($url: String!) { upsertProvider(input: { name: "Ranking", kind: OPENAI_COMPATIBLE, baseUrl: $url, models: [{ name: "ranker", capabilities: [RERANK], inputPricePerMillion: 1 }] }) { provider { id models { id isAvailable } } userErrors { message } } }',
    { url: baseUrl },
  );
  expect(upsertProvider).toMatchObject({ userErrors: [], provider: { models: [{ isAvailable: true }] } });
  providerId = upsertProvider.provider.id;
  modelId = upsertProvider.provider.models[0].id;
  [profileId, plainId] = [await profile(modelId), await profile(null)] as [string, string];
  for (const [name, text] of [['Terms', 'The warranty of the coffee machine lasts 24 months.'], ['Copy', 'The warranty of the coffee machine lasts 24 months, they say.'], ['Limescale', 'Damage of the coffee machine by limescale is excluded.'], ['Bicycle', 'The warranty of the bicycle lasts ten years.']]) {
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { job { id } } }', { input: { name, text, profileIds: [profileId, plainId], mediaType: 'text/plain' } });
    expect(await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended).toBeNull();
  }
});
afterAll(async () => {
  await parley?.close();
  await server.close();
});
beforeEach(() => server.script('ranker', [byLength]));

/** A ranker that likes what is long, and the bicycle most of all. */
const byLength: Step = (response, { documents = [] }: RequestBody) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ results: documents.map((text, index) => ({ index, relevance_score: text.includes('bicycle') ? 1_000 : text.length })), usage: { total_tokens: 40 } }));

async function profile(rerankModelId: string | null): Promise<string> {
  const input = { name: rerankModelId === null ? 'Plain' : 'Judged', systemPrompt: 'Help.', retrieval: { mode: 'ALWAYS', topK: 1, rerank: true, rerankModelId } };
  const { createProfile } = await ada.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id version { retrieval { rerankModel { id } } } } userErrors { message } } }', { input });
  expect(createProfile.userErrors).toEqual([]);
  expect(createProfile.profile.version.retrieval.rerankModel?.id ?? null).toBe(rerankModelId);
  return createProfile.profile.id;
}

const search = async (input: object) =>
  (await ada.ask('query ($input: SearchInput!) { search(input: $input) { cached degraded edges { node { document { name } } scores { fused rerank } } } }', { input: { query, rerank: true, ...input } })).search;
const namesOf = (found: { edges: { node: { document: { name: string } } }[] }) => found.edges.map(({ node }) => node.document.name);
const booked = () => kysely(parley.app.database.fork(), UsageEntry).selectFrom('usage_entry').select(['modelId', 'inputTokens', 'runId', 'costUsd']).where('kind', '=', 'RERANK').execute();

describe('a search within a profile that has a model for it', () => {
  it('stands in the order of the model, with its scores, and is booked', async () => {
    const before = await booked();
    const found = await search({ profileId });
    expect(namesOf(found)).toEqual(['Bicycle', 'Copy', 'Limescale', 'Terms']);
    expect(found.edges[0].scores).toMatchObject({ rerank: 1_000, fused: expect.any(Number) });
    expect(found.degraded).toEqual([]);
    // The model reads where a passage stands, too.
    expect(server.requests('ranker')[0]?.body).toMatchObject({ model: 'ranker', query, documents: expect.arrayContaining(['Bicycle\nThe warranty of the bicycle lasts ten years.']) });
    expect((await booked()).slice(before.length)).toEqual([{ modelId: 'ranking:ranker', inputTokens: 40, costUsd: 40 / 1e6, runId: null }]);
  });

  it('is kept, and costs nothing again', async () => {
    await search({ profileId });
    server.script('ranker', [byLength]);
    expect(await search({ profileId })).toMatchObject({ cached: true, edges: [{ scores: { rerank: 1_000 } }, {}, {}, {}] });
    expect(server.requests('ranker')).toHaveLength(0);
  });

  it('asks no model that the profile does not name, nor when nobody wants it', async () => {
    expect(namesOf(await search({ profileId: plainId }))[0]).toBe('Terms');
    expect(namesOf(await search({}))[0]).toBe('Terms');
    expect((await search({ profileId, rerank: false })).edges[0].scores.rerank).toBeNull();
    expect(server.requests('ranker')).toHaveLength(0);
  });

  it.each([
    ['refuses', { status: 401 }],
    ['fails', { status: 500 }],
    ['answers nonsense', (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[{"index":0}]}')],
  ] as const satisfies readonly (readonly [string, Step])[])('has the built-in ranking when the model %s, says so, and is not kept', async (_title, step) => {
    // Words that no other test has searched for.
    const own = `${query} ${_title}`;
    server.script('ranker', [step]);
    const found = await search({ profileId, query: own });
    expect(found.degraded).toEqual(['RERANKER_UNAVAILABLE']);
    expect(namesOf(found)[0]).toBe('Terms');
    expect(found.edges[0].scores.rerank).toEqual(expect.any(Number));
    server.script('ranker', [byLength]);
    expect(await search({ profileId, query: own })).toMatchObject({ cached: false, degraded: [], edges: [{ node: { document: { name: 'Bicycle' } } }, {}, {}, {}] });
  });
});

describe('an answer from a profile that has a model for it', () => {
  async function runOf(question: string) {
    const sessionId = await createSession(ada, profileId);
    const { runId, cursor } = await sendTo(ada, sessionId, question);
    const stream = ada.subscribe('subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename ... on RunUpdated { runStatus } } }', { s: sessionId, a: cursor });
    await stream.until(({ chatEvents }) => ['SUCCEEDED', 'FAILED'].includes(chatEvents.runStatus));
    stream.stop();
    return (await ada.ask('query ($id: ID!) { run(id: $id) { status degraded usage { inputTokens costUsd } outputMessage { text citations { document { name } } } } }', { id: runId })).run;
  }

  it('uses the passages that the model puts first, and its cost is the run\'s', async () => {
    const before = await booked();
    expect(await runOf('How long does the warranty last?')).toMatchObject({
      status: 'SUCCEEDED', degraded: [], usage: { costUsd: 40 / 1e6 }, outputMessage: { citations: [{ document: { name: 'Bicycle' } }] },
    });
    expect((await booked()).slice(before.length)).toEqual([{ modelId: 'ranking:ranker', inputTokens: 40, costUsd: 40 / 1e6, runId: expect.any(String) }]);
  });

  it('does without when the model is away, and says so', async () => {
    server.script('ranker', [{ status: 401 }]);
    expect(await runOf('How long is the warranty of the coffee machine?')).toMatchObject({ status: 'SUCCEEDED', degraded: ['RERANKER_UNAVAILABLE'], outputMessage: { citations: [{ document: { name: 'Terms' } }] } });
  });
});

describe('setting a model up', () => {
  const setUp = async (kind: string, capabilities: string[]) =>
    (await ada.ask('mutation ($input: UpsertProviderInput!) { upsertProvider(input: $input) { userErrors { code field message } } }', { input: { name: `Of ${kind} ${capabilities.join(' ')}`, kind, apiKey: 'sk-test', models: [{ name: 'm', capabilities }] } })).upsertProvider.userErrors;

  it('is refused where the vendor has no ranking, unless it is a chat model, which can be asked', async () => {
    expect(await setUp('ANTHROPIC', ['RERANK'])).toEqual([{ code: 'VALIDATION_FAILED', field: ['models', '0', 'capabilities'], message: expect.stringContaining('no models for RERANK') }]);
    expect(await setUp('ANTHROPIC', ['CHAT', 'RERANK'])).toEqual([]);
  });

  it('can be tested', async () => {
    const test = async () => (await ada.ask('mutation ($id: ID!) { testProvider(input: { providerId: $id, modelName: "ranker" }) { latencyMs userErrors { code } } }', { id: providerId })).testProvider;
    expect(await test()).toEqual({ latencyMs: expect.any(Number), userErrors: [] });
    server.script('ranker', [{ status: 401 }]);
    expect((await test()).userErrors).toEqual([{ code: 'PROVIDER_REJECTED' }]);
  });
});
