// OpenAI's Chat Completions and Embeddings, and every server that speaks them: Ollama, vLLM, LiteLLM and others.
import type { AIMessage } from '@langchain/core/messages';
import type { ChatGenerationChunk } from '@langchain/core/outputs';
import { ChatOpenAICompletions, OpenAIEmbeddings, type ChatOpenAIFields } from '@langchain/openai';
import { z } from 'zod';
import type { Connection, ProviderAdapter } from './provider.ts';
import { endpointReranker } from './rerank-endpoint.ts';
import { createCallCounter } from './tool-calls.ts';
import { stateOf, tellingState, type StateCollector } from './turn-state.ts';

/** Passages of one request. */
const embeddingBatch = 128;

export const openai: ProviderAdapter = {
  kind: 'OPENAI',
  description: "OpenAI's API.",
  usualUrl: 'https://api.openai.com/v1',
  needsKey: true,
  chat(model, { temperature, maxOutputTokens }, { baseUrl, apiKey, fetch }) {
    const fields: ChatOpenAIFields = {
      model,
      apiKey,
      configuration: { baseURL: baseUrl, fetch, logLevel: 'off' },
      // Reasoning models refuse a temperature.
      ...(/^(?:o\d|gpt-5)/.test(model) ? {} : { temperature }),
      maxTokens: maxOutputTokens,
      streamUsage: true,
      maxRetries: 0,
    };
    // Under every model's name: other servers know nothing of the Responses API.
    return new Completions(fields);
  },
  embeddings: openaiEmbeddings,
};

class Completions extends ChatOpenAICompletions {
  private readonly deltas = new WeakMap<object, Delta[0]>();

  override _streamResponseChunks(...[messages, options, ...rest]: Parameters<ChatOpenAICompletions['_streamResponseChunks']>): AsyncGenerator<ChatGenerationChunk> {
    const turns: Turns = new Map(messages.flatMap((message) => {
      const state = stateOf(message, turn);
      return state ? [[(message as AIMessage).tool_calls?.[0]?.id, state]] : [];
    }));
    return tellingState(super._streamResponseChunks(messages, { ...options, turns } as typeof options, ...rest), extensions((chunk) => this.deltas.get(chunk)));
  }

  override completionWithRetry(...[request, options]: any[]): any { // eslint-disable-line -- it has a signature for each kind of answer
    const { turns = new Map(), ...others } = (options ?? {}) as { turns?: Turns };
    return super.completionWithRetry({ ...request, messages: extended(request.messages, turns, otherTurn(this.model, this.clientConfig.baseURL ?? '', turns)) }, others);
  }

  /** Not every server says whose words it streams, and without a role LangChain drops all but the text; some call the reasoning otherwise. */
  protected override _convertCompletionsDeltaToBaseMessageChunk(...[delta, response, role]: Delta): ReturnType<ChatOpenAICompletions['_convertCompletionsDeltaToBaseMessageChunk']> {
    const reasoning = delta['reasoning_content'] ?? delta['reasoning'];
    const chunk = super._convertCompletionsDeltaToBaseMessageChunk(reasoning == null ? delta : { ...delta, reasoning_content: reasoning }, response, role ?? 'assistant');
    this.deltas.set(chunk, delta);
    return chunk;
  }
}
type Delta = Parameters<ChatOpenAICompletions['_convertCompletionsDeltaToBaseMessageChunk']>;

/**
 * What servers add to OpenAI's protocol and want back under the same name: the reasoning of a turn (DeepSeek, Kimi; OpenRouter), and
 * something of each call (Gemini). Reasoning that is called `reasoning` is not wanted: some that send it refuse it.
 */
const turn = z.object({
  message: z.object({ reasoning_content: z.string().optional(), reasoning_details: z.array(z.looseObject({})).optional() }),
  calls: z.array(z.object({ id: z.string(), extra_content: z.unknown().optional() })),
});
type Turn = z.output<typeof turn>;
/** By the ids of their first calls. */
type Turns = Map<string | undefined, Turn>;

interface WireMessage {
  readonly tool_calls?: readonly { readonly id: string }[];
  readonly tool_call_id?: string;
}

