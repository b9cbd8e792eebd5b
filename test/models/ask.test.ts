// What asking promises, against a scripted server: which model is called how often and when, and what is told meanwhile.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HumanMessage } from '@langchain/core/messages';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ChatAnswer, ChatHooks, ModelAttempt, ModelUsage } from '../../src/models/ask.ts';
import { createModels, type ModelParts, type Models } from '../../src/models/catalog.ts';
import { createCircuits, type CircuitRules } from '../../src/models/circuits.ts';
import { failureRules, ProviderError, type ProviderFailureCode } from '../../src/models/failures.ts';
import type { ProviderSettings } from '../../src/models/provider.ts';
import { createLog } from '../../src/platform/log.ts';
import { openRedis } from '../../src/platform/redis.ts';
import { modelParts } from '../support/model-parts.ts';
import { startRedis } from '../support/redis.ts';
import { answer, send, startScriptedModels, type ScriptedModels, type Step } from '../support/scripted-models.ts';

let server: ScriptedModels;
beforeAll(async () => {
  server = await startScriptedModels();
});
afterAll(() => server.close());
afterEach(() => void vi.useRealTimers());

/** All that is told of one question, in order. */
type Happened =
  | { readonly text: string }
  | { readonly reasoning: string }
  | { readonly attempt: ModelAttempt }
  | { readonly usage: ModelUsage }
  | { readonly fellBack: { readonly from: string; readonly to: string; readonly errorCode: string } };

interface Asked {
  readonly happened: readonly Happened[];
  readonly outcome: unknown;
  readonly error: ProviderError | null;
  readonly pauses: readonly number[];
  /** "a 1 OK", "b 1 TIMEOUT" … */
  readonly attempts: readonly string[];
  readonly usages: readonly ModelUsage[];
  /** The text that is shown at the end. */
  readonly shown: string;
}

interface Options {
  readonly models?: readonly string[];
  readonly parts?: Partial<Omit<ModelParts, 'metrics'>>;
  readonly catalog?: Models;
  readonly signal?: AbortSignal;
  readonly tools?: readonly string[];
  readonly onText?: (text: string) => void;
}

function catalogOf(parts: ModelParts, ...providers: readonly ProviderSettings[]): Models {
  return createModels({ providers: providers.length > 0 ? providers : [server.provider(['a', 'b', 'c'])], chatModelIds: [], embeddingModelIds: [] }, parts, 'w1');
}

const nameOf = (id: string): string => id.split(':')[1] as string;

async function ask({ models = ['a'], parts: change, catalog, signal = new AbortController().signal, tools, onText }: Options = {}): Promise<Asked> {
  const parts = modelParts(change);
  const happened: Happened[] = [];
  const hooks: ChatHooks = {
    text(text) {
      happened.push({ text });
      onText?.(text);
    },
    reasoning: (reasoning) => happened.push({ reasoning }),
    attempt: (attempt) => happened.push({ attempt }),
    usage: (usage) => happened.push({ usage }),
    fellBack: (fellBack) => happened.push({ fellBack }),
  };
  const outcome: unknown = await (catalog ?? catalogOf(parts))
    .ask(
      {
        modelIds: models.map((name) => `test:${name}`) as [string, ...string[]],
        options: { temperature: 0, maxOutputTokens: 100 },
        messages: [new HumanMessage('Who built the bridge?')],
        ...(tools && { tools: tools.map((name) => ({ type: 'function' as const, function: { name, parameters: { type: 'object', properties: {} } } })) }),
        signal,
      },
      hooks,
    )
    .catch((error: unknown) => error);
  return {
    happened,
    outcome,
    error: outcome instanceof ProviderError ? outcome : null,
    pauses: parts.pauses,
    attempts: happened.flatMap((each) => ('attempt' in each ? [`${nameOf(each.attempt.modelId)} ${each.attempt.attempt} ${each.attempt.errorCode ?? 'OK'}`] : [])),
    usages: happened.flatMap((each) => ('usage' in each ? [each.usage] : [])),
    shown: happened.slice(happened.findLastIndex((each) => 'fellBack' in each) + 1).map((each) => ('text' in each ? each.text : '')).join(''),
  };
}

const well = answer('Anna Roth built it.');

/** Ends a response that a test has held back with an answer. */
function say(response: ServerResponse, text: string): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  send(response, text);
  send(response, {}, 'stop');
  response.end('data: [DONE]\n\n');
}

