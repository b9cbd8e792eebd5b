// Models that think before they call, each by its vendor's protocol, and as strict: a turn that comes back without what the
// vendor wants with it, or with anything that it never sent, is answered by 400, in the vendor's words.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ProviderSettings } from '../../src/models/provider.ts';

export interface Requested {
  readonly name: string;
  readonly arguments: object;
}
/** What every model says in one of its turns: words, and calls; a turn without calls is the answer. */
export interface ThinkingTurn {
  readonly text: string;
  readonly calls?: readonly Requested[];
}

export const thinkingVendors = ['gemini', 'google', 'anthropic', 'deepseek', 'openrouter'] as const;
export type ThinkingVendor = (typeof thinkingVendors)[number];

/** A model of each vendor by its id. Gemini has two protocols, its own and OpenAI's ("google"). */
export const thinkingModels = {
  gemini: 'gemini:gemini-3-pro-preview', google: 'google:gemini-3-flash', anthropic: 'anthropic:claude-opus-4-5', deepseek: 'deepseek:deepseek-reasoner', openrouter: 'openrouter:some/model',
} as const satisfies Record<ThinkingVendor, string>;

export interface ThinkingVendors {
  readonly providers: readonly ProviderSettings[];
  /** Begins anew: what is said in the first turn of a conversation, in the second, and so on. `bytes` pads what is wanted back. */
  script(turns: readonly ThinkingTurn[], bytes?: number): void;
  /** The vendors that are not to be reached (503). */
  readonly down: Set<ThinkingVendor>;
  /** Requests since the script, and how they were answered. */
  readonly requests: readonly { readonly vendor: ThinkingVendor; readonly body: Body; readonly status: number }[];
  close(): Promise<void>;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each vendor's protocol knows its own
export type Body = any;

/** Begins everything that a vendor wants back, and nothing else. */
export const secretOf = (vendor: ThinkingVendor): string => `secret-of-${vendor}`;

interface Wanted {
  /** Of the turn, made for it alone. */
  readonly secret: string;
  readonly turn: ThinkingTurn;
}

interface Protocol {
  readonly kind: string;
  readonly path: string;
  /** The turns with calls of a request, each as the model reads it: with all that the vendor wants back, where it wants it. */
  turns(body: Body): unknown[];
  /** A turn as it must come back. */
  wanted(wanted: Wanted): unknown;
  /** Whether a turn that another model took is as it must be. */
  foreign(turn: Body): boolean;
  /** The turn as it is streamed. */
  events(wanted: Wanted): readonly object[];
  readonly refusal: object;
}

/** Starts the server. */
export async function startThinkingVendors(): Promise<ThinkingVendors> {
  let turns: readonly ThinkingTurn[] = [];
  let padding = '';
  const taken = new Map<string, Wanted>();
  const requests: ThinkingVendors['requests'][number][] = [];
  const down = new Set<ThinkingVendor>();
  const http = createServer((request, response) => void serve(request, response));
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    const vendor = /^\/(\w+)/.exec(request.url ?? '')![1] as ThinkingVendor;
    const protocol = protocols[vendor];
    const body = JSON.parse(text) as Body;
    const said = protocol.turns(body);
    const isRight = said.every((turn, index) => {
      const own = taken.get(`${vendor} ${index}`);
      return own ? isDeepStrictEqual(turn, protocol.wanted(own)) : protocol.foreign(turn);
    });
    const isOthers = thinkingVendors.some((other) => other !== vendor && text.includes(secretOf(other)));
    const status = down.has(vendor) ? 503 : isRight && !isOthers ? 200 : 400;
    requests.push({ vendor, body, status });
    if (status !== 200) return void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(status === 400 ? protocol.refusal : {}));
    const wanted = { secret: `${secretOf(vendor)}-${said.length}-${padding}`, turn: turns[Math.min(said.length, turns.length - 1)]! };
    if (wanted.turn.calls) taken.set(`${vendor} ${said.length}`, wanted);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(protocol.events(wanted).map((event) => `${'type' in event ? `event: ${String(event.type)}\n` : ''}data: ${JSON.stringify(event)}\n\n`).join(''));
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    providers: thinkingVendors.map((vendor) => ({
      id: vendor, name: vendor, kind: protocols[vendor].kind, baseUrl: `${url}/${vendor}${protocols[vendor].path}`, apiKey: 'sk-test-0123456789', owner: 'INSTALLATION',
      models: [{ name: thinkingModels[vendor].slice(vendor.length + 1), capabilities: ['CHAT', 'STREAMING', 'TOOLS'] }],
    })),
    script(next, bytes = 0) {
      [turns, padding] = [next, 'x'.repeat(bytes)];
      taken.clear();
      requests.length = 0;
      down.clear();
    },
    down,
    requests,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** In two pieces, which no reader may take for two texts. */
const halves = (text: string): [string, string] => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];