/**
 * What a turn goes with that this model did not take, or not think about. In a conversation in which they think, DeepSeek and Kimi
 * insist on reasoning that is not empty; Gemini takes this signature for none: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
 */
function otherTurn(model: string, baseUrl: string, turns: Turns): Turn {
  const wantsReasoning = /\b(?:deepseek|moonshot)\b/.test(baseUrl) || [...turns.values()].some(({ message }) => message.reasoning_content !== undefined);
  return {
    message: wantsReasoning ? { reasoning_content: ' ' } : {},
    calls: /\bgemini-[3-9]/.test(model) ? [{ id: '', extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } }] : [],
  };
}

/** The messages with what belongs to their turns. */
function extended(messages: readonly WireMessage[], turns: Turns, other: Turn): WireMessage[] {
  // Details of the reasoning name the calls that they belong to.
  const names = new Map<string, string>();
  return messages.map(({ tool_calls: calls, tool_call_id: id, ...message }) => {
    if (!calls) return { ...message, ...(id !== undefined && { tool_call_id: names.get(id) ?? id }) };
    const { message: more, calls: given } = turns.get(calls[0]?.id) ?? other;
    const tool_calls = calls.map((call, index) => {
      const { id: name, extra_content: extra } = given[index] ?? {};
      if (more.reasoning_details && name) names.set(call.id, name);
      return { ...call, id: names.get(call.id) ?? call.id, ...(extra != null && { extra_content: extra }) };
    });
    return { ...message, ...more, ...(more.reasoning_content === '' && other.message), tool_calls };
  });
}

/** Collects it from the deltas as they were sent. */
function extensions(deltaOf: (chunk: object) => Delta[0] | undefined): StateCollector {
  const message: Turn['message'] = {};
  const calls: Turn['calls'] = [];
  const numberOf = createCallCounter();
  return {
    add(chunk) {
      const { reasoning_content: reasoning, reasoning_details: details, tool_calls: pieces } = deltaOf(chunk) ?? {};
      if (typeof reasoning === 'string') message.reasoning_content = (message.reasoning_content ?? '') + reasoning;
      if (Array.isArray(details)) for (const detail of details) append((message.reasoning_details ??= []), detail);
      for (const { index, id, function: called, extra_content: extra } of pieces ?? []) {
        const call = (calls[numberOf({ index, id, name: called?.name })] ??= { id: '' });
        call.id ||= id ?? '';
        call.extra_content ??= extra;
      }
    },
    state: () => (Object.keys(message).length > 0 || calls.some(({ extra_content: extra }) => extra != null) ? { message, calls } : null),
  };
}

/** Pieces of the same text follow each other: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens */
function append(details: Record<string, unknown>[], piece: Record<string, unknown>): void {
  const last = details.at(-1);
  const field = { 'reasoning.text': 'text', 'reasoning.summary': 'summary' }[piece['type'] as string];
  if (!last || !field || last['type'] !== piece['type'] || last['index'] !== piece['index']) return void details.push(piece);
  for (const [name, value] of Object.entries(piece)) if (value != null) last[name] = name === field ? `${(last[name] as string | undefined) ?? ''}${value as string}` : value;
}

/** The client insists on a key, which servers of one's own do not look at. */
const noKey = 'none';

export const openaiCompatible: ProviderAdapter = {
  ...openai,
  kind: 'OPENAI_COMPATIBLE',
  description: "Any server that speaks OpenAI's protocol, at its own base URL.",
  usualUrl: null,
  needsKey: false,
  chat: (model, options, connection) => openai.chat(model, options, { ...connection, apiKey: connection.apiKey || noKey }),
  embeddings: (model, connection) => openaiEmbeddings(model, { ...connection, apiKey: connection.apiKey || noKey }),
  reranker: endpointReranker,
};

function openaiEmbeddings(model: string, { baseUrl, apiKey, fetch }: Connection): OpenAIEmbeddings {
  return new OpenAIEmbeddings({
    model,
    apiKey,
    configuration: { baseURL: baseUrl, fetch, logLevel: 'off' },
    batchSize: embeddingBatch,
    stripNewLines: false,
    encodingFormat: 'float',
    maxRetries: 0,
  });
}