const raw = 'RAW PROVIDER TEXT';
const inStream = (error: object): Step => ({ pieces: [Buffer.from(`data: ${JSON.stringify({ error })}\n\n`)] });
const faults: Record<string, { readonly step: Step; readonly code: ProviderFailureCode }> = {
  'a wrong key': { step: { status: 401 }, code: 'PROVIDER_REJECTED' },
  'a key that may not': { step: { status: 403 }, code: 'PROVIDER_REJECTED' },
  'an unknown model': { step: { status: 404 }, code: 'PROVIDER_REJECTED' },
  'a bad request': { step: { status: 400 }, code: 'PROVIDER_REJECTED' },
  'a used-up quota': { step: { status: 429, error: { code: 'insufficient_quota', message: raw } }, code: 'PROVIDER_REJECTED' },
  'a refused prompt': { step: { status: 400, error: { code: 'content_filter', message: raw } }, code: 'PROVIDER_REJECTED' },
  'an answer that is withheld': { step: { pieces: [], finish: 'content_filter' }, code: 'PROVIDER_REJECTED' },
  'too long a context': { step: { status: 400, error: { code: 'context_length_exceeded', message: raw } }, code: 'CONTEXT_TOO_LONG' },
  'too large a request': { step: { status: 413 }, code: 'CONTEXT_TOO_LONG' },
  'too many requests': { step: { status: 429 }, code: 'RATE_LIMITED' },
  'too many requests, as Gemini says': { step: { status: 429, error: { status: 'RESOURCE_EXHAUSTED', message: raw } }, code: 'RATE_LIMITED' },
  'too many requests, within the stream': { step: inStream({ type: 'rate_limit_error', message: raw }), code: 'RATE_LIMITED' },
  'a request timeout': { step: { status: 408 }, code: 'TIMEOUT' },
  'a gateway timeout': { step: { status: 504 }, code: 'TIMEOUT' },
  'an error of the server': { step: { status: 500 }, code: 'PROVIDER_UNAVAILABLE' },
  'an unavailable server': { step: { status: 503 }, code: 'PROVIDER_UNAVAILABLE' },
  'an overloaded server': { step: { status: 529, error: { type: 'overloaded_error', message: raw } }, code: 'PROVIDER_UNAVAILABLE' },
  'an overloaded server, within the stream': { step: inStream({ type: 'overloaded_error', message: raw }), code: 'PROVIDER_UNAVAILABLE' },
  'a malformed chunk': { step: { pieces: [Buffer.from(`data: {"${raw}\n\n`)] }, code: 'PROVIDER_UNAVAILABLE' },
  'chunks of another kind': { step: { pieces: [Buffer.from('data: {"choices":7}\n\n')], finish: null }, code: 'PROVIDER_UNAVAILABLE' },
  'no choices': { step: { pieces: [Buffer.from('data: {"choices":[]}\n\n')], finish: null }, code: 'PROVIDER_UNAVAILABLE' },
  'nothing but an end': { step: { pieces: [], usage: { prompt_tokens: 10, completion_tokens: 0, total_tokens: 10 } }, code: 'PROVIDER_UNAVAILABLE' },
  'nothing at all': { step: { pieces: [], finish: null }, code: 'PROVIDER_UNAVAILABLE' },
  'a web page': { step: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(`<html>${raw}</html>`), code: 'PROVIDER_UNAVAILABLE' },
  'a redirect': { step: (response) => void response.writeHead(302, { location: '/elsewhere' }).end(), code: 'PROVIDER_UNAVAILABLE' },
  'a connection that is reset': { step: (response) => void response.destroy(), code: 'PROVIDER_UNAVAILABLE' },
};

describe('a failure before any text', () => {
  it.each(Object.entries(faults))('follows the table: %s', async (_title, { step, code }) => {
    server.script('a', [step]);
    server.script('b', [well]);
    const { retryable, fallsBack } = failureRules[code];
    const calls = retryable ? 3 : 1;
    const asked = await ask({ models: ['a', 'b'] });
    expect(server.requests('a')).toHaveLength(calls);
    expect(asked.attempts).toEqual([...Array.from({ length: calls }, (_, index) => `a ${index + 1} ${code}`), ...(fallsBack ? ['b 1 OK'] : [])]);
    if (fallsBack) {
      expect(asked.outcome).toMatchObject({ modelId: 'test:b', text: 'Anna Roth built it.', finish: 'STOP' });
      expect(asked.shown).toBe('Anna Roth built it.');
      expect(asked.happened.filter((each) => 'fellBack' in each)).toEqual([{ fellBack: { from: 'test:a', to: 'test:b', errorCode: code } }]);
    } else {
      expect(asked.error).toMatchObject({ code, retryable: false, attempts: 1, providerId: 'test' });
      expect(server.requests('b')).toHaveLength(0);
    }
    // Alone it is the end, in our own words.
    server.script('a', [step]);
    const alone = await ask();
    expect(alone.error).toMatchObject({ code, retryable, attempts: calls });
    expect(alone.error?.message).not.toContain('RAW');
  });

  it('has these consequences', () => {
    expect(failureRules).toEqual({
      PROVIDER_UNAVAILABLE: { retryable: true, fallsBack: true, opensCircuit: true },
      TIMEOUT: { retryable: true, fallsBack: true, opensCircuit: true },
      RATE_LIMITED: { retryable: true, fallsBack: true, opensCircuit: true },
      CIRCUIT_OPEN: { retryable: true, fallsBack: true, opensCircuit: false },
      CONTEXT_TOO_LONG: { retryable: false, fallsBack: true, opensCircuit: false },
      PROVIDER_REJECTED: { retryable: false, fallsBack: false, opensCircuit: false },
    });
  });

  it('is over as soon as a call succeeds, after pauses that double, each by up to half less', async () => {
    server.script('a', [{ status: 500 }, { status: 503 }, { status: 500 }, { status: 504 }, well]);
    const asked = await ask({ parts: { retry: { maxAttempts: 10, baseDelayMs: 1_000, maxDelayMs: 5_000 } } });
    expect(asked.outcome).toMatchObject({ text: 'Anna Roth built it.' });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'a 2 PROVIDER_UNAVAILABLE', 'a 3 PROVIDER_UNAVAILABLE', 'a 4 TIMEOUT', 'a 5 OK']);
    expect(asked.pauses).toHaveLength(4);
    for (const [index, longest] of [1_000, 2_000, 4_000, 5_000].entries()) {
      expect(asked.pauses[index]).toBeGreaterThanOrEqual(longest / 2);
      expect(asked.pauses[index]).toBeLessThanOrEqual(longest);
    }
  });

  it('is not repeated where the policy says one call', async () => {
    server.script('a', [{ status: 500 }]);
    const asked = await ask({ parts: { retry: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 } } });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE']);
  });

  it('of a server that nobody runs is one like any other', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const asked = await ask({ catalog: catalogOf(modelParts(), server.provider(['a'], { baseUrl: `http://127.0.0.1:${port}` })) });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'a 2 PROVIDER_UNAVAILABLE', 'a 3 PROVIDER_UNAVAILABLE']);
  });

  it('is told with its reason where that is the content or the key', async () => {
    for (const name of ['an answer that is withheld', 'a refused prompt']) {
      server.script('a', [faults[name]!.step]);
      expect((await ask()).error?.message).toMatch(/because of its content/);
    }
    server.script('a', [{ status: 400, error: { details: [{ reason: 'API_KEY_INVALID' }] } }]);
    expect((await ask()).error?.message).toMatch(/API key/);
  });
});

