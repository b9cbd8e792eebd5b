// A model server that speaks the protocols of all vendors and fails as a test wants. The model's name says how: "cut" breaks
// its answers off, "good" answers.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProviderSettings } from '../../src/models/provider.ts';

/** What each vendor is called in a catalog, and how it is spoken to. */
export const vendors = [
  { id: 'openai', kind: 'OPENAI' },
  { id: 'anthropic', kind: 'ANTHROPIC' },
  { id: 'gemini', kind: 'GEMINI' },
  { id: 'compatible', kind: 'OPENAI_COMPATIBLE' },
] as const;
export type VendorId = (typeof vendors)[number]['id'];

/** What nobody but us may ever see of a provider. */
export const rawText = 'RAW PROVIDER TEXT';
/** What a server says before it fails in the middle. */
export const half = 'Half of an ans';
export const goodAnswer = 'Good day to you.';
export const retryAfterSeconds = 1;

/** The faults, by the names of their models. */
export const faults = [
  'good', 'http-401', 'http-429', 'http-500', 'http-503', 'refused', 'hang', 'stall', 'cut', 'malformed', 'bad-utf8', 'empty', 'html', 'redirect',
] as const;
export type Fault = (typeof faults)[number];

export interface FaultyVendors {
  /** The providers with a model for each fault; that of "refused" is where nobody listens. */
  readonly providers: readonly ProviderSettings[];
  /** Everything that may not leave the process. */
  readonly secrets: readonly string[];
  /** When each call of a model with this question came, in milliseconds. */
  callsOf(vendor: VendorId, fault: Fault, question: string): readonly number[];
  /** Lets the answers to this question fail that were broken off after their beginning: once that was seen. */
  proceed(question: string): void;
  /** Requests to where a redirect leads. */
  readonly followed: number;
  close(): Promise<void>;
}

/** Starts the server. */
export async function startFaultyVendors(): Promise<FaultyVendors> {
  const calls: { readonly key: string; readonly body: string; readonly at: number }[] = [];
  const held = new Set<{ readonly body: string; readonly fail: () => void }>();
  let followed = 0;
  const http = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const part of request) body += part;
    const [, vendor, path = ''] = /^\/(\w+)(\/.*)?$/.exec(request.url ?? '') ?? [];
    if (vendor === 'elsewhere') {
      followed++;
      response.end(rawText);
      return;
    }
    const fault = (vendor === 'gemini' ? /models\/([^:]+):/.exec(path)?.[1] : (JSON.parse(body) as { model: string }).model) as Fault;
    calls.push({ key: `${vendor}:${fault}`, body, at: performance.now() });
    answer(vendor as VendorId, fault, response, (fail) => void held.add({ body, fail }));
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const secrets = vendors.map(({ id }) => `key-of-${id}-0123456789`);
  const provider = (id: string, kind: string, baseUrl: string, apiKey: string, names: readonly string[]): ProviderSettings => ({
    id, name: id, kind, baseUrl, apiKey, owner: 'INSTALLATION', models: names.map((name) => ({ name, capabilities: ['CHAT', 'STREAMING'] })),
  });
  return {
    providers: vendors.flatMap(({ id, kind }, index) => [
      provider(id, kind, `${url}/${id}`, secrets[index]!, faults),
      // Port 1 is nobody's.
      provider(`no-${id}`, kind, 'http://127.0.0.1:1', secrets[index]!, ['refused']),
    ]),
    secrets: [...secrets, rawText],
    callsOf: (vendor, fault, question) => calls.filter(({ key, body }) => key === `${vendor}:${fault}` && body.includes(question)).map(({ at }) => at),
    proceed(question) {
      for (const each of held) {
        if (!each.body.includes(question)) continue;
        held.delete(each);
        each.fail();
      }
    },
    get followed() {
      return followed;
    },
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** `hold` is given what is to happen once the beginning of the answer was seen. */
function answer(vendor: VendorId, fault: Fault, response: ServerResponse, hold: (fail: () => void) => void): void {
  const status = Number(/^http-(\d+)$/.exec(fault)?.[1] ?? 0);
  const key = `key-of-${vendor}-0123456789`;
  if (status > 0) {
    response.writeHead(status, { 'content-type': 'application/json', ...(status === 429 && { 'retry-after': String(retryAfterSeconds) }) });
    const message = `${rawText}: the key ${key} is wrong`;
    response.end(JSON.stringify({ type: 'error', error: { type: 'api_error', code: 'some_code', status: 'SOME', message } }));
    return;
  }
  if (fault === 'hang') return;
  if (fault === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<html><body>${rawText}</body></html>`);
    return;
  }
  if (fault === 'redirect') {
    response.writeHead(302, { location: `/elsewhere/${vendor}` });
    response.end(rawText);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const { begin, say, end, empty } = protocols[vendor];
  const send = (events: readonly Event[]): void => {
    for (const { event, data } of events) response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  };
  send(begin);
  if (fault === 'good') {
    for (const word of goodAnswer.split(/(?<= )/)) send(say(word));
    send(end);
    response.end();
    return;
  }
  if (fault === 'empty') {
    send(empty);
    response.end();
    return;
  }
  send(say(half));
  if (fault === 'stall') return;
  hold(() => {
    if (fault === 'cut') {
      response.destroy();
      return;
    }
    if (fault === 'malformed') send([{ ...say('')[0], data: `{"${rawText}": ` }]);
    else {
      const [before = '', after = ''] = JSON.stringify(say('#')[0]!.data).split('#');
      response.write(`${say('')[0]!.event === undefined ? '' : `event: ${say('')[0]!.event}\n`}data: ${before}`);
      response.write(Buffer.from([0xc3, 0x28, 0xff]));
      response.write(`${after}\n\n`);
    }
    send(end);
    response.end();
  });
}

interface Event {
  readonly event?: string;
  readonly data: unknown;
}

interface Protocol {
  readonly begin: readonly Event[];
  say(text: string): readonly Event[];
  readonly end: readonly Event[];
  /** An end without an answer. */
  readonly empty: readonly Event[];
}

const openai = (choices: readonly object[], more: object = {}): Event => ({ data: { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices, ...more } });
const chatCompletions: Protocol = {
  begin: [],
  say: (content) => [openai([{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }])],
  end: [openai([{ index: 0, delta: {}, finish_reason: 'stop' }]), openai([], { usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } }), { data: '[DONE]' }],
  empty: [openai([]), { data: '[DONE]' }],
};
const anthropic = (type: string, rest: object = {}): Event => ({ event: type, data: { type, ...rest } });
const protocols: Record<VendorId, Protocol> = {
  openai: chatCompletions,
  compatible: chatCompletions,
  anthropic: {
    begin: [anthropic('message_start', { message: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 7, output_tokens: 1 } } })],
    say: (text) => [anthropic('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })],
    end: [anthropic('content_block_stop', { index: 0 }), anthropic('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } }), anthropic('message_stop')],
    empty: [anthropic('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 0 } }), anthropic('message_stop')],
  },
  gemini: {
    begin: [],
    say: (text) => [{ data: { candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] } }] } }],
    end: [{ data: { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3, totalTokenCount: 10 } } }],
    empty: [{ data: { candidates: [] } }],
  },
};
