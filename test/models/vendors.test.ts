// What each vendor's protocol carries there and back: messages, tools, reasoning, ends, usage, vectors; and what it must not.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import type { ToolDefinition } from '@langchain/core/language_models/base';
import { AIMessage, HumanMessage, SystemMessage, type BaseMessage } from '@langchain/core/messages';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChatHooks, ModelAttempt, ModelUsage } from '../../src/models/ask.ts';
import { createModels, type Models } from '../../src/models/catalog.ts';
import { FailureOutline, ProviderError } from '../../src/models/failures.ts';
import { modelParts } from '../support/model-parts.ts';

const vendors = [
  { id: 'openai', kind: 'OPENAI', path: '/v1' },
  { id: 'compatible', kind: 'OPENAI_COMPATIBLE', path: '/v1' },
  { id: 'anthropic', kind: 'ANTHROPIC', path: '' },
  { id: 'gemini', kind: 'GEMINI', path: '' },
] as const;
type VendorId = (typeof vendors)[number]['id'];
const embedders = vendors.filter(({ id }) => id !== 'anthropic');

const keyOf = (vendor: VendorId): string => `key-of-${vendor}-0123456789`;
const parts = modelParts({ retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1 } });

function modelsAt(url: string): Models {
  const models = [{ name: 'm', capabilities: ['CHAT', 'TOOLS', 'STREAMING'] }, { name: 'e', capabilities: ['EMBEDDING'] }] as const;
  const providers = vendors.map(({ id, kind, path }) => ({ id, name: id, kind, baseUrl: url + path, apiKey: keyOf(id), owner: 'INSTALLATION' as const, models: id === 'anthropic' ? [models[0]] : models }));
  return createModels({ providers, chatModelIds: [], embeddingModelIds: [] }, parts);
}

/** Asks, and keeps all that happens. */
async function ask(models: Models, vendor: VendorId, change: { messages?: readonly BaseMessage[]; tools?: readonly ToolDefinition[]; signal?: AbortSignal; onText?: (text: string) => void } = {}) {
  const seen = { texts: [] as string[], reasoning: '', attempts: [] as ModelAttempt[], usage: [] as ModelUsage[] };
  const hooks: ChatHooks = {
    text(piece) {
      seen.texts.push(piece);
      change.onText?.(seen.texts.join(''));
    },
    reasoning: (piece) => void (seen.reasoning += piece),
    attempt: (attempt) => void seen.attempts.push(attempt),
    usage: (usage) => void seen.usage.push(usage),
    fellBack: () => expect.unreachable(),
  };
  const { messages = [new HumanMessage('Hello')], tools, signal = new AbortController().signal } = change;
  const outcome = await models.ask({ modelIds: [`${vendor}:m`], options: { temperature: 0.2, maxOutputTokens: 50 }, messages, signal, ...(tools && { tools }) }, hooks).then((answer) => ({ answer, error: null }), (error: unknown) => ({ answer: null, error }));
  return { ...outcome, ...seen };
}

