// One question to a chat model: its tokens as they come, from the first of several models that answers.
//
// A model is asked again while nothing of its answer was shown; after that only another model can go on, from the beginning,
// and whoever shows the text hears of it first.
import type { ToolDefinition } from '@langchain/core/language_models/base';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { AIMessageChunk, BaseMessage, UsageMetadata } from '@langchain/core/messages';
import type { ErrorCode } from '../platform/errors.ts';
import { countTokens } from '../text/counts.ts';
import { limitTime, persist, type Call, type CallEnd, type CalledModel, type CallParts, type Outcome } from './calls.ts';
import { finishOf, reasoningOf } from './chunks.ts';
import { failureRules, FilteredError, ModelNotConfiguredError, NoAnswerError, ProviderError } from './failures.ts';
import type { ChatOptions, ModelInfo } from './provider.ts';
import { createTextGate } from './stored-text.ts';
import { createToolCallPieces, type RequestedCall } from './tool-calls.ts';
import { statesFor, stateTold, type TurnState } from './turn-state.ts';

export type { RequestedCall };

/** What is asked of the first of `modelIds` that answers. */
export interface ChatRequest {
  readonly modelIds: readonly [string, ...string[]];
  readonly options: ChatOptions;
  readonly messages: readonly BaseMessage[];
  readonly tools?: readonly ToolDefinition[];
  readonly signal: AbortSignal;
}

/** What happens meanwhile, in order. Called synchronously; must not throw. */
export interface ChatHooks {
  text(piece: string): void;
  reasoning(piece: string): void;
  /** A call has ended, or was not made because the circuit is open. The call that an abort ends is not told. */
  attempt(attempt: ModelAttempt): void;
  /** What a call used; also of one that failed after it had begun to answer. */
  usage(usage: ModelUsage): void;
  /** Another model begins in place of one that failed: what was shown since the question is void. */
  fellBack(change: { readonly from: string; readonly to: string; readonly errorCode: ErrorCode }): void;
}

/** One call of a model. */
export interface ModelAttempt {
  readonly modelId: string;
  /** The how-manieth call of this model, from 1. */
  readonly attempt: number;
  readonly succeeded: boolean;
  readonly errorCode: ErrorCode | null;
  readonly durationMs: number;
  readonly isFallback: boolean;
}

/** Tokens and US dollars; `estimated` where the provider did not report the tokens and they were counted here. */
export interface ModelUsage {
  readonly modelId: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly costUsd: number;
  readonly estimated: boolean;
}

/** The complete answer. */
export interface ChatAnswer {
  readonly modelId: string;
  readonly text: string;
  readonly toolCalls: readonly RequestedCall[];
  /** LENGTH: the answer was cut at its token limit. */
  readonly finish: 'STOP' | 'LENGTH' | 'TOOL_CALLS';
  /** What the model wants back with the results of its calls, see `repeatedWith`. */
  readonly state?: TurnState;
}

/** A model with what is needed to call and account for it. */
export interface AskedModel extends CalledModel {
  readonly info: ModelInfo | undefined;
  /** The same for calls of the same model at the same place. */
  readonly identity: string;
  /** Throws where it is unknown or cannot be used. */
  open(): BaseChatModel;
}

/** Asks; rejects with the signal's reason when it aborts, or with ProviderError when no model answered. */
export async function ask(models: readonly [AskedModel, ...AskedModel[]], request: Omit<ChatRequest, 'modelIds'>, hooks: ChatHooks, parts: CallParts): Promise<ChatAnswer> {
  let calls = 0;
  const counted: ChatHooks = {
    ...hooks,
    attempt(attempt) {
      if (attempt.errorCode !== 'CIRCUIT_OPEN') calls++;
      hooks.attempt(attempt);
    },
  };
  for (const [index, model] of models.entries()) {
    const outcome = await askOne(model, index > 0, request, counted, parts);
    if ('value' in outcome) return outcome.value;
    request.signal.throwIfAborted();
    const { failure, cause } = outcome;
    const next = models[index + 1];
    if (!next || !failureRules[failure.code].fallsBack) {
      throw new ProviderError(failure, { providerId: model.info?.providerId ?? model.id.split(':')[0] ?? '', attempts: calls, cause });
    }
    parts.metrics.modelFallbacks.inc({ from: model.label, to: next.label, reason: failure.code });
    hooks.fellBack({ from: model.id, to: next.id, errorCode: failure.code });
  }
  throw new Error('There was no model to ask.');
}

function askOne(model: AskedModel, isFallback: boolean, request: Omit<ChatRequest, 'modelIds'>, hooks: ChatHooks, parts: CallParts): Promise<Outcome<ChatAnswer>> {
  let shown = false;
  return persist(model, parts, {
    signal: request.signal,
    mayRepeat: () => !shown,
    onEnd: ({ attempt, errorCode, durationMs }: CallEnd) =>
      hooks.attempt({ modelId: model.id, attempt, succeeded: errorCode === null, errorCode, durationMs, isFallback }),
    call: (call) => callOnce(model, request, {
      ...hooks,
      text(piece) {
        shown = true;
        hooks.text(piece);
      },
      reasoning(piece) {
        shown = true;
        hooks.reasoning(piece);
      },
    }, parts, call),
  });
}