const chunk = (delta: object, finish: string | null = null): object => ({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] });

/** OpenAI's protocol with what a server adds to it: to the message, and to the calls. */
function extendedOpenai(more: { hasIds?: boolean; message?(wanted: Wanted): object; pieces?(wanted: Wanted): readonly object[]; call?(wanted: Wanted, index: number): object; foreign(turn: Body): boolean; refusal: string }): Protocol {
  const { hasIds = false, message = () => ({}), pieces = () => [], call = () => ({}), foreign, refusal } = more;
  return {
    kind: 'OPENAI_COMPATIBLE',
    path: '/v1',
    turns: ({ messages }) =>
      messages.flatMap(({ role: _role, content: _content, tool_calls: calls, ...rest }: Body, at: number) => {
        if (!calls) return [];
        const results = calls.every(({ id }: Body, index: number) => messages[at + 1 + index]?.tool_call_id === id);
        return [{ ...rest, calls: calls.map(({ id, type: _type, ...each }: Body) => ({ ...each, ...(hasIds && { id }) })), ...(!results && { results }) }];
      }),
    wanted: (wanted) => ({ ...message(wanted), calls: wanted.turn.calls!.map(({ name, arguments: args }, index) => ({ function: { name, arguments: JSON.stringify(args) }, ...call(wanted, index), ...(hasIds && { id: idOf(index) }) })) }),
    foreign,
    events: (wanted) => [
      ...pieces(wanted).map((piece) => chunk({ role: 'assistant', content: null, ...piece })),
      chunk({ content: wanted.turn.text }),
      // Google numbers all calls alike.
      ...(wanted.turn.calls ?? []).map(({ name, arguments: args }, index) => chunk({ tool_calls: [{ index: 0, id: idOf(index), type: 'function', function: { name, arguments: JSON.stringify(args) }, ...call(wanted, index) }] })),
      chunk({}, wanted.turn.calls ? 'tool_calls' : 'stop'),
    ],
    refusal: { error: { message: refusal, type: 'invalid_request_error', code: 'invalid_request_error' } },
  };
}

/** Models number their calls anew in each turn. */
const idOf = (index: number): string => `tool_${index}`;

const hasNothingMore = (turn: Record<string, unknown>): boolean => Object.keys(turn).join() === 'calls' && (turn['calls'] as Body[]).every(({ id: _id, ...call }: Body) => Object.keys(call).join() === 'function');