describe('Retry-After', () => {
  const limited = (retryAfter: string): Step => ({ status: 429, headers: { 'retry-after': retryAfter } });
  const policy = { retry: { maxAttempts: 3, baseDelayMs: 10, maxDelayMs: 5_000 } };

  it('is waited for, and no longer', async () => {
    server.script('a', [limited('3'), { status: 503, headers: { 'retry-after': '2.5' } }, well]);
    const asked = await ask({ parts: policy });
    expect(asked.pauses).toEqual([3_000, 2_500]);
    expect(asked.outcome).toMatchObject({ text: 'Anna Roth built it.' });
  });

  it('does not shorten the pause', async () => {
    server.script('a', [limited('0'), well]);
    const { pauses: [pause] } = await ask({ parts: { retry: { maxAttempts: 2, baseDelayMs: 1_000, maxDelayMs: 5_000 } } });
    expect(pause).toBeGreaterThanOrEqual(500);
  });

  it('may be a date, or said in the body', async () => {
    const until = Math.ceil(Date.now() / 1_000) * 1_000 + 60_000;
    server.script('a', [limited(new Date(until).toUTCString()), well]);
    const before = Date.now();
    const [dated = 0] = (await ask({ parts: { retry: { maxAttempts: 2, baseDelayMs: 10, maxDelayMs: 100_000 } } })).pauses;
    expect(dated).toBeGreaterThanOrEqual(until - Date.now());
    expect(dated).toBeLessThanOrEqual(until - before);
    server.script('a', [{ status: 429, error: { status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: '1.2s' }] } }, well]);
    expect((await ask({ parts: policy })).pauses).toEqual([1_200]);
  });

  it.each(['soon', '-1', 'Infinity', ''])('that means nothing (%j) is passed over', async (retryAfter) => {
    server.script('a', [limited(retryAfter), well]);
    const { pauses } = await ask({ parts: policy });
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeLessThanOrEqual(10);
  });

  it('that is too long is not waited for: another model goes on, or the failure says when', async () => {
    server.script('a', [limited('61')]);
    server.script('b', [well]);
    const asked = await ask({ models: ['a', 'b'], parts: policy });
    expect([asked.attempts, asked.pauses]).toEqual([['a 1 RATE_LIMITED', 'b 1 OK'], []]);
    server.script('a', [limited('61')]);
    const { error, pauses } = await ask({ parts: policy });
    expect(pauses).toEqual([]);
    expect(error).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 61_000, message: expect.stringContaining('in 61 seconds') });
  });

  it('is never undercut by the clock', async () => {
    const at: number[] = [];
    const { pause: _, ...parts } = modelParts({ retry: { maxAttempts: 2, baseDelayMs: 0, maxDelayMs: 5_000 } });
    server.script('a', [
      (response) => {
        at.push(performance.now());
        response.writeHead(429, { 'retry-after': '0.05' }).end('{}');
      },
      (response) => {
        at.push(performance.now());
        say(response, 'Yes.');
      },
    ]);
    expect((await ask({ catalog: catalogOf(parts) })).outcome).toMatchObject({ text: 'Yes.' });
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(50);
  });
});

describe('a failure after text has been shown', () => {
  const broken: Step = { pieces: ['Anna ', 'R'], isCut: true };

  it('never makes the same model begin again; the next one does, after the text was withdrawn', async () => {
    server.script('a', [broken]);
    server.script('b', [well]);
    const asked = await ask({ models: ['a', 'b'] });
    expect(server.requests('a')).toHaveLength(1);
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'b 1 OK']);
    expect(asked.happened.map((each) => Object.keys(each)[0])).toEqual(['text', 'text', 'usage', 'attempt', 'fellBack', 'text', 'text', 'text', 'text', 'usage', 'attempt']);
    expect(asked.shown).toBe('Anna Roth built it.');
  });

  it('is the end where there is no other model', async () => {
    server.script('a', [broken]);
    const asked = await ask();
    expect(asked.error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', attempts: 1 });
    expect(server.requests('a')).toHaveLength(1);
  });

  it('is one also where only reasoning was shown', async () => {
    server.script('a', [{ pieces: [{ reasoning_content: 'Hm.' }], isCut: true }]);
    const asked = await ask();
    expect(asked.happened).toContainEqual({ reasoning: 'Hm.' });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE']);
  });

  it('is repeated where nothing but a tool call had come', async () => {
    const piece = { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q' } }] };
    server.script('a', [{ pieces: [piece], isCut: true }, well]);
    expect((await ask({ tools: ['find'] })).attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'a 2 OK']);
  });

  it('is one where the stream ends without saying why', async () => {
    server.script('a', [{ pieces: ['Anna '], finish: null }]);
    server.script('b', [well]);
    expect((await ask({ models: ['a', 'b'] })).attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'b 1 OK']);
  });

  it('is one where the rest is withheld', async () => {
    server.script('a', [{ pieces: ['Anna '], finish: 'content_filter' }]);
    server.script('b', [well]);
    const asked = await ask({ models: ['a', 'b'] });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_REJECTED']);
    expect(asked.error?.message).toMatch(/because of its content/);
  });
});

