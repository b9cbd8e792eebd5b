import { describe, expect, test } from 'vitest';
import { offlineDimensions, OfflineEmbeddings } from '../../src/models/offline-embeddings.ts';

const embeddings = new OfflineEmbeddings();
const product = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

describe('the offline embedder', () => {
  test('gives equal texts equal vectors of 1536 numbers', async () => {
    const [first, second] = await embeddings.embedDocuments(['Iron bridges rust.', 'Iron bridges rust.']);
    expect(first).toHaveLength(offlineDimensions);
    expect(first).toEqual(second);
  });

  test('brings a question nearer to the passage with its words, their inflections and their parts', async () => {
    const vectors = await embeddings.embedDocuments(['Iron bridges rust in the rain.', 'The committee agreed on a budget.']);
    for (const question of ['Why does a bridge rust?', 'rusting bridges', 'Eisenbridge']) {
      const query = await embeddings.embedQuery(question);
      expect(product(query, vectors[0] ?? [])).toBeGreaterThan(product(query, vectors[1] ?? []));
    }
  });

  test('lets the rarity of words decide where it is known', async () => {
    const vectors = await embeddings.embedDocuments(['the comet of the year', 'the budget of the year']);
    const query = await embeddings.embedQuery('comet budget', (stem) => (stem === 'budget' ? 5 : 1));
    expect(product(query, vectors[1] ?? [])).toBeGreaterThan(product(query, vectors[0] ?? []));
    expect(product(query, query)).toBeCloseTo(1);
  });

  test('answers a text without words with zeros', async () => {
    expect(new Set([...(await embeddings.embedQuery('?!')), ...((await embeddings.embedDocuments(['']))[0] ?? [])])).toEqual(new Set([0]));
  });

  test('lets other work run between passages', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('other work'));
    await embeddings.embedDocuments(['one', 'two', 'three']).then(() => order.push('vectors'));
    expect(order).toEqual(['other work', 'vectors']);
  });
});
