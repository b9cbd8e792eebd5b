import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { authenticate } from '../../src/accounts/service.ts';
import { createContext } from '../../src/context.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { createRegistry, type NodeType } from '../../src/graph/node.ts';
import { runGraph } from '../../src/graph/run.ts';
import type { RetrievalSettings, RunPart, RunScope } from '../../src/graph/scope.ts';
import { initialState } from '../../src/graph/state.ts';
import { defaultRetrieval } from '../../src/profiles/defaults.ts';
import { kysely, sql } from '../../src/platform/database.ts';
import { retrievalNode } from '../../src/search/retrieval-node.ts';
import { define, openScope } from '../graph/support.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';

let parley: TestApp;
let ada: TestUser;
let profileId: string;
beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp();
  const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "Helper", systemPrompt: "Help." }) { profile { id } } }');
  profileId = createProfile.profile.id;
  const add = async (name: string, text: string, profileIds: string[]) => {
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { job { id } } }', { input: { name, text, profileIds, mediaType: 'text/plain' } });
    expect(await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended).toBeNull();
  };
  await add('Warranty', 'The warranty of the coffee machine lasts 24 months.', [profileId]);
  await add('Limescale', 'Damage of the coffee machine by limescale is not covered by its warranty, however often it was descaled before.', [profileId]);
  await add('Elsewhere', 'The warranty of the bicycle lasts ten years.', []);
});
afterAll(() => parley.close());

describe('the retrieval node', () => {
  it("numbers the passages of the profile's documents, best first", async () => {
    const { passages, parts } = await process('How long does the warranty last?');
    expect(passages.map(({ n }) => n)).toEqual([1, 2]);
    expect(await namesOf(passages)).toEqual(['Warranty', 'Limescale']);
    expect(parts).toEqual([]);
  });

  it('looks for nothing when the mode is OFF', async () => {
    expect((await process('How long does the warranty last?', { mode: 'OFF' })).passages).toEqual([]);
  });

  it('looks for nothing in AUTO when the message is small talk, and for what it can in ALWAYS', async () => {
    expect((await process('Good morning!', { mode: 'AUTO' })).passages).toEqual([]);
    expect((await process('Thanks, machine', { mode: 'ALWAYS' })).passages).not.toEqual([]);
  });

  it('takes what the documents begin with for a question about the whole, whatever the score must be', async () => {
    expect((await process('What is this about?', { mode: 'AUTO', minScore: 0.9 })).passages).toHaveLength(2);
  });

  it('takes no passages along in AUTO that have little of the question', async () => {
    const question = 'Which months suit planting garlic, onions, leeks, pumpkins and courgettes in northern gardens?';
    expect((await process(question, { mode: 'AUTO' })).passages).toEqual([]);
    expect((await process(question, { mode: 'ALWAYS' })).passages).not.toEqual([]);
  });

  it('keeps within topK, minScore and maxContextTokens', async () => {
    expect((await process('warranty coffee machine', { topK: 1 })).passages).toHaveLength(1);
    expect((await process('warranty coffee machine', { minScore: 1 })).passages).toHaveLength(1);
    expect(await namesOf((await process('warranty coffee machine limescale damage', { maxContextTokens: 15 })).passages)).toEqual(['Warranty']);
  });

  it('lets its own configuration go before the profile', async () => {
    expect((await process('warranty', { mode: 'ALWAYS' }, { config: { mode: 'OFF' } })).passages).toEqual([]);
  });

  it('uses the built-in re-ranking and says so when the model for it cannot be asked', async () => {
    const { passages, parts } = await process('warranty coffee machine', { rerank: true, rerankModelId: 'vendor:reranker' });
    expect(passages).toHaveLength(2);
    expect(parts).toEqual([{ type: 'degraded', reason: 'RERANKER_UNAVAILABLE' }]);
  });

  it('stops when the run is cancelled, whatever the profile says of failures', async () => {
    const cancelled = new Error('cancelled');
    await expect(process('warranty', {}, { signal: AbortSignal.abort(cancelled) })).rejects.toBe(cancelled);
  });
});