const protocols: Record<ThinkingVendor, Protocol> = {
  // https://ai.google.dev/gemini-api/docs/thought-signatures: of several calls at once the first has the signature.
  gemini: {
    kind: 'GEMINI',
    path: '',
    turns: ({ contents }) =>
      contents.flatMap(({ role, parts }: Body, index: number) => {
        const calls = parts.filter((part: Body) => part.functionCall);
        if (role !== 'model' || calls.length === 0) return [];
        return [{ calls: calls.map(({ functionCall: { name, args }, ...rest }: Body) => ({ name, args, ...rest })), results: contents[index + 1]?.parts.map((part: Body) => part.functionResponse?.name) }];
      }),
    wanted: ({ secret, turn }) => ({
      calls: turn.calls!.map(({ name, arguments: args }, index) => ({ name, args, ...(index === 0 && { thoughtSignature: secret }) })),
      results: turn.calls!.map(({ name }) => name),
    }),
    // One that is none of its own, which it knows as such, or it is Gemini 2.5.
    foreign: ({ calls, results }: Body) => calls.every(({ thoughtSignature: signature }: Body) => typeof signature === 'string') && results.length === calls.length,
    events({ secret, turn: { text, calls = [] } }) {
      const part = (parts: object[], finishReason?: string): object => ({ candidates: [{ index: 0, content: { role: 'model', parts }, ...(finishReason && { finishReason }) }] });
      const all = calls.map(({ name, arguments: args }, index) => ({ functionCall: { name, args }, ...(index === 0 && { thoughtSignature: secret }) }));
      return [part([{ text: 'Hm.', thought: true }]), part([{ text }]), ...(all.length > 0 ? [part(all.slice(0, -1)), part(all.slice(-1))] : []), part([{ text: '' }], 'STOP')];
    },
    refusal: { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Function call is missing a thought_signature in functionCall parts.' } },
  },
  google: extendedOpenai({
    call: ({ secret }, index) => (index === 0 ? { extra_content: { google: { thought_signature: secret } } } : {}),
    foreign: ({ calls: [first, ...others] }) => first.extra_content?.google?.thought_signature === 'skip_thought_signature_validator' && others.every((call: Body) => !call.extra_content),
    refusal: 'Function call is missing a thought_signature in functionCall parts.',
  }),
  // https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
  anthropic: {
    kind: 'ANTHROPIC',
    path: '',
    turns: ({ messages }) => messages.map(({ content }: Body) => content).filter((content: Body) => Array.isArray(content) && content.some(({ type }: Body) => type === 'tool_use')).map((content: Body) => content.map(({ id: _id, ...block }: Body) => block)),
    wanted: ({ secret, turn: { text, calls } }) => [
      { type: 'thinking', thinking: 'Let me see. 你好', signature: secret },
      { type: 'text', text },
      { type: 'redacted_thinking', data: secret },
      ...calls!.map(({ name, arguments: input }) => ({ type: 'tool_use', name, input })),
    ],
    foreign: (content: Body) => content.every(({ type }: Body) => type === 'text' || type === 'tool_use'),
    events: ({ secret, turn: { text, calls = [] } }) => [
      { type: 'message_start', message: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 7, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
      ...halves('Let me see. 你好').map((thinking) => ({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking } })),
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: secret } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      ...halves(text).map((half) => ({ type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: half } })),
      { type: 'content_block_stop', index: 1 },
      { type: 'content_block_start', index: 2, content_block: { type: 'redacted_thinking', data: secret } },
      { type: 'content_block_stop', index: 2 },
      ...calls.flatMap(({ name, arguments: args }, index) => [
        { type: 'content_block_start', index: index + 3, content_block: { type: 'tool_use', id: idOf(index), name, input: {} } },
        ...halves(JSON.stringify(args)).map((half) => ({ type: 'content_block_delta', index: index + 3, delta: { type: 'input_json_delta', partial_json: half } })),
        { type: 'content_block_stop', index: index + 3 },
      ]),
      { type: 'message_delta', delta: { stop_reason: calls.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
      { type: 'message_stop' },
    ],
    refusal: { type: 'error', error: { type: 'invalid_request_error', message: '`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.' } },
  },
  // https://api-docs.deepseek.com/guides/thinking_mode#tool-calls
  deepseek: extendedOpenai({
    message: ({ secret }) => ({ reasoning_content: `用户想要 😀 ${secret}` }),
    // A pair of surrogates in two pieces.
    pieces: ({ secret }) => [{ reasoning_content: '' }, { reasoning_content: '用户想要 \uD83D' }, { reasoning_content: `\uDE00 ${secret}` }],
    // Reported of V4: of a turn of another model, too, and not empty.
    foreign: ({ reasoning_content: reasoning, ...turn }) => reasoning && hasNothingMore(turn),
    refusal: 'The `reasoning_content` in the thinking mode must be passed back to the API.',
  }),
  // https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
  openrouter: extendedOpenai({
    // What is encrypted names the call that it belongs to.
    hasIds: true,
    message: ({ secret }) => ({ reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'f', text: 'Let me see.', signature: secret }, { type: 'reasoning.encrypted', index: 1, id: idOf(0), data: secret }] }),
    pieces: ({ secret }) => [
      { reasoning: 'Let me', reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'f', text: 'Let me' }] },
      { reasoning: ' see.', reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'f', text: ' see.', signature: null }] },
      { reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'f', signature: secret }, { type: 'reasoning.encrypted', index: 1, id: idOf(0), data: secret }] },
    ],
    foreign: hasNothingMore,
    refusal: 'Reasoning is missing.',
  }),
};
