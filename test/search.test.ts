import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPgVectorStore } from '../src/documents/vector-store.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';

let parley: TestApp;
let ada: TestUser;
/** Global ids of Ada's documents, by name. */
const documents = new Map<string, string>();

const texts: Record<string, { text: string; tags?: string[] }> = {
  Warranty: { text: 'The warranty of the coffee machine lasts 24 months. Damage by limescale is not covered by the warranty.', tags: ['manual', 'legal'] },
  Cleaning: { text: 'Descale the coffee machine every two months. Use citric acid, never vinegar, and rinse the machine twice.', tags: ['manual'] },
  Returns: { text: 'Goods can be returned within thirty days. The buyer pays the postage of returns.', tags: ['legal'] },
  Garden: { text: 'Roses are pruned in early spring, before the first leaves appear. Use sharp shears and cut above a bud.' },
  水: { text: '水从海洋蒸发,形成云,然后以雨的形式落到陆地上。' },
};

const ADD = `mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } job { id } userErrors { message } } }`;
const SEARCH = `query ($input: SearchInput!, $first: Int, $after: String) { search(input: $input, first: $first, after: $after) {
  edges { cursor rank node { id text document { id name } location { documentVersion startOffset endOffset headingPath } } scores { fused vector keyword rerank } highlights { startOffset endOffset } }
  nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount tookMs cached degraded } }`;

beforeAll(async () => {
  parley = await createTestApp();
  ada = await parley.signUp('Ada');
  for (const [name, { text, tags }] of Object.entries(texts)) documents.set(name, await addDocument(ada, name, text, tags));
});
afterAll(() => parley.close());

describe('search', () => {
  it('finds the passage that answers a question, with its document, place, scores and highlights', async () => {
    const found = await search(ada, { query: 'How long does the warranty last?' });
    const [best] = found.edges;
    expect(best).toMatchObject({ rank: 1, node: { document: { name: 'Warranty' }, location: { documentVersion: 1, startOffset: 0 } } });
    expect(best.node.text).toBe(texts['Warranty']?.text);
    expect(best.highlights.map((range: { startOffset: number; endOffset: number }) => best.node.text.slice(range.startOffset, range.endOffset))).toEqual(['warranty', 'lasts', 'warranty']);
    expect(best.scores.fused).toBeGreaterThan(0);
    expect(best.scores.fused).toBeLessThanOrEqual(1);
    expect(best.scores.keyword).toBeGreaterThan(0);
    expect(best.scores.vector).toBeGreaterThan(0);
    expect(best.scores.rerank).toBeNull();
    expect(found).toMatchObject({ cached: false, degraded: [], totalCount: found.edges.length, nodes: found.edges.map((edge: { node: { id: string } }) => ({ id: edge.node.id })) });
  });

  it('ranks by words, by vectors, or by both', async () => {
    for (const mode of ['KEYWORD', 'SEMANTIC', 'HYBRID']) {
      const found = await search(ada, { query: 'descale with citric acid', mode });
      expect(found.edges[0].node.document.name, mode).toBe('Cleaning');
      expect(found.degraded, mode).toEqual([]);
      expect(found.edges.map((edge: { rank: number }) => edge.rank)).toEqual(found.edges.map((_: unknown, index: number) => index + 1));
      expect(found.edges[0].scores.keyword === null, mode).toBe(mode === 'SEMANTIC');
      expect(found.edges[0].scores.vector === null, mode).toBe(mode === 'KEYWORD');
    }
  });

  it('finds words in a script without spaces', async () => {
    const [best] = (await search(ada, { query: '海洋的水' })).edges;
    expect(best.node.document.name).toBe('水');
    expect(best.highlights.map((range: { startOffset: number; endOffset: number }) => best.node.text.slice(range.startOffset, range.endOffset))).toEqual(['海洋']);
  });

  it('finds nothing for words that stand nowhere', async () => {
    expect(await search(ada, { query: 'quantum chromodynamics', mode: 'KEYWORD' })).toMatchObject({ edges: [], totalCount: 0, pageInfo: { hasNextPage: false, startCursor: null, endCursor: null } });
  });

  it('narrows to documents, to tags, or to the documents of a profile', async () => {
    const names = async (input: object) => (await search(ada, { query: 'coffee machine goods returned', mode: 'KEYWORD', ...input })).edges.map((edge: Edge) => edge.node.document.name).sort();
    expect(await names({})).toEqual(['Cleaning', 'Returns', 'Warranty']);
    expect(await names({ documentIds: [documents.get('Returns')] })).toEqual(['Returns']);
    expect(await names({ documentIds: [] })).toEqual([]);
    expect(await names({ tags: ['legal'] })).toEqual(['Returns', 'Warranty']);
    expect(await names({ tags: ['legal'], documentIds: [documents.get('Warranty'), documents.get('Cleaning')] })).toEqual(['Warranty']);
    const profileId = await createProfile(ada, [documents.get('Cleaning') as string]);
    expect(await names({ profileId })).toEqual(['Cleaning']);
    expect(await names({ profileId, tags: ['legal'] })).toEqual([]);
  });

  it('counts how rare a word is within what is searched', async () => {
    const [anywhere] = (await search(ada, { query: 'warranty machine', mode: 'KEYWORD' })).edges;
    const [narrowed] = (await search(ada, { query: 'warranty machine', mode: 'KEYWORD', documentIds: [documents.get('Warranty')] })).edges;
    expect(narrowed.scores.keyword).toBeLessThan(anywhere.scores.keyword);
  });

  it('leaves out passages below minScore', async () => {
    const all = await search(ada, { query: 'warranty of the coffee machine' });
    const limit = all.edges[0].scores.fused - 0.01;
    const best = await search(ada, { query: 'warranty of the coffee machine', minScore: limit });
    expect(best.totalCount).toBeLessThan(all.totalCount);
    expect(best.edges.every((edge: Edge) => edge.scores.fused >= limit)).toBe(true);
  });

  it('puts copies behind what is new when it ranks again', async () => {
    const bob = await parley.signUp('Bob');
    const copy = 'The lighthouse of the harbour was built in stone by the sailors of the town.';
    for (const [name, text] of [['a', copy], ['b', `${copy} Yes.`], ['c', 'A lighthouse warns ships at night; its lamp turns and is seen from afar by every harbour on the coast.']]) await addDocument(bob, name as string, text as string);
    const order = async (rerank: boolean) => (await search(bob, { query: 'lighthouse of the harbour', rerank })).edges;
    expect((await order(false)).map((edge: Edge) => edge.node.document.name)).toEqual(['a', 'b', 'c']);
    const again = await order(true);
    expect(again.map((edge: Edge) => edge.node.document.name)).toEqual(['a', 'c', 'b']);
    expect(again.every((edge: Edge) => typeof edge.scores.rerank === 'number')).toBe(true);
  });

  it('sees the published version only', async () => {
    const eve = await parley.signUp('Eve');
    const id = await addDocument(eve, 'Plan', 'The meeting is on Monday in the cellar.');
    await eve.ask('mutation ($input: DeleteDocumentInput!) { deleteDocument(input: $input) { userErrors { message } } }', { input: { id } });
    expect((await search(eve, { query: 'meeting cellar' })).edges).toEqual([]);
  });
});

