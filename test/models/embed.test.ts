// What embedding promises, against a scripted server.
import type { Embeddings } from '@langchain/core/embeddings';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { embed as embedBy, type Embedded } from '../../src/models/embed.ts';
import { createModels, type ModelParts } from '../../src/models/catalog.ts';
import { createCircuits } from '../../src/models/circuits.ts';
import { ProviderError } from '../../src/models/failures.ts';
import { modelParts } from '../support/model-parts.ts';
import { startScriptedModels, type ScriptedModels, type Step } from '../support/scripted-models.ts';

let server: ScriptedModels;
beforeAll(async () => {
  server = await startScriptedModels();
});
afterAll(() => server.close());

/** Answers these vectors, whatever is asked. */
const vectors = (...data: readonly unknown[]): Step => (response) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ object: 'list', model: 'e', data: data.map((embedding, index) => ({ object: 'embedding', index, embedding })) }));

function catalogOf(parts: ModelParts, embeddingDimensions: number | null = null) {
  return createModels({ providers: [server.provider([{ name: 'e', capabilities: ['EMBEDDING'], embeddingDimensions, inputPricePerMillion: 1_000_000 }])], chatModelIds: [], embeddingModelIds: [] }, parts);
}

interface Options {
  readonly texts?: readonly string[];
  readonly as?: 'QUERY' | 'DOCUMENTS';
  readonly parts?: ModelParts;
  readonly dimensions?: number;
  readonly signal?: AbortSignal;
}

function embed({ texts = ['one', 'two'], as = 'DOCUMENTS', parts = modelParts(), dimensions, signal = new AbortController().signal }: Options = {}): Promise<Embedded> {
  return catalogOf(parts, dimensions).embed({ modelId: 'test:e', texts, as, signal });
}

async function failureOf(embedding: Promise<unknown>): Promise<ProviderError> {
  const error = await embedding.then(() => expect.unreachable('it should have failed'), (reason: unknown) => reason);
  if (error instanceof ProviderError) return error;
  throw error;
}

describe('embedding', () => {
  it('gives a vector for each text, and what it cost', async () => {
    server.script('e', [vectors([1, 0], [0, 1])]);
    const parts = modelParts();
    expect(await embed({ parts })).toEqual({ vectors: [[1, 0], [0, 1]], usage: { modelId: 'test:e', tokens: 2, costUsd: 2, estimated: true } });
    expect(await parts.metrics.registry.metrics()).toContain('parley_model_tokens_total{model="test:e",direction="in"} 2');
    expect((await catalogOf(parts).status('test')).lastSucceededAt).toBeInstanceOf(Date);
  });

  it('gives the vector of a question', async () => {
    server.script('e', [vectors([1, 0])]);
    expect((await embed({ texts: ['one?'], as: 'QUERY' })).vectors).toEqual([[1, 0]]);
  });

  it('asks nobody where there is nothing to embed', async () => {
    server.script('e', [vectors()]);
    expect((await embed({ texts: [] })).vectors).toEqual([]);
    expect(server.requests('e')).toHaveLength(0);
  });

  it('is repeated after failures that pass, with pauses that obey the provider', async () => {
    server.script('e', [{ status: 503 }, { status: 429, headers: { 'retry-after': '4' } }, vectors([1], [2])]);
    const parts = modelParts();
    expect((await embed({ parts })).vectors).toEqual([[1], [2]]);
    expect(parts.pauses).toHaveLength(2);
    expect(parts.pauses[1]).toBe(4_000);
  });

  it.each([
    ['a wrong key', { status: 401 }, 'PROVIDER_REJECTED', 1],
    ['a failing server', { status: 500 }, 'PROVIDER_UNAVAILABLE', 3],
    ['too few vectors', vectors([1, 0]), 'PROVIDER_UNAVAILABLE', 3],
    ['vectors of two sizes', vectors([1, 0], [1]), 'PROVIDER_UNAVAILABLE', 3],
    ['empty vectors', vectors([], []), 'PROVIDER_UNAVAILABLE', 3],
    ['what is no number', vectors([1, null], [0, 1]), 'PROVIDER_UNAVAILABLE', 3],
    ['what is no vector', vectors('one', 'two'), 'PROVIDER_UNAVAILABLE', 3],
    ['no JSON', (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('RAW PROVIDER TEXT'), 'PROVIDER_UNAVAILABLE', 3],
  ] as const satisfies readonly (readonly [string, Step, string, number])[])('fails over %s, in our own words', async (_title, step, code, calls) => {
    server.script('e', [step]);
    const error = await failureOf(embed());
    expect(error).toMatchObject({ code, attempts: calls, providerId: 'test' });
    expect(error.message).not.toContain('RAW');
    expect(server.requests('e')).toHaveLength(calls);
  });

  it('fails over too many vectors, whichever adapter passes them on', async () => {
    const open = () => ({ embedDocuments: async () => [[1], [2], [3]] }) as unknown as Embeddings;
    const model = { id: 'test:e', circuit: 'e', provider: 'test', label: 'e', info: undefined, open };
    const error = await failureOf(embedBy(model, { texts: ['one', 'two'], as: 'DOCUMENTS', signal: new AbortController().signal }, modelParts()));
    expect(error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', attempts: 3 });
  });

  it('fails over vectors of another size than the catalog says, and says so, without asking again', async () => {
    server.script('e', [vectors([1, 0], [0, 1])]);
    const error = await failureOf(embed({ dimensions: 3 }));
    expect(error).toMatchObject({ code: 'PROVIDER_REJECTED', attempts: 1, message: expect.stringMatching(/test:e.* 2 dimensions.* 3/) });
    expect((await embed({ dimensions: 2 })).vectors).toHaveLength(2);
  });

  it('is not asked for while the circuit is open', async () => {
    const parts = modelParts({ circuits: createCircuits({ redis: null, rules: { failures: 2, openMs: 30_000, maxOpenMs: 300_000, probeMs: 60_000 } }) });
    server.script('e', [{ status: 500 }]);
    expect(await failureOf(embed({ parts }))).toMatchObject({ code: 'CIRCUIT_OPEN', attempts: 2 });
    expect(await failureOf(embed({ parts }))).toMatchObject({ code: 'CIRCUIT_OPEN', attempts: 0 });
    expect(server.requests('e')).toHaveLength(2);
  });

  it('ends at its time limit and closes the request, although its client takes no signal', async () => {
    // The time passes once the request is there.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      server.script('e', [() => void vi.advanceTimersByTime(10_000)]);
      const parts = modelParts({ limits: { firstTokenMs: 60_000, silenceMs: 60_000, embeddingMs: 10_000 }, retry: { maxAttempts: 2, baseDelayMs: 0, maxDelayMs: 0 } });
      expect(await failureOf(embed({ parts }))).toMatchObject({ code: 'TIMEOUT', attempts: 2 });
    } finally {
      vi.useRealTimers();
    }
    expect(server.requests('e')).toHaveLength(2);
    for (const { closed } of server.requests('e')) await closed;
  });

  it('ends with the signal\'s reason when it aborts, and closes the request', async () => {
    const controller = new AbortController();
    server.script('e', [() => controller.abort(new Error('enough'))]);
    await expect(embed({ signal: controller.signal })).rejects.toThrow('enough');
    await server.requests('e')[0]?.closed;
    await expect(embed({ signal: controller.signal })).rejects.toThrow('enough');
    expect(server.requests('e')).toHaveLength(1);
  });
});
