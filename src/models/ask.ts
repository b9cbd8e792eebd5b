// One question to a chat model: its tokens as they come, and what the call cost.
import type { BaseMessage, AIMessageChunk } from '@langchain/core/messages';
import type { ToolDefinition } from '@langchain/core/language_models/base';
import type { ErrorCode } from '../platform/errors.ts';
import { countTokens } from '../text/counts.ts';
import type { Models } from './catalog.ts';
import { classifyProviderError, ProviderError } from './failures.ts';
import type { ChatOptions, ModelInfo } from './provider.ts';

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
  /** A call has ended. */
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

/** A tool that the model wants called; `arguments` is as the model wrote it, not validated. */
export interface RequestedCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The complete answer. */
export interface ChatAnswer {
  readonly modelId: string;
  readonly text: string;
  readonly toolCalls: readonly RequestedCall[];
  /** LENGTH: the answer was cut at its token limit. */
  readonly finish: 'STOP' | 'LENGTH' | 'TOOL_CALLS';
}

/** Asks; rejects with the signal's reason when it aborts, or with ProviderError when no model answered. */
export async function ask(models: Models, { modelIds, options, messages, signal }: ChatRequest, hooks: ChatHooks): Promise<ChatAnswer> {
  const [modelId] = modelIds;
  const start = performance.now();
  const attempt = (succeeded: boolean, errorCode: ErrorCode | null): void =>
    hooks.attempt({ modelId, attempt: 1, succeeded, errorCode, durationMs: Math.round(performance.now() - start), isFallback: false });
  let text = '';
  try {
    let usage: AIMessageChunk['usage_metadata'];
    for await (const chunk of await models.chat(modelId, options).stream([...messages], { signal })) {
      if (chunk.text !== '') hooks.text(chunk.text);
      text += chunk.text;
      usage = (chunk as AIMessageChunk).usage_metadata ?? usage;
    }
    hooks.usage(usageOf(models.find(modelId), modelId, usage, messages, text));
    attempt(true, null);
    return { modelId, text, toolCalls: [], finish: 'STOP' };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const failure = classifyProviderError(error);
    attempt(false, failure.code);
    throw new ProviderError(failure, { providerId: models.find(modelId)?.providerId ?? '', attempts: 1, cause: error });
  }
}

function usageOf(model: ModelInfo | undefined, modelId: string, reported: AIMessageChunk['usage_metadata'], messages: readonly BaseMessage[], text: string): ModelUsage {
  const inputTokens = reported?.input_tokens ?? messages.reduce((sum, message) => sum + countTokens(message.text), 0);
  const outputTokens = reported?.output_tokens ?? countTokens(text);
  return {
    modelId,
    inputTokens,
    outputTokens,
    cachedTokens: reported?.input_token_details?.cache_read ?? 0,
    costUsd: (inputTokens * (model?.inputPricePerMillion ?? 0) + outputTokens * (model?.outputPricePerMillion ?? 0)) / 1e6,
    estimated: reported === undefined,
  };
}
