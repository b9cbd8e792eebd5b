// Search with a real embedding model's protocol, and what it does when the model is away.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';
import { startEmbeddingServer, type EmbeddingServer } from './embedding-server.ts';

let embedder: EmbeddingServer;
let parley: TestApp;
let ada: TestUser;
beforeAll(async () => {
  embedder = await startEmbeddingServer([['car', 'automobile', 'vehicle'], ['rose', 'flower', 'bloom'], ['cheap', 'affordable', 'price']]);
  parley = await createTestApp(embedder.env);
  ada = await parley.signUp();
  for (const [name, text] of [['Cars', 'An automobile needs oil.'], ['Roses', 'The flower needs water.'], ['Prices', 'What is affordable today.']]) {
    const { addTextDocument } = await ada.ask('mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { job { id } } }', { input: { name, text, mediaType: 'text/plain' } });
    expect(await ada.subscribe('subscription ($id: ID) { ingestionJobUpdated(jobId: $id) { status } }', { id: addTextDocument.job.id }).ended).toBeNull();
  }
});
afterAll(async () => {
  await parley.close();
  await embedder.close();
});

const search = async (input: object) =>
  (await ada.ask('query ($input: SearchInput!) { search(input: $input) { degraded edges { node { document { name } } scores { fused vector keyword } } } }', { input })).search;
const namesOf = (found: { edges: { node: { document: { name: string } } }[] }) => found.edges.map(({ node }) => node.document.name);

describe('with learned vectors', () => {
  it('search finds by meaning what has none of the words', async () => {
    for (const mode of ['SEMANTIC', 'HYBRID']) {
      const found = await search({ query: 'which vehicle', mode });
      expect(namesOf(found)[0], mode).toBe('Cars');
      expect(found.edges[0].scores, mode).toMatchObject({ keyword: null, vector: 1 });
      expect(found.degraded).toEqual([]);
    }
    expect((await search({ query: 'which vehicle', mode: 'KEYWORD' })).edges).toEqual([]);
  });

  it('search weighs meaning and words', async () => {
    expect(namesOf(await search({ query: 'water for my car', mode: 'HYBRID' })).slice(0, 2)).toEqual(['Cars', 'Roses']);
  });
});

describe('without the embedder', () => {
  beforeAll(() => embedder.refuse());

  it('search goes on by words and says so', async () => {
    for (const mode of ['SEMANTIC', 'HYBRID']) {
      const found = await search({ query: 'does the automobile need water?', mode });
      expect(found.degraded, mode).toEqual(['EMBEDDER_UNAVAILABLE']);
      expect(namesOf(found).sort(), mode).toEqual(['Cars', 'Roses']);
      expect(found.edges.every((edge: { scores: { vector: number | null } }) => edge.scores.vector === null)).toBe(true);
    }
    expect((await search({ query: 'automobile', mode: 'KEYWORD' })).degraded).toEqual([]);
  });
});
