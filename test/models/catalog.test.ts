import { describe, expect, test } from 'vitest';
import { offlineChatModelId, offlineEmbeddingModelId } from '../../src/models/offline.ts';
import { modelsOf as createModels } from '../support/model-parts.ts';
import { ModelNotConfiguredError, UnknownModelError } from '../../src/models/failures.ts';

const options = { temperature: 0.2, maxOutputTokens: 100 };

describe('the catalog of models', () => {
  test('serves offline models without any key', async () => {
    const models = createModels({ openaiApiKey: null });
    expect([models.defaultChatModelId, models.defaultEmbeddingModelId]).toEqual([offlineChatModelId, offlineEmbeddingModelId]);
    expect(models.providers().map(({ id, kind, isConfigured }) => [id, kind, isConfigured])).toEqual([
      ['offline', 'OFFLINE', true], ['openai', 'OPENAI', false], ['anthropic', 'ANTHROPIC', false], ['gemini', 'GEMINI', false],
    ]);
    expect((await models.chat(offlineChatModelId, options).invoke('Hello?')).text).toContain('answer questions from the documents');
    expect(await models.embeddings(offlineEmbeddingModelId).embedQuery('hello')).toHaveLength(1_536);
    expect(models.find('openai:gpt-4o')?.isAvailable).toBe(false);
  });

  test('prefers OpenAI once there is a key', () => {
    const models = createModels({ openaiApiKey: 'key' });
    expect([models.defaultChatModelId, models.defaultEmbeddingModelId]).toEqual(['openai:gpt-4o-mini', 'openai:text-embedding-3-small']);
    expect(models.find('openai:gpt-4o-mini')).toEqual({
      id: 'openai:gpt-4o-mini', name: 'gpt-4o-mini', providerId: 'openai', contextWindow: 128_000, embeddingDimensions: null,
      capabilities: ['CHAT', 'TOOLS', 'STREAMING', 'VISION', 'STRUCTURED_OUTPUT', 'RERANK'],
      inputPricePerMillion: 0.15, outputPricePerMillion: 0.6, fallbacks: ['openai:gpt-4o', 'openai:gpt-4', 'openai:gpt-3.5-turbo'], isAvailable: true,
    });
  });

  test('takes the chosen models, with or without the name of their provider, listed or not', () => {
    const models = createModels({ openaiApiKey: 'key', openaiBaseUrl: 'http://127.0.0.1:1/v1', chatModel: 'llama3:8b', embeddingModel: 'offline:bm25-hash' });
    expect([models.defaultChatModelId, models.defaultEmbeddingModelId]).toEqual(['openai:llama3:8b', offlineEmbeddingModelId]);
    expect(models.find('openai:llama3:8b')).toMatchObject({ capabilities: ['CHAT', 'STREAMING', 'TOOLS'], inputPricePerMillion: null });
    expect(models.providers()[1]).toMatchObject({ name: 'OpenAI-compatible', kind: 'OPENAI_COMPATIBLE', baseUrl: 'http://127.0.0.1:1/v1' });
    expect(createModels({ openaiApiKey: 'key', chatModel: 'openai:gpt-4.1' }).defaultChatModelId).toBe('openai:gpt-4.1');
    expect(createModels({ chatModel: 'gpt-4.1' }).defaultChatModelId).toBe(offlineChatModelId);
  });

  test('lists models by what they can do', () => {
    const ids = createModels().models('EMBEDDING').map(({ id }) => id);
    expect(ids).toEqual([offlineEmbeddingModelId, 'openai:text-embedding-3-small', 'openai:text-embedding-3-large', 'gemini:gemini-embedding-001']);
    expect(createModels().models().length).toBeGreaterThan(ids.length);
  });

  test('refuses models that are unknown, lack a key or do another thing, and says which', () => {
    const models = createModels();
    expect(() => models.chat('openai:nothing', options)).toThrow(UnknownModelError);
    expect(() => models.chat('openai:gpt-4o', options)).toThrow(ModelNotConfiguredError);
    expect(() => models.chat(offlineEmbeddingModelId, options)).toThrow(/not a chat model/);
    expect(() => models.embeddings(offlineChatModelId)).toThrow(/not an embedding model/);
    expect(() => createModels({ chatModel: 'offline:other' })).toThrow(/"offline:other"/);
  });
});
