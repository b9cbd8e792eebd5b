import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import { HumanMessage, type AIMessageChunk } from '@langchain/core/messages';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { modelsOf } from '../support/model-parts.ts';
import { classifyProviderError, type ProviderFailure } from '../../src/models/failures.ts';

const key = 'sk-test-never-to-be-seen-0123456789';
const server = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
beforeAll(async () => void (await server.start()));
afterAll(async () => server.stop());
beforeEach(() => void server.reset());

const models = (baseUrl = `${server.url}/v1`) => modelsOf({ openaiApiKey: key, openaiBaseUrl: baseUrl });
const chat = (baseUrl?: string) => models(baseUrl).chat('openai:gpt-4o-mini', { temperature: 0.2, maxOutputTokens: 50 });

async function failing(call: Promise<unknown>): Promise<ProviderFailure> {
  const error = await call.then(() => expect.unreachable('the call should have failed'), (reason: unknown) => reason);
  const failure = classifyProviderError(error);
  expect(failure.message).not.toContain(key.slice(0, 10));
  expect(inspect(error, { depth: 10 })).not.toContain(key);
  return failure;
}

describe('a chat model of OpenAI', () => {
  test('streams its tokens in order and ends with the tokens used', async () => {
    server.onMessage('bridge', { content: 'Anna Roth built it in 1890. [1]', usage: { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30 } }, { chunkSize: 5 });
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await chat().stream('Who built the bridge?')) chunks.push(chunk);
    expect(server.getLastRequest()?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    expect(chunks.map((chunk) => chunk.text).join('')).toBe('Anna Roth built it in 1890. [1]');
    expect(chunks.filter((chunk) => chunk.text !== '').length).toBeGreaterThan(3);
    expect(chunks.map((chunk) => chunk.usage_metadata).filter(Boolean)).toMatchObject([{ input_tokens: 21, output_tokens: 9, total_tokens: 30 }]);
  });

  test('sends the settings and the text, and not the passages that a message carries as data', async () => {
    server.onMessage(/.*/, { content: 'Yes.' });
    await chat().invoke([new HumanMessage({ content: 'Hello', additional_kwargs: { passages: [{ n: 1, text: 'confidential' }] } })]);
    const body = server.getLastRequest()?.body;
    expect(body).toMatchObject({ model: 'gpt-4o-mini', temperature: 0.2, max_tokens: 50 });
    expect(JSON.stringify(body)).not.toContain('confidential');
  });

  test('fails once, without another attempt, and in our own words', async () => {
    const cases = [
      [401, { message: `Incorrect API key provided: ${key}`, code: 'invalid_api_key' }, 'PROVIDER_REJECTED', false],
      [404, { message: 'The model does not exist' }, 'PROVIDER_REJECTED', false],
      [400, { message: 'Bad temperature' }, 'PROVIDER_REJECTED', false],
      [400, { message: "This model's maximum context length is 8192 tokens.", code: 'context_length_exceeded' }, 'CONTEXT_TOO_LONG', false],
      [429, { message: 'Rate limit reached', type: 'rate_limit_error' }, 'RATE_LIMITED', true],
      [429, { message: 'You exceeded your current quota', code: 'insufficient_quota' }, 'PROVIDER_REJECTED', false],
      [500, { message: 'secret stack trace' }, 'PROVIDER_UNAVAILABLE', true],
      [503, { message: 'overloaded' }, 'PROVIDER_UNAVAILABLE', true],
    ] as const;
    for (const [status, error, code, retryable] of cases) {
      server.reset();
      server.nextRequestError(status, error);
      const failure = await failing(chat().invoke('Hello'));
      expect([status, failure.code, failure.retryable]).toEqual([status, code, retryable]);
      expect(failure.message).not.toContain(error.message);
      expect(server.getRequests()).toHaveLength(1);
    }
  });

  test('tells after what time a refused request may be repeated', async () => {
    server.onMessage(/.*/, { error: { message: 'slow down' }, status: 429, retryAfter: 7 });
    expect(await failing(chat().invoke('Hello'))).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 7_000 });
  });

  test('is unavailable, and worth another attempt, when nobody listens or the line breaks', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    expect(await failing(chat(`http://127.0.0.1:${port}/v1`).invoke('Hello'))).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryable: true });

    server.onMessage(/.*/, { content: 'A long answer that is never finished.' }, { chunkSize: 4, truncateAfterChunks: 2 });
    expect(await failing(chat().stream('Hello').then((stream) => Array.fromAsync(stream)))).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryable: true });
  });

  test('closes its request at the provider when the signal aborts', async () => {
    const endless = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let word = 0; word < 3; word++) {
        response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant', content: `word${word} ` } }] })}\n\n`);
      }
      response.once('close', () => endless.emit('gone'));
    }).listen(0, '127.0.0.1');
    await once(endless, 'listening');
    const gone = once(endless, 'gone');
    const controller = new AbortController();
    let received = '';
    const streaming = (async () => {
      const { port } = endless.address() as AddressInfo;
      for await (const chunk of await chat(`http://127.0.0.1:${port}/v1`).stream('Hello', { signal: controller.signal })) {
        received += chunk.text;
        if (received.endsWith('word2 ')) controller.abort();
      }
    })();
    await expect(streaming).rejects.toThrow();
    await gone;
    expect(received).toBe('word0 word1 word2 ');
    endless.close();
  });
});

describe('an embedder of OpenAI', () => {
  test('gives one vector per passage', async () => {
    server.onEmbedding(/.*/, { embedding: [0.1, 0.2, 0.3] });
    expect(await models().embeddings('openai:text-embedding-3-small').embedDocuments(['one', 'two'])).toEqual([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]);
  });

  test('fails once, without another attempt', async () => {
    server.nextRequestError(500, { message: 'oops' });
    expect(await failing(models().embeddings('openai:text-embedding-3-small').embedQuery('one'))).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
    expect(server.getRequests()).toHaveLength(1);
  });
});

describe('failures without an answer', () => {
  test('are told apart by their kind, also behind causes', () => {
    const refused = new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) });
    expect(classifyProviderError(refused)).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryable: true });
    expect(classifyProviderError(new DOMException('slow', 'TimeoutError'))).toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(classifyProviderError(new DOMException('gone', 'AbortError'))).toMatchObject({ code: 'TIMEOUT', retryable: true });
    for (const odd of [null, undefined, 'text', 7, new Error('?')]) {
      expect(classifyProviderError(odd)).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryable: true });
    }
    const circle = new Error('a');
    circle.cause = circle;
    expect(classifyProviderError(circle).code).toBe('PROVIDER_UNAVAILABLE');
  });
});