describe('pages of a search', () => {
  let grace: TestUser;
  beforeAll(async () => {
    grace = await parley.signUp('Grace');
    const adding = Array.from({ length: 7 }, (_, index) => addDocument(grace, `ship ${index}`, `Ship number ${index} sails the sea ${'and the wide ocean '.repeat(index)}to the island.`));
    await Promise.all(adding);
  });

  it('follow each other without a gap or a repeat', async () => {
    const all = await search(grace, { query: 'ship sea' }, { first: 100 });
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page = await search(grace, { query: 'ship sea' }, { first: 3, after });
      expect(page.totalCount).toBe(7);
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      seen.push(...page.nodes.map((node: { id: string }) => node.id));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toEqual(all.nodes.map((node: { id: string }) => node.id));
  });

  it('of one search refuse the cursors of another', async () => {
    const { pageInfo } = await search(grace, { query: 'ship sea' }, { first: 2 });
    for (const input of [{ query: 'ship' }, { query: 'ship sea', mode: 'KEYWORD' }, { query: 'ship sea', tags: ['x'] }]) {
      const answer = await grace.request(SEARCH, { input, after: pageInfo.endCursor });
      expect(answer.errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED');
    }
    const broken = await grace.request(SEARCH, { input: { query: 'ship sea' }, after: 'nonsense' });
    expect(broken.errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED');
  });

  it('have 1 to 100 results, 10 when nothing is said', async () => {
    for (const first of [0, -1, 101]) {
      const answer = await grace.request(SEARCH, { input: { query: 'ship' }, first });
      expect(answer.errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED');
    }
    expect((await search(grace, { query: 'ship' })).edges).toHaveLength(7);
  });
});

describe('without vectors in the database', () => {
  let bare: TestApp;
  beforeAll(async () => {
    bare = await createTestApp();
    // As on a server that does not offer the extension.
    Object.assign(bare.app, { vectors: createPgVectorStore({ ...bare.app.database, vectors: false }, bare.app.log) });
  });
  afterAll(() => bare.close());

  it('a search goes by words and says so', async () => {
    const user = await bare.signUp();
    await addDocument(user, 'Warranty', texts['Warranty']?.text ?? '');
    for (const mode of ['SEMANTIC', 'HYBRID']) {
      const found = await search(user, { query: 'warranty', mode });
      expect(found.degraded, mode).toEqual(['VECTOR_UNAVAILABLE']);
      expect(found.edges[0].scores, mode).toMatchObject({ vector: null, keyword: expect.any(Number) });
    }
    expect((await search(user, { query: 'warranty', mode: 'KEYWORD' })).degraded).toEqual([]);
  });
});

describe('a search is refused', () => {
  it('to guests', async () => {
    const answer = await parley.request(SEARCH, { input: { query: 'warranty' } });
    expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  it('to no role that may read documents', async () => {
    const reader = await parley.signUpInto(ada, 'VIEWER');
    expect((await search(reader, { query: 'warranty' })).edges[0].node.document.name).toBe('Warranty');
  });

  it('for another workspace, whose passages and ids are as if they were not', async () => {
    const stranger = await parley.signUp('Mallory');
    expect((await search(stranger, { query: 'warranty' })).edges).toEqual([]);
    const foreign = await stranger.request(SEARCH, { input: { query: 'warranty', documentIds: [documents.get('Warranty')] } });
    const absent = await stranger.request(SEARCH, { input: { query: 'warranty', documentIds: ['RG9jdW1lbnQ6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw'] } });
    expect(foreign.errors?.[0]?.extensions?.code).toBe('NOT_FOUND');
    expect(foreign.errors?.[0]?.message).toBe(absent.errors?.[0]?.message);
    const profileId = await createProfile(ada, []);
    const profile = await stranger.request(SEARCH, { input: { query: 'warranty', profileId } });
    expect(profile.errors?.[0]?.extensions?.code).toBe('NOT_FOUND');
  });

  it('when its query is empty or too long, or a limit is out of range', async () => {
    for (const input of [{ query: '' }, { query: '  \n' }, { query: 'x'.repeat(2001) }, { query: 'x', minScore: 1.5 }, { query: 'x', minScore: -1 }, { query: 'x', tags: ['a\0b'] }]) {
      const answer = await ada.request(SEARCH, { input });
      expect(answer.errors?.[0]?.extensions?.code, JSON.stringify(input).slice(0, 40)).toBe('VALIDATION_FAILED');
    }
  });

  it('never for what the query says', async () => {
    for (const query of ['%_\\\'";--', '\0 warranty', '?', 'the', '😀', 'x'.repeat(2000), 'coffee '.repeat(285), '\u202e\u0301']) {
      const answer = await ada.request(SEARCH, { input: { query } });
      expect(answer.errors, query.slice(0, 20)).toBeUndefined();
    }
  });
});

// biome-ignore lint: answers are read by the test that wrote the query.
type Edge = any;

async function search(user: TestUser, input: object, page: object = {}): Promise<Edge> {
  return (await user.ask(SEARCH, { input, ...page })).search;
}

/** Adds a document and waits until it is ready; returns its global id. */
async function addDocument(user: TestUser, name: string, text: string, tags: string[] = []): Promise<string> {
  const { addTextDocument } = await user.ask(ADD, { input: { name, text, tags, mediaType: 'text/plain' } });
  expect(addTextDocument.userErrors).toEqual([]);
  const job = user.subscribe('subscription ($jobId: ID) { ingestionJobUpdated(jobId: $jobId) { status error { message } } }', { jobId: addTextDocument.job.id });
  expect(await job.ended).toBeNull();
  expect(job.events.at(-1).ingestionJobUpdated).toEqual({ status: 'SUCCEEDED', error: null });
  return addTextDocument.document.id;
}

async function createProfile(user: TestUser, documentIds: string[]): Promise<string> {
  const { createProfile } = await user.ask(
    'mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }',
    { input: { name: 'Helper', systemPrompt: 'Help.', documentIds } },
  );
  expect(createProfile.userErrors).toEqual([]);
  return createProfile.profile.id;
}