describe('fallback', () => {
  it('goes through all models in their order, and ends with the last one\'s failure', async () => {
    server.script('a', [{ status: 429 }]);
    server.script('b', [{ status: 413 }]);
    server.script('c', [{ status: 504 }]);
    const asked = await ask({ models: ['a', 'b', 'c'] });
    expect(asked.attempts).toEqual(['a 1 RATE_LIMITED', 'a 2 RATE_LIMITED', 'a 3 RATE_LIMITED', 'b 1 CONTEXT_TOO_LONG', 'c 1 TIMEOUT', 'c 2 TIMEOUT', 'c 3 TIMEOUT']);
    expect(asked.happened.flatMap((each) => ('attempt' in each ? [each.attempt.isFallback] : []))).toEqual([false, false, false, true, true, true, true]);
    expect(asked.error).toMatchObject({ code: 'TIMEOUT', attempts: 7, providerId: 'test' });
  });

  it('leaves out models that are unknown, without a key, or named before', async () => {
    const locked = server.provider(['x'], { id: 'locked', kind: 'OPENAI', apiKey: null });
    const catalog = catalogOf(modelParts(), server.provider(['a', 'b']), locked);
    server.script('a', [{ status: 413 }]);
    server.script('b', [well]);
    const attempts: string[] = [];
    await catalog.ask(
      { modelIds: ['test:a', 'test:nobody', 'locked:x', 'test:a', 'test:b'], options: { temperature: 0, maxOutputTokens: 100 }, messages: [new HumanMessage('Hello')], signal: new AbortController().signal },
      { text: () => undefined, reasoning: () => undefined, usage: () => undefined, fellBack: () => undefined, attempt: ({ modelId }) => void attempts.push(modelId) },
    );
    expect(attempts).toEqual(['test:a', 'test:b']);
  });

  it('does not hide that the chosen model is unknown', async () => {
    server.script('b', [well]);
    const asked = await ask({ models: ['nobody', 'b'] });
    expect(asked.attempts).toEqual(['nobody 1 PROVIDER_REJECTED']);
    expect(asked.error?.message).toContain('test:nobody');
  });

  it('is counted, with its reason, and so is every call and retry', async () => {
    const parts = modelParts();
    const catalog = catalogOf(parts, server.provider([{ name: 'a', capabilities: ['CHAT'], inputPricePerMillion: 1_000, outputPricePerMillion: 2_000 }, 'b']));
    server.script('a', [{ status: 500 }, { status: 429, headers: { 'retry-after': '3600' } }]);
    server.script('b', [well]);
    await ask({ catalog, models: ['a', 'b'] });
    server.script('a', [well]);
    await ask({ catalog });
    const text = await parts.metrics.registry.metrics();
    for (const line of [
      'parley_model_calls_total{model="test:a",outcome="PROVIDER_UNAVAILABLE"} 1',
      'parley_model_calls_total{model="test:a",outcome="RATE_LIMITED"} 1',
      'parley_model_calls_total{model="test:a",outcome="OK"} 1',
      'parley_model_retries_total{model="test:a",reason="PROVIDER_UNAVAILABLE"} 1',
      'parley_model_fallbacks_total{from="test:a",to="test:b",reason="RATE_LIMITED"} 1',
      'parley_model_first_token_seconds_count{model="test:b"} 1',
      'parley_model_tokens_total{model="test:a",direction="in"} 10',
      'parley_model_tokens_total{model="test:a",direction="out"} 4',
    ]) expect(text).toContain(line);
    expect((await parts.metrics.modelCost.get()).values.find(({ labels }) => labels.model === 'test:a')?.value).toBeCloseTo(0.018);
  });

  it('of models of workspaces is counted under one name, and an address within is not asked again', async () => {
    const parts = modelParts();
    const asked = await ask({ catalog: catalogOf(parts, server.provider(['a', 'b'], { owner: 'WORKSPACE' })), models: ['a', 'b'] });
    expect(asked.attempts).toEqual(['a 1 PROVIDER_REJECTED']);
    expect(asked.error?.message).toMatch(/public address/);
    expect(await parts.metrics.registry.metrics()).toContain('parley_model_calls_total{model="of a workspace",outcome="PROVIDER_REJECTED"} 1');
  });
});