describe('a retrieval that fails', () => {
  beforeAll(() => sql`alter table posting rename to posting_away`.execute(kysely(parley.app.database.fork())));
  afterAll(() => sql`alter table posting_away rename to posting`.execute(kysely(parley.app.database.fork())));

  it('leaves the answer without passages and says so', async () => {
    const { passages, parts, steps } = await process('warranty', { onFailure: 'ANSWER_WITHOUT_CONTEXT' });
    expect(passages).toEqual([]);
    expect(parts).toEqual([{ type: 'degraded', reason: 'RETRIEVAL_FAILED' }]);
    expect(steps).toEqual(['RUNNING', 'SUCCEEDED']);
  });

  it('fails the run where the profile, or the node, says so', async () => {
    const failed = { cause: { code: 'INTERNAL', message: expect.stringContaining('No passages') } };
    await expect(process('warranty', { onFailure: 'FAIL_RUN' })).rejects.toMatchObject(failed);
    await expect(process('warranty', {}, { config: { onFailure: 'FAIL_RUN' } })).rejects.toMatchObject(failed);
  });
});

describe('a retrieval whose connection to the database is lost', () => {
  const lost = () => Promise.reject(Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' }));

  it('is tried again once', async () => {
    const query = vi.spyOn(parley.app.vectors, 'query').mockImplementationOnce(lost);
    const { passages, parts, steps } = await process('How long does the warranty last?', { onFailure: 'FAIL_RUN' });
    expect(await namesOf(passages)).toEqual(['Warranty', 'Limescale']);
    expect(parts).toEqual([]);
    expect(steps).toEqual(['RUNNING', 'SUCCEEDED']);
    query.mockImplementation(lost).mockClear();
    expect((await process('How long will the warranty last?')).parts).toEqual([{ type: 'degraded', reason: 'RETRIEVAL_FAILED' }]);
    expect(query).toHaveBeenCalledTimes(2);
    query.mockRestore();
  });
});

describe('a retrieval that takes too long', () => {
  const type: typeof retrievalNode = { ...retrievalNode, timeoutMs: 20, process: () => new Promise(() => undefined) };

  it('leaves the answer without passages and says so, or fails the run, as the profile says', async () => {
    expect(await process('warranty', { onFailure: 'ANSWER_WITHOUT_CONTEXT' }, { type })).toMatchObject({ passages: [], parts: [{ type: 'degraded', reason: 'RETRIEVAL_FAILED' }] });
    await expect(process('warranty', { onFailure: 'FAIL_RUN' }, { type })).rejects.toMatchObject({ cause: { code: 'TIMEOUT' } });
  });
});

async function scope(settings: Partial<RetrievalSettings>, signal = new AbortController().signal): Promise<{ run: RunScope; parts: RunPart[] }> {
  const parts: RunPart[] = [];
  const viewer = await authenticate(parley.app, ada.accessToken);
  const run: RunScope = {
    ...openScope(),
    ctx: createContext(parley.app, { viewer }),
    models: parley.app.models,
    signal,
    settings: {
      profileId: Buffer.from(profileId, 'base64url').toString().replace('Profile:', ''),
      systemPrompt: '', modelId: '', fallbackModelIds: [], temperature: 0, maxOutputTokens: 1, timeZone: 'UTC', toolNames: [], dryRun: false,
      retrieval: { ...defaultRetrieval, mode: 'ALWAYS', ...settings },
    },
    emit: (part) => parts.push(part),
  };
  return { run, parts };
}

/** Runs a graph that has nothing but the node; `parts` without the steps' own. */
async function process(question: string, settings: Partial<RetrievalSettings> = {}, { signal, config = {}, type = retrievalNode }: { signal?: AbortSignal; config?: object; type?: typeof retrievalNode } = {}) {
  const { run, parts } = await scope(settings, signal);
  const graph = buildGraph(define({ find: { type: 'retrieval', config } }, ['start -> find', 'find -> end']), createRegistry([type as unknown as NodeType]));
  const { passages } = await runGraph(graph, initialState(question), run);
  return { passages, parts: parts.filter((part) => part.type !== 'step'), steps: parts.flatMap((part) => (part.type === 'step' ? [part.status] : [])) };
}

async function namesOf(passages: readonly { chunkId: string }[]): Promise<string[]> {
  const ids = passages.map(({ chunkId }) => Buffer.from(`DocumentChunk:${chunkId}`).toString('base64url'));
  const { nodes } = await ada.ask('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on DocumentChunk { document { name } } } }', { ids });
  return nodes.map((node: { document: { name: string } }) => node.document.name);
}