describe.each(vendors)('$id, as a scripted server speaks it', ({ id: vendor }) => {
  const server = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
  let models: Models;
  beforeAll(async () => {
    await server.start();
    models = modelsAt(server.url);
  });
  afterAll(async () => server.stop());
  beforeEach(() => void server.reset());

  it('streams text in pieces, and tells its end and usage', async () => {
    server.onMessage('bridge', { content: 'Anna Roth built it in 1890. [1]', usage: { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30, input_tokens: 21, output_tokens: 9, promptTokenCount: 21, candidatesTokenCount: 9, totalTokenCount: 30 } }, { chunkSize: 5 });
    const { answer, texts, usage, attempts, error } = await ask(models, vendor, { messages: [new HumanMessage('Who built the bridge?')] });
    expect(error).toBeNull();
    expect(answer).toEqual({ modelId: `${vendor}:m`, text: 'Anna Roth built it in 1890. [1]', toolCalls: [], finish: 'STOP' });
    expect(texts.join('')).toBe(answer?.text);
    expect(texts.length).toBeGreaterThan(3);
    expect(usage).toMatchObject([{ inputTokens: 21, outputTokens: 9, estimated: false }]);
    expect(attempts).toMatchObject([{ attempt: 1, succeeded: true, errorCode: null }]);
  });

  it('gets the system message, the history and the settings, and not the passages that a message carries as data', async () => {
    server.onMessage(/.*/, { content: 'Yes.' });
    const messages = [
      new SystemMessage('Be brief.'), new HumanMessage('First question'), new AIMessage('First answer'),
      new HumanMessage({ content: 'Second question', additional_kwargs: { passages: [{ n: 1, text: 'confidential' }], question: 'hidden' } }),
    ];
    const { error } = await ask(models, vendor, { messages });
    expect(error).toBeNull();
    const body = server.getLastRequest()?.body as { messages: { role: string; content: unknown }[] };
    expect(body.messages.map(({ role, content }) => [role, typeof content === 'string' ? content : (content as { text: string }[]).map(({ text }) => text).join('')])).toEqual([
      ['system', 'Be brief.'], ['user', 'First question'], ['assistant', 'First answer'], ['user', 'Second question'],
    ]);
    expect(body).toMatchObject({ temperature: 0.2, max_tokens: 50 });
    const all = JSON.stringify(server.getRequests());
    expect([all.includes('confidential'), all.includes('hidden'), server.getRequests().length]).toEqual([false, false, 1]);
  });

  it('is offered tools and may call one', async () => {
    server.onMessage(/.*/, { toolCalls: [{ name: 'weather', arguments: '{"city":"Bergen","days":2}' }] });
    const tools: ToolDefinition[] = [{ type: 'function', function: { name: 'weather', description: 'The weather.', parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] } } }];
    const { answer, error } = await ask(models, vendor, { tools });
    expect(error).toBeNull();
    expect(answer).toMatchObject({ text: '', finish: 'TOOL_CALLS', toolCalls: [{ id: expect.stringMatching(/./), name: 'weather', arguments: { city: 'Bergen', days: 2 }, invalid: null }] });
    expect(server.getLastRequest()?.body).toMatchObject({ tools: [{ type: 'function', function: { name: 'weather', description: 'The weather.', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }] });
  });

  it('shows its reasoning apart from its text', async () => {
    server.onMessage(/.*/, { content: 'Four.', reasoning: 'Two and two are four, of course.' }, { chunkSize: 6 });
    const { answer, reasoning, error } = await ask(models, vendor);
    expect([error, answer?.text, reasoning]).toEqual([null, 'Four.', 'Two and two are four, of course.']);
  });

  it('is asked once, by a failing call too, which holds no key', async () => {
    for (const status of [400, 401, 403, 404, 429, 500, 503]) {
      server.reset();
      server.nextRequestError(status, { message: `The key ${keyOf(vendor)} is wrong`, type: 'some_error', code: 'some_code' });
      const { error, attempts } = await ask(models, vendor);
      expect(error).toBeInstanceOf(ProviderError);
      expect(attempts).toHaveLength(1);
      expect(server.getRequests()).toHaveLength(1);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(keyOf(vendor));
      // As LangChain's own error has it.
      server.nextRequestError(status, { message: `The key ${keyOf(vendor)} is wrong` });
      const raw = await models.chat(`${vendor}:m`, { temperature: 0, maxOutputTokens: 5 }).invoke('Hello').catch((reason: unknown) => reason);
      expect(raw).toBeInstanceOf(Error);
      expect(inspect((raw as Error).message)).not.toContain(keyOf(vendor));
      expect(server.getRequests()).toHaveLength(2);
    }
  });
});