describe('time limits', () => {
  /** The response to the first request, for the test to write. */
  function scriptHeld(model: string): Promise<ServerResponse> {
    return new Promise((resolve) =>
      server.script(model, [
        (response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.flushHeaders();
          resolve(response);
        },
        well,
      ]));
  }
  const limits = { firstTokenMs: 10_000, silenceMs: 3_000, embeddingMs: 1_000 };
  const once = { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 };
  const useTimers = (): void => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

  it('close a request whose answer does not begin', async () => {
    useTimers();
    const held = scriptHeld('a');
    server.script('b', [well]);
    const asking = ask({ models: ['a', 'b'], parts: { limits, retry: once } });
    // What says nothing of the answer is no beginning.
    send(await held, '');
    vi.advanceTimersByTime(9_999);
    expect(server.requests('b')).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect((await asking).attempts).toEqual(['a 1 TIMEOUT', 'b 1 OK']);
    await server.requests('a')[0]?.closed;
  });

  it('close a request that falls silent, counted from its last piece', async () => {
    useTimers();
    const held = scriptHeld('a');
    let heard = Promise.withResolvers<void>();
    const asking = ask({ parts: { limits, retry: once }, onText: () => heard.resolve() });
    const response = await held;
    for (let piece = 0; piece < 5; piece++) {
      send(response, `${piece} `);
      await heard.promise;
      heard = Promise.withResolvers();
      vi.advanceTimersByTime(2_999);
    }
    vi.advanceTimersByTime(1);
    const asked = await asking;
    expect(asked.attempts).toEqual(['a 1 TIMEOUT']);
    expect(asked.shown).toBe('0 1 2 3 4 ');
    await server.requests('a')[0]?.closed;
  });

  it.each([
    ['reasoning', { reasoning_content: 'Hm.' }],
    ['a piece of a tool call', { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'find', arguments: '{}' } }] }],
  ])('take %s for an answer that begins', async (_title, piece) => {
    useTimers();
    const held = scriptHeld('a');
    const parts = modelParts({ limits: { firstTokenMs: 1_000, silenceMs: 60_000, embeddingMs: 1_000 } });
    const asking = ask({ catalog: catalogOf(parts) });
    const response = await held;
    send(response, piece);
    await vi.waitFor(async () => expect((await parts.metrics.modelFirstToken.get()).values.length).toBeGreaterThan(0), { timeout: 20_000 });
    vi.advanceTimersByTime(50_000);
    say(response, 'Yes.');
    expect((await asking).attempts).toEqual(['a 1 OK']);
  });
});