/** One request, from its sending to the end of its answer. */
async function callOnce(model: AskedModel, request: Omit<ChatRequest, 'modelIds'>, hooks: ChatHooks, { limits, metrics }: CallParts, { answered }: Call): Promise<ChatAnswer> {
  const start = performance.now();
  const time = limitTime(limits.firstTokenMs, request.signal);
  const gates = { text: createTextGate(), reasoning: createTextGate() };
  const requested = createToolCallPieces();
  let text = '';
  let reasoning = '';
  let begun = false;
  let finish = null as ReturnType<typeof finishOf>;
  let reported = null as Tokens | null;
  let state: string | undefined;
  const say = (piece: string): void => {
    if (piece === '') return;
    text += piece;
    hooks.text(piece);
  };
  const think = (piece: string): void => {
    if (piece === '') return;
    reasoning += piece;
    hooks.reasoning(piece);
  };
  try {
    const stream = await time.race(open(model, request).stream(statesFor(model.identity, request.messages), { signal: time.signal }));
    const chunks = (stream as AsyncIterable<AIMessageChunk>)[Symbol.asyncIterator]();
    for (let next = await time.race(chunks.next()); next.done !== true; next = await time.race(chunks.next())) {
      const chunk = next.value;
      if (!begun && isPiece(chunk)) {
        begun = true;
        answered();
        metrics.modelFirstToken.observe({ model: model.label }, (performance.now() - start) / 1000);
      }
      if (begun) time.extend(limits.silenceMs);
      think(gates.reasoning.pass(reasoningOf(chunk)));
      say(gates.text.pass(chunk.text));
      if (chunk.tool_call_chunks) requested.add(chunk.tool_call_chunks);
      finish = finishOf(chunk) ?? finish;
      state = stateTold(chunk) ?? state;
      if (chunk.usage_metadata) reported = addTokens(reported, chunk.usage_metadata);
    }
    think(gates.reasoning.end());
    say(gates.text.end());
    if (finish === 'FILTERED') throw new FilteredError('The answer was withheld.');
    if (finish === null) throw new NoAnswerError('The stream ended before the answer did.');
    if (!begun) throw new NoAnswerError('The answer is empty.');
    const toolCalls = requested.calls();
    report(true);
    return {
      modelId: model.id,
      text,
      toolCalls,
      finish: toolCalls.length > 0 && finish === 'STOP' ? 'TOOL_CALLS' : finish,
      ...(toolCalls.length > 0 && state !== undefined && { state: { model: model.identity, data: state } }),
    };
  } catch (error) {
    // Half an answer was paid for, too.
    if (begun) report(false);
    throw time.signal.aborted ? time.signal.reason : error;
  } finally {
    time.end();
  }

  function report(isComplete: boolean): void {
    const usage = usageOf(model, request, { reported, isComplete, said: `${reasoning}${text}${requested.text()}` });
    const { label } = model;
    metrics.modelTokens.inc({ model: label, direction: 'in' }, usage.inputTokens);
    metrics.modelTokens.inc({ model: label, direction: 'out' }, usage.outputTokens);
    metrics.modelCost.inc({ model: label }, usage.costUsd);
    hooks.usage(usage);
  }
}

/** Whether the chunk brings something of the answer, and not only that it may begin. */
function isPiece(chunk: AIMessageChunk): boolean {
  return chunk.text !== '' || reasoningOf(chunk) !== '' || (chunk.tool_call_chunks?.length ?? 0) > 0;
}

function open(model: AskedModel, { tools = [] }: Omit<ChatRequest, 'modelIds'>): Pick<BaseChatModel, 'stream'> {
  const opened = model.open();
  if (tools.length === 0) return opened;
  if (!opened.bindTools) throw new ModelNotConfiguredError(model.id, `The model "${model.id}" takes no tools. Choose another one.`);
  return opened.bindTools([...tools]) as unknown as Pick<BaseChatModel, 'stream'>;
}

interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
}

/** Providers that report in several pieces report what is new in each. */
function addTokens(before: Tokens | null, { input_tokens: input, output_tokens: output, input_token_details: details }: UsageMetadata): Tokens {
  return { input: (before?.input ?? 0) + input, output: (before?.output ?? 0) + output, cached: (before?.cached ?? 0) + (details?.cache_read ?? 0) };
}

interface Said {
  readonly reported: Tokens | null;
  /** False for an answer that was broken off, of which a report, if there is one, does not tell all. */
  readonly isComplete: boolean;
  /** All that the model wrote. */
  readonly said: string;
}

function usageOf({ id, info }: AskedModel, { messages, tools = [] }: Omit<ChatRequest, 'modelIds'>, { reported, isComplete, said }: Said): ModelUsage {
  // Some servers report zeros.
  const isReported = isComplete && reported !== null && reported.input > 0 && reported.output > 0;
  const inputTokens = reported?.input || countTokens([...messages.map((message) => message.text), ...tools.map((tool) => JSON.stringify(tool))].join('\n'));
  const outputTokens = isReported ? reported.output : Math.max(reported?.output ?? 0, countTokens(said));
  return {
    modelId: id,
    inputTokens,
    outputTokens,
    cachedTokens: reported?.cached ?? 0,
    costUsd: (inputTokens * (info?.inputPricePerMillion ?? 0) + outputTokens * (info?.outputPricePerMillion ?? 0)) / 1e6,
    estimated: !isReported,
  };
}