describe('an answer, word for word', () => {
  let server: Server;
  let models: Models;
  let requests: { url: string; headers: IncomingMessage['headers']; body: Record<string, unknown> }[];
  let respond: (response: ServerResponse, body: Record<string, unknown>) => void;
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      const body = JSON.parse(text) as Record<string, unknown>;
      requests.push({ url: request.url ?? '', headers: request.headers, body });
      respond(response, body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    models = modelsAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  beforeEach(() => void (requests = []));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Answers with these events. */
  const events = (...data: readonly object[]): void => {
    respond = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(data.map((each) => `${'type' in each ? `event: ${String(each.type)}\n` : ''}data: ${JSON.stringify(each)}\n\n`).join(''));
    };
  };
  const openai = (delta: object, finish: string | null = null): object => ({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] });
  const gemini = (part: object | null, finishReason?: string, more: object = {}): object => ({ candidates: [{ index: 0, ...(part && { content: { role: 'model', parts: [part] } }), ...(finishReason && { finishReason }) }], ...more });
  const anthropic = (text: string, stop: string): object[] => [
    { type: 'message_start', message: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 7, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...(text ? [{ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }] : []),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: 3 } },
    { type: 'message_stop' },
  ];
  const ended = (vendor: VendorId, reason: string): object[] =>
    vendor === 'anthropic' ? anthropic('Half', reason) : vendor === 'gemini' ? [gemini({ text: 'Half' }), gemini({ text: '' }, reason)] : [openai({ role: 'assistant', content: 'Half' }), openai({}, reason)];

  it.each([['openai', 'length'], ['compatible', 'length'], ['anthropic', 'max_tokens'], ['anthropic', 'model_context_window_exceeded'], ['gemini', 'MAX_TOKENS']] as const)('%s: "%s" is an answer that was cut at its limit', async (vendor, reason) => {
    events(...ended(vendor, reason));
    expect((await ask(models, vendor)).answer).toMatchObject({ text: 'Half', finish: 'LENGTH' });
  });

  it.each([
    ['openai', 'content_filter'], ['compatible', 'content_filter'], ['anthropic', 'refusal'], ['gemini', 'SAFETY'], ['gemini', 'RECITATION'], ['gemini', 'BLOCKLIST'], ['gemini', 'PROHIBITED_CONTENT'], ['gemini', 'SPII'],
  ] as const)('%s: "%s" is an answer that was withheld, which nobody asks for again', async (vendor, reason) => {
    events(...ended(vendor, reason));
    const { error } = await ask(models, vendor);
    expect(error).toMatchObject({ code: 'PROVIDER_REJECTED', retryable: false, message: expect.stringContaining('because of its content') });
    expect(requests).toHaveLength(1);
  });

  it('gemini: a prompt that is blocked is an answer that was withheld', async () => {
    for (const blocked of [{ promptFeedback: { blockReason: 'SAFETY' } }, { promptFeedback: { blockReason: 'OTHER' }, candidates: [] }]) {
      events(blocked);
      expect((await ask(models, 'gemini')).error).toMatchObject({ code: 'PROVIDER_REJECTED', message: expect.stringContaining('because of its content') });
    }
  });

  it('gemini: a last piece without content still tells the end and the usage', async () => {
    events(gemini({ text: 'All of it.' }), gemini(null, 'STOP', { usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3, totalTokenCount: 10 } }));
    expect(await ask(models, 'gemini')).toMatchObject({ answer: { text: 'All of it.', finish: 'STOP' }, usage: [{ inputTokens: 7, outputTokens: 3, estimated: false }] });
    events(gemini({ text: 'Half' }), gemini(null, 'MAX_TOKENS'));
    expect((await ask(models, 'gemini')).answer).toMatchObject({ text: 'Half', finish: 'LENGTH' });
  });

  it('gemini: usage that is told along the way is counted once', async () => {
    const usage = (tokens: number): object => ({ usageMetadata: { promptTokenCount: 7, candidatesTokenCount: tokens, totalTokenCount: 7 + tokens } });
    events(gemini({ text: 'One ' }, undefined, usage(1)), gemini({ text: 'two ' }, undefined, usage(2)), gemini({ text: 'three' }, 'STOP', usage(3)));
    expect((await ask(models, 'gemini')).usage).toMatchObject([{ inputTokens: 7, outputTokens: 3 }]);
  });

  it('compatible: usage that is told along the way is counted once', async () => {
    const usage = (tokens: number): object => ({ usage: { prompt_tokens: 7, completion_tokens: tokens, total_tokens: 7 + tokens } });
    events({ ...openai({ role: 'assistant', content: 'One ' }), ...usage(1) }, { ...openai({ content: 'two' }, 'stop'), ...usage(2) }, { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [], ...usage(2) });
    expect((await ask(models, 'compatible')).usage).toMatchObject([{ inputTokens: 7, outputTokens: 2 }]);
  });

  it('anthropic: usage that is told along the way is counted once', async () => {
    const [start, ...rest] = anthropic('One two', 'end_turn') as [object, ...object[]];
    const delta = (tokens: number): object => ({ type: 'message_delta', delta: {}, usage: { input_tokens: 7, output_tokens: tokens } });
    events(start, ...rest.slice(0, 2), delta(2), ...rest.slice(2));
    expect((await ask(models, 'anthropic')).usage).toMatchObject([{ inputTokens: 7, outputTokens: 3, estimated: false }]);
  });

  it('compatible: a server that never says whose words it streams is understood, tools and all', async () => {
    events(openai({ content: 'One ' }), openai({ content: 'moment.' }), openai({ tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'a', arguments: '{}' } }] }), openai({}, 'tool_calls'));
    expect((await ask(models, 'compatible')).answer).toMatchObject({ text: 'One moment.', finish: 'TOOL_CALLS', toolCalls: [{ id: 'c', name: 'a', arguments: {} }] });
  });

  it('reasoning is read from every vendor', async () => {
    events(openai({ reasoning: 'Hm' }), openai({ reasoning: ', four.', content: null }), openai({ content: 'Four.', reasoning: null }), openai({}, 'stop'));
    expect(await ask(models, 'compatible')).toMatchObject({ reasoning: 'Hm, four.', answer: { text: 'Four.' } });
    events(openai({ role: 'assistant', reasoning_content: 'Hm' }), openai({ reasoning_content: ', four.' }), openai({ content: 'Four.' }), openai({}, 'stop'));
    for (const vendor of ['openai', 'compatible'] as const) expect(await ask(models, vendor)).toMatchObject({ reasoning: 'Hm, four.', answer: { text: 'Four.' } });
    const [start, , ...rest] = anthropic('Four.', 'end_turn') as [object, object, ...object[]];
    events(start, { type: 'content_block_start', index: 1, content_block: { type: 'thinking', thinking: '', signature: '' } }, { type: 'content_block_delta', index: 1, delta: { type: 'thinking_delta', thinking: 'Hm, four.' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'signature_delta', signature: 's' } }, { type: 'content_block_stop', index: 1 }, { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }, ...rest);
    expect(await ask(models, 'anthropic')).toMatchObject({ reasoning: 'Hm, four.', answer: { text: 'Four.' } });
    events(gemini({ text: 'Hm, four.', thought: true }), gemini({ text: 'Four.' }, 'STOP'));
    expect(await ask(models, 'gemini')).toMatchObject({ reasoning: 'Hm, four.', answer: { text: 'Four.' } });
  });

  it('gemini: several tools that are called at once have ids of their own', async () => {
    events({ candidates: [{ index: 0, content: { role: 'model', parts: [{ functionCall: { name: 'a', args: { n: 1 } } }, { functionCall: { name: 'b', args: {} } }] } }] }, gemini({ functionCall: { name: 'a', args: { n: 2 } } }, 'STOP'));
    const { answer, error } = await ask(models, 'gemini', { tools: [{ type: 'function', function: { name: 'a', parameters: { type: 'object', properties: {} } } }] });
    expect(error).toBeNull();
    expect(answer?.toolCalls.map(({ name, arguments: args }) => [name, args])).toEqual([['a', { n: 1 }], ['b', {}], ['a', { n: 2 }]]);
    expect(new Set(answer?.toolCalls.map(({ id }) => id)).size).toBe(3);
    expect(answer?.finish).toBe('TOOL_CALLS');
  });

  it('a wish for a tool whose arguments are no JSON is told as it was written', async () => {
    events(openai({ role: 'assistant', tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'a', arguments: '{"n": oops' } }] }), openai({}, 'tool_calls'));
    expect((await ask(models, 'openai')).answer?.toolCalls).toEqual([{ id: 'c', name: 'a', arguments: null, invalid: '{"n": oops' }]);
  });

  it.each(vendors)('$id: the key is in a header, and never in an address or an error', async ({ id: vendor }) => {
    const quoting = `The key ${keyOf(vendor)} is wrong`;
    respond = (response) => void response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'error', error: { type: 'authentication_error', code: 'invalid', message: quoting } }));
    const refused = await ask(models, vendor);
    // An error in the middle of a stream, as each vendor tells it.
    respond = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const error = { error: { type: 'overloaded_error', code: keyOf(vendor), status: keyOf(vendor), message: quoting } };
      response.end(`${vendor === 'anthropic' ? 'event: error\n' : ''}data: ${JSON.stringify(vendor === 'anthropic' ? { type: 'error', ...error } : error)}\n\n`);
    };
    const broken = await ask(models, vendor);
    for (const { error } of [refused, broken]) {
      expect(error).toBeInstanceOf(ProviderError);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(keyOf(vendor));
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('is wrong');
    }
    expect((refused.error as Error).cause).toMatchObject({ message: expect.stringContaining('401') });
    expect(requests).toHaveLength(2);
    for (const { url, headers } of requests) {
      expect(url).not.toContain('key');
      expect(Object.values(headers).join()).toContain(keyOf(vendor));
    }
  });

  it.each(vendors)('$id: an abort closes the request', async ({ id: vendor }) => {
    const controller = new AbortController();
    const closed = new Promise<void>((resolve) => {
      respond = (response) => {
        response.once('close', resolve).writeHead(200, { 'content-type': 'text/event-stream' });
        for (const each of ended(vendor, 'x').slice(0, vendor === 'anthropic' ? 3 : 1)) response.write(`${'type' in each ? `event: ${String(each.type)}\n` : ''}data: ${JSON.stringify(each)}\n\n`);
      };
    });
    const { error, texts } = await ask(models, vendor, { signal: controller.signal, onText: () => controller.abort(new Error('enough')) });
    expect([String(error), texts]).toEqual(['Error: enough', ['Half']]);
    await closed;
    expect(requests).toHaveLength(1);
  });

  describe.each(embedders)('$id embeds', ({ id: vendor }) => {
    /** What a request asks to embed. */
    const textsOf = (body: Record<string, unknown>): string[] =>
      vendor === 'gemini' ? (body['requests'] as { content: { parts: { text: string }[] } }[]).map(({ content }) => content.parts[0]!.text) : ([body['input']].flat() as string[]);
    const vectors = (texts: readonly string[]): object =>
      vendor === 'gemini'
        ? { embeddings: texts.map((text) => ({ values: [Number(text), 1] })) }
        : { object: 'list', model: 'e', data: texts.map((text, index) => ({ object: 'embedding', index, embedding: [Number(text), 1] })), usage: { prompt_tokens: 1, total_tokens: 1 } };
    const json = (response: ServerResponse, body: object, status = 200): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const embed = (texts: readonly string[], as: 'QUERY' | 'DOCUMENTS' = 'DOCUMENTS') => models.embed({ modelId: `${vendor}:e`, texts, as, signal: new AbortController().signal });
    const many = Array.from({ length: 300 }, (_, n) => String(n));

    it('texts in order, in batches', async () => {
      respond = (response, body) => json(response, vectors(textsOf(body)));
      expect((await embed(many)).vectors).toEqual(many.map((text) => [Number(text), 1]));
      expect(requests.length).toBeGreaterThan(1);
      expect(requests.flatMap(({ body }) => textsOf(body)).sort()).toEqual([...many].sort());
      expect((await embed(['7'], 'QUERY')).vectors).toEqual([[7, 1]]);
    });

    it('all or nothing: a batch that fails, or answers too few, fails the whole', async () => {
      const failing: ((response: ServerResponse, texts: string[]) => void)[] = [
        (response) => json(response, { error: { message: keyOf(vendor) } }, 500),
        (response, texts) => json(response, vectors(texts.slice(1))),
        (response, texts) => json(response, vectors([...texts.slice(1), 'x'])),
        (response) => json(response, {}),
        (response) => void response.writeHead(200).end('no JSON'),
      ];
      for (const fail of failing) {
        respond = (response, body) => {
          const texts = textsOf(body);
          if (texts.includes('299')) fail(response, texts);
          else json(response, vectors(texts));
        };
        const error = await embed(many).catch((reason: unknown) => reason);
        expect(error, String(error)).toMatchObject({ name: 'ProviderError', code: 'PROVIDER_UNAVAILABLE' });
        expect(inspect(error, { depth: 10 })).not.toContain(keyOf(vendor));
      }
    });

    it('with its key in a header only', async () => {
      respond = (response, body) => json(response, vectors(textsOf(body)));
      await embed(['1']);
      expect(requests.map(({ url, headers }) => [url.includes('key'), Object.values(headers).join().includes(keyOf(vendor))])).toEqual([[false, true]]);
    });
  });
});

describe('what is kept of a failure', () => {
  it('is its sort, and that of what led to it, and no text of anybody', () => {
    const socket = Object.assign(new Error('connect to secret.example'), { code: 'ECONNREFUSED' });
    const refused = Object.assign(new TypeError('the key abc', { cause: socket }), { status: 401, code: 'invalid_api_key' });
    expect(new FailureOutline(refused).message).toBe('TypeError 401 invalid_api_key, because of Error ECONNREFUSED');
    for (const code of ['sk-Secret', 'AKIAIOSFODNN7EXAMPLE', 'abc123', 'a b', 'x'.repeat(80)]) expect(new FailureOutline(Object.assign(new Error(''), { code })).message).toBe('Error');
    const ring: Error & { cause?: unknown } = new Error('a');
    ring.cause = ring;
    expect(new FailureOutline(ring).message.match(/Error/g)).toHaveLength(8);
    for (const odd of [null, undefined, 'the key abc', 7, {}]) expect(new FailureOutline(odd).message).toBe('nothing was thrown');
  });
});