describe('an abort', () => {
  const enough = new Error('enough');

  it('ends a call at once with its reason, closes the request, and is no failure', async () => {
    const controller = new AbortController();
    server.script('a', [(response) => send(response.writeHead(200, { 'content-type': 'text/event-stream' }), 'Anna ')]);
    const parts = modelParts();
    const asked = await ask({ catalog: catalogOf(parts), models: ['a', 'b'], signal: controller.signal, onText: () => controller.abort(enough) });
    expect(asked.outcome).toBe(enough);
    expect(asked.attempts).toEqual([]);
    // What was said is paid for.
    expect(asked.usages).toMatchObject([{ modelId: 'test:a', estimated: true }]);
    await server.requests('a')[0]?.closed;
    expect(await catalogOf(parts).status('test')).toEqual({ circuit: 'CLOSED', lastError: null, lastSucceededAt: null });
    expect(await parts.metrics.registry.metrics()).toContain('parley_model_calls_total{model="test:a",outcome="ABORTED"} 1');
  });

  it('ends a call that has not begun to answer', async () => {
    const controller = new AbortController();
    server.script('a', [() => controller.abort(enough)]);
    expect((await ask({ signal: controller.signal })).outcome).toBe(enough);
    await server.requests('a')[0]?.closed;
  });

  it('ends a pause at once', async () => {
    const controller = new AbortController();
    const { pause: _, ...parts } = modelParts({ retry: { maxAttempts: 3, baseDelayMs: 600_000, maxDelayMs: 600_000 } });
    server.script('a', [{ status: 500 }]);
    const asking = ask({ catalog: catalogOf(parts), signal: controller.signal });
    await vi.waitFor(async () => expect(await parts.metrics.registry.metrics()).toContain('outcome="PROVIDER_UNAVAILABLE"} 1'), { timeout: 20_000 });
    controller.abort(enough);
    const asked = await asking;
    expect(asked.outcome).toBe(enough);
    expect(asked.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE']);
  });

  it('before the question calls nobody', async () => {
    server.script('a', [well]);
    const asked = await ask({ signal: AbortSignal.abort(enough) });
    expect(asked.outcome).toBe(enough);
    expect([asked.happened, server.requests('a')]).toEqual([[], []]);
  });

  it('waits for no slow circuit, and gives back the leave that comes too late', async () => {
    const controller = new AbortController();
    const granted = Promise.withResolvers<void>();
    let left = 0;
    const pass = { answered: async () => undefined, succeeded: async () => undefined, failed: async () => undefined, left: async () => void left++ };
    const asking = ask({ signal: controller.signal, parts: { circuits: { enter: async () => (await granted.promise, pass), state: async () => 'CLOSED' } } });
    controller.abort(enough);
    expect((await asking).outcome).toBe(enough);
    granted.resolve();
    await expect.poll(() => left).toBe(1);
  });
});

describe('a circuit', () => {
  const rules: CircuitRules = { failures: 3, openMs: 30_000, maxOpenMs: 300_000, probeMs: 60_000 };

  /** Resolves when all but one are answered. */
  const allButOne = (asking: readonly Promise<unknown>[]): Promise<void> => {
    let left = asking.length - 1;
    return new Promise((resolve) => asking.forEach((each) => void each.then(() => --left === 0 && resolve())));
  };

  it('lets no call pass while it is open; another model answers meanwhile, and one call of 20 probes after', async () => {
    let time = 1_000_000;
    const parts = modelParts({ circuits: createCircuits({ redis: null, rules, now: () => time }), retry: { maxAttempts: 5, baseDelayMs: 0, maxDelayMs: 0 } });
    const catalog = catalogOf(parts);
    server.script('a', [{ status: 500 }]);
    server.script('b', [well]);
    const first = await ask({ catalog, models: ['a', 'b'] });
    expect(first.attempts).toEqual(['a 1 PROVIDER_UNAVAILABLE', 'a 2 PROVIDER_UNAVAILABLE', 'a 3 PROVIDER_UNAVAILABLE', 'a 4 CIRCUIT_OPEN', 'b 1 OK']);
    expect(await catalog.status('test')).toMatchObject({ circuit: 'OPEN', lastError: expect.stringContaining('cannot be reached'), lastSucceededAt: expect.any(Date) });
    server.script('a', [well]);
    const asked = await Promise.all(Array.from({ length: 20 }, () => ask({ catalog, models: ['a', 'b'] })));
    expect(server.requests('a')).toHaveLength(0);
    for (const { attempts, happened } of asked) {
      expect(attempts).toEqual(['a 1 CIRCUIT_OPEN', 'b 1 OK']);
      expect(happened[0]).toMatchObject({ attempt: { durationMs: 0, succeeded: false } });
    }
    const alone = await ask({ catalog });
    expect(alone.error).toMatchObject({ code: 'CIRCUIT_OPEN', attempts: 0, retryable: true, message: expect.stringContaining('in 30 seconds') });

    time += 30_000;
    expect((await catalog.status('test')).circuit).toBe('HALF_OPEN');
    const held = Promise.withResolvers<ServerResponse>();
    server.script('a', [(response) => held.resolve(response), well]);
    const asking = Array.from({ length: 20 }, () => ask({ catalog }));
    const refused = allButOne(asking);
    const response = await held.promise;
    await refused;
    expect(server.requests('a')).toHaveLength(1);
    say(response, 'Yes.');
    expect((await Promise.all(asking)).map(({ attempts }) => attempts.join()).sort()).toEqual([...Array<string>(19).fill('a 1 CIRCUIT_OPEN'), 'a 1 OK']);
    expect((await catalog.status('test')).circuit).toBe('CLOSED');
    expect((await ask({ catalog })).attempts).toEqual(['a 1 OK']);
    expect(server.requests('a')).toHaveLength(2);
  });

  it('is shared by two instances with one Redis: no call while it is open, and one of 20 probes', async () => {
    const redisServer = await startRedis();
    const instances = ['one', 'two'].map((instanceId) =>
      openRedis({ redis: { url: redisServer.url, poolSize: 2, commandTimeoutMs: 10_000 }, instanceId }, createLog({ environment: 'test', logLevel: 'silent', instanceId })));
    try {
      for (const redis of instances) for (let each = 0; each < 2; each++) await expect.poll(() => redis.attempt((client) => client.ping())).toBe('PONG');
      const [one, two] = instances.map((redis) => catalogOf(modelParts({ circuits: createCircuits({ redis, rules }) }))) as [Models, Models];
      server.script('a', [{ status: 500 }]);
      await ask({ catalog: one });
      expect(server.requests('a')).toHaveLength(3);
      const held = Promise.withResolvers<ServerResponse>();
      server.script('a', [(response) => held.resolve(response), well]);
      const both = () => Array.from({ length: 20 }, (_, index) => ask({ catalog: index % 2 === 0 ? one : two }));
      for (const { attempts } of await Promise.all(both())) expect(attempts).toEqual(['a 1 CIRCUIT_OPEN']);
      expect(server.requests('a')).toHaveLength(0);
      // Its time is over when all that Redis keeps of it lies further back.
      await instances[0]!.attempt(async (client) => {
        const [key] = (await client.keys('parley:circuit:*')) as [string];
        const row = JSON.parse((await client.get(key)) as string) as { openUntil: number };
        return await client.set(key, JSON.stringify({ ...row, openUntil: row.openUntil - rules.openMs }), 'KEEPTTL');
      });
      expect((await two.status('test')).circuit).toBe('HALF_OPEN');
      const asking = both();
      const refused = allButOne(asking);
      const response = await held.promise;
      await refused;
      expect(server.requests('a')).toHaveLength(1);
      say(response, 'Yes.');
      expect((await Promise.all(asking)).filter(({ attempts }) => attempts.join() === 'a 1 OK')).toHaveLength(1);
      await expect.poll(async () => (await two.status('test')).circuit).toBe('CLOSED');
      expect((await ask({ catalog: two })).attempts).toEqual(['a 1 OK']);
    } finally {
      for (const redis of instances) await redis.close();
      await redisServer.close();
    }
  }, 60_000);

  it('is given back by a probe that its caller gives up', async () => {
    let time = 1_000_000;
    const catalog = catalogOf(modelParts({ circuits: createCircuits({ redis: null, rules, now: () => time }) }));
    server.script('a', [{ status: 500 }]);
    await ask({ catalog });
    time += 30_000;
    const controller = new AbortController();
    server.script('a', [() => controller.abort(new Error('enough')), well]);
    await ask({ catalog, signal: controller.signal });
    expect((await catalog.status('test')).circuit).toBe('HALF_OPEN');
    expect((await ask({ catalog })).attempts).toEqual(['a 1 OK']);
  });

  it('of a workspace\'s provider is its own', async () => {
    const entered: string[] = [];
    const circuits = createCircuits({ redis: null, rules });
    const parts = modelParts({ circuits: { ...circuits, enter: (key) => (entered.push(key), circuits.enter(key)) } });
    await ask({ catalog: catalogOf(parts, server.provider(['a'], { owner: 'WORKSPACE' })) });
    server.script('a', [well]);
    await ask({ catalog: catalogOf(parts) });
    expect(entered).toEqual(['w1/test:a', 'test:a']);
  });

  it('is not opened by requests that are refused for what they are', async () => {
    const catalog = catalogOf(modelParts({ circuits: createCircuits({ redis: null, rules: { ...rules, failures: 1 } }) }));
    for (const step of [{ status: 401 }, { status: 400 }, { status: 413 }]) {
      server.script('a', [step]);
      await ask({ catalog });
    }
    expect(await catalog.status('test')).toMatchObject({ circuit: 'CLOSED', lastError: expect.stringContaining('too large') });
  });
});

describe('text', () => {
  it('is shown as it can be stored: pairs of surrogates whole, no halves, no NUL', async () => {
    server.script('a', [{ pieces: ['A\uD83D', '\uDE00B\uDE00', 'C\0', { reasoning_content: '\uD83D' }, { reasoning_content: '\uDE00' }, 'D\uD83D'] }]);
    const asked = await ask();
    const expected = 'A\uD83D\uDE00B\uFFFDC\uFFFDD\uFFFD';
    expect(asked.shown).toBe(expected);
    expect(asked.outcome).toMatchObject({ text: expected });
    for (const each of asked.happened) if ('text' in each) expect(each.text.isWellFormed() && each.text !== '').toBe(true);
    expect(asked.happened.filter((each) => 'reasoning' in each)).toEqual([{ reasoning: '\uD83D\uDE00' }]);
  });

  it('with bytes that are no UTF-8 comes with U+FFFD in their place', async () => {
    const [before, after] = JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant', content: 'A#B' }, finish_reason: null }] }).split('#') as [string, string];
    server.script('a', [{ pieces: [Buffer.concat([Buffer.from(`data: ${before}`), Buffer.from([0xc3, 0x28]), Buffer.from(`${after}\n\n`)])] }]);
    expect((await ask()).outcome).toMatchObject({ text: 'A\uFFFD(B' });
  });

  it('that is cut at its token limit is an answer that says so', async () => {
    server.script('a', [{ pieces: ['Anna '], finish: 'length' }]);
    expect((await ask()).outcome).toMatchObject({ text: 'Anna ', finish: 'LENGTH' });
  });
});

describe('tool calls', () => {
  const piece = (index: number, { id, name, args = '' }: { id?: string; name?: string; args?: string }) => ({
    tool_calls: [{ index, ...(id !== undefined && { id, type: 'function' }), function: { ...(name !== undefined && { name }), arguments: args } }],
  });
  const callsOf = async (tools: readonly string[]): Promise<ChatAnswer> => (await ask({ tools })).outcome as ChatAnswer;

  it('come complete, joined from pieces that take turns', async () => {
    server.script('a', [{
      pieces: [piece(0, { id: 'c1', name: 'find' }), piece(1, { id: 'c2', name: 'sum', args: '{"a":' }), piece(0, { args: '{"q":"br' }), piece(1, { args: '[1,2]}' }), piece(0, { args: 'idge\\u0000"}' })],
      finish: 'tool_calls',
    }]);
    expect(await callsOf(['find', 'sum'])).toEqual({
      modelId: 'test:a',
      text: '',
      finish: 'TOOL_CALLS',
      toolCalls: [
        { id: 'c1', name: 'find', arguments: { q: 'bridge\uFFFD' }, invalid: null },
        { id: 'c2', name: 'sum', arguments: { a: [1, 2] }, invalid: null },
      ],
    });
    expect(server.requests('a')[0]?.body.tools).toHaveLength(2);
  });

  it('whose arguments are no JSON object keep what the model wrote', async () => {
    server.script('a', [{ pieces: [piece(0, { id: 'c1', name: 'find', args: '{"q":' }), piece(1, { id: 'c2', name: 'find', args: '[1]' }), piece(2, { id: 'c3', name: 'now' })], finish: 'tool_calls' }]);
    const { toolCalls } = await callsOf(['find', 'now']);
    expect(toolCalls.map(({ arguments: args, invalid }) => [args, invalid])).toEqual([[null, '{"q":'], [null, '[1]'], [{}, null]]);
  });

  it('have ids of their own, also where the model gives none, the same twice, or the same index', async () => {
    server.script('a', [{ pieces: [piece(0, { id: '', name: 'now' }), piece(1, { id: 'c', name: 'now' }), piece(2, { id: 'c', name: 'now' }), piece(2, { id: 'd', name: 'now' })], finish: 'stop' }]);
    const { toolCalls, finish } = await callsOf(['now']);
    expect(finish).toBe('TOOL_CALLS');
    expect(toolCalls).toHaveLength(4);
    expect(new Set(toolCalls.map(({ id }) => id)).size).toBe(4);
    for (const { id } of toolCalls) expect(id).not.toBe('');
  });
});

describe('usage', () => {
  it('is what the provider reports, at the catalog\'s prices', async () => {
    const catalog = catalogOf(modelParts(), server.provider([{ name: 'a', capabilities: ['CHAT'], inputPricePerMillion: 100, outputPricePerMillion: 1_000 }]));
    server.script('a', [{ pieces: ['Yes.'], usage: { prompt_tokens: 1_000, completion_tokens: 200, total_tokens: 1_200, prompt_tokens_details: { cached_tokens: 300 } } }]);
    expect((await ask({ catalog })).usages).toEqual([{ modelId: 'test:a', inputTokens: 1_000, outputTokens: 200, cachedTokens: 300, costUsd: 0.3, estimated: false }]);
  });

  it.each<[string, Step]>([
    ['does not report it', { pieces: ['Anna Roth ', 'built it.'] }],
    ['reports nothing but zeros', { pieces: ['Anna Roth ', 'built it.'], usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }],
    ['breaks off', { pieces: ['Anna Roth ', 'built it.'], isCut: true }],
  ])('is counted here where the provider %s', async (_title, step) => {
    server.script('a', [step]);
    const { usages } = await ask();
    expect(usages).toMatchObject([{ modelId: 'test:a', outputTokens: 5, cachedTokens: 0, estimated: true }]);
    expect(usages[0]?.inputTokens).toBeGreaterThan(3);
  });

  it('counts reasoning and tool calls, too', async () => {
    server.script('a', [{ pieces: [{ reasoning_content: 'one two three four' }, { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'find', arguments: '{"q":"five six"}' } }] }], finish: 'tool_calls' }]);
    expect((await ask({ tools: ['find'] })).usages[0]?.outputTokens).toBeGreaterThan(8);
  });

  it('is not told of calls that were refused', async () => {
    server.script('a', [{ status: 500 }]);
    expect((await ask()).usages).toEqual([]);
  });
});

describe('whatever happens', () => {
  const step = fc.constantFrom<Step>(
    well, well, { pieces: ['x', 'y'], isCut: true }, { pieces: [{ reasoning_content: 'r' }], isCut: true }, { pieces: ['x'], finish: null }, { pieces: [] }, { pieces: ['x'], finish: 'content_filter' },
    ...Object.values(faults).map((fault) => fault.step), { status: 429, headers: { 'retry-after': '1' } }, { status: 429, headers: { 'retry-after': '3600' } },
  );

  it('there is one outcome, and what is told of it is in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          scripts: fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
          maxAttempts: fc.integer({ min: 1, max: 4 }),
          failures: fc.integer({ min: 1, max: 4 }),
        }),
        async ({ scripts, maxAttempts, failures }) => {
          const models = ['a', 'b', 'c'].slice(0, scripts.length);
          scripts.forEach((steps, index) => server.script(models[index] as string, steps));
          const circuits = createCircuits({ redis: null, rules: { failures, openMs: 30_000, maxOpenMs: 300_000, probeMs: 60_000 } });
          check(await ask({ models, parts: { circuits, retry: { maxAttempts, baseDelayMs: 100, maxDelayMs: 2_000 } } }), models, maxAttempts);
        },
      ),
      { numRuns: 150 },
    );
  }, 120_000);

  function check({ happened, outcome, error, attempts, shown, pauses }: Asked, models: readonly string[], maxAttempts: number): void {
    let at = 0;
    let called = 0;
    let isShown = false;
    let hasFailed = false;
    let mayGoOn = true;
    let isOver = false;
    for (const each of happened) {
      expect(isOver).toBe(false);
      // After something was shown the same model is not called again: its failure is its last.
      if (!('fellBack' in each)) expect(mayGoOn).toBe(true);
      if ('text' in each || 'reasoning' in each) isShown = true;
      else if ('usage' in each) expect(nameOf(each.usage.modelId)).toBe(models[at]);
      else if ('attempt' in each) {
        const { modelId, attempt, isFallback, succeeded, errorCode } = each.attempt;
        expect([nameOf(modelId), attempt, isFallback]).toEqual([models[at], ++called, at > 0]);
        expect(attempt).toBeLessThanOrEqual(maxAttempts);
        expect(succeeded).toBe(errorCode === null);
        isOver = succeeded;
        hasFailed = !succeeded;
        mayGoOn = !(hasFailed && isShown);
      } else {
        const { from, to, errorCode } = each.fellBack;
        expect([nameOf(from), nameOf(to), hasFailed]).toEqual([models[at], models[at + 1], true]);
        expect(failureRules[errorCode as ProviderFailureCode].fallsBack).toBe(true);
        expect(attempts.findLast((attempt) => attempt.startsWith(`${models[at]} `))).toBe(`${models[at]} ${called} ${errorCode}`);
        at++;
        called = 0;
        isShown = false;
        hasFailed = false;
        mayGoOn = true;
      }
    }
    const calls = attempts.filter((attempt) => !attempt.endsWith('CIRCUIT_OPEN')).length;
    expect(models.reduce((sum, model) => sum + server.requests(model).length, 0)).toBe(calls);
    for (const pause of pauses) expect(pause).toBeLessThanOrEqual(2_000);
    expect(isOver).toBe(error === null);
    if (error) expect(error).toMatchObject({ attempts: calls, code: attempts.at(-1)?.split(' ')[2] });
    else expect(outcome).toMatchObject({ modelId: `test:${models[at]}`, text: shown });
  }
});
