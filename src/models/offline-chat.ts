// The chat model that needs no network: it answers by quoting the passages that the last message brings as data.
// It never reads the prompt, so nothing written in a document or a system prompt can steer it.

import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import { BaseChatModel, type BaseChatModelCallOptions } from '@langchain/core/language_models/chat_models';
import { AIMessageChunk, type BaseMessage, type UsageMetadata } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import { countTokens } from '../text/counts.ts';
import { composeAnswer, type Passage } from './answer.ts';

/** What the last human message may carry in `additional_kwargs`: the passages, and the question where it is not the content. */
interface OfflineInput {
  readonly passages?: readonly Passage[];
  readonly question?: string;
}

/** Streams an extractive answer word by word; stops between two words when `options.signal` aborts, or at the token limit. */
export class OfflineChatModel extends BaseChatModel {
  readonly maxOutputTokens: number;

  constructor(fields: { readonly maxOutputTokens?: number } = {}) {
    super({});
    this.maxOutputTokens = fields.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  }

  override _llmType(): string {
    return 'offline-extractive';
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: BaseChatModelCallOptions,
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    options.signal?.throwIfAborted();
    const { question, passages } = readInput(messages);
    const { text } = composeAnswer(question, passages);
    const tokens = { input: messages.reduce((sum, message) => sum + countTokens(message.text), 0), output: 0 };
    let finish: 'stop' | 'length' = 'stop';
    for (const [piece] of text.matchAll(pieces)) {
      // Other work, an abort among it, gets its turn before each word.
      await new Promise(setImmediate);
      options.signal?.throwIfAborted();
      const length = countTokens(piece);
      if (tokens.output + length > this.maxOutputTokens) {
        finish = 'length';
        break;
      }
      tokens.output += length;
      const chunk = new ChatGenerationChunk({ text: piece, message: new AIMessageChunk({ content: piece }) });
      yield chunk;
      await run?.handleLLMNewToken(piece, undefined, undefined, undefined, undefined, { chunk });
    }
    const usage: UsageMetadata = {
      input_tokens: tokens.input,
      output_tokens: tokens.output,
      total_tokens: tokens.input + tokens.output,
    };
    yield new ChatGenerationChunk({
      text: '',
      message: new AIMessageChunk({ content: '', usage_metadata: usage, response_metadata: { finish_reason: finish } }),
    });
  }

  override async _generate(messages: BaseMessage[], options: BaseChatModelCallOptions, run?: CallbackManagerForLLMRun): Promise<ChatResult> {
    let whole: ChatGenerationChunk | undefined;
    for await (const chunk of this._streamResponseChunks(messages, options, run)) whole = whole?.concat(chunk) ?? chunk;
    return { generations: whole === undefined ? [] : [whole] };
  }
}

/** A word with the space before it; single characters where words are not spaced. */
const pieces = /\s*(?:[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]\p{M}*|(?:(?![\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}])\S)+|$)/gu;

function readInput(messages: readonly BaseMessage[]): { question: string; passages: readonly Passage[] } {
  const last = messages.findLast((message) => message.type === 'human');
  const { passages, question } = (last?.additional_kwargs ?? {}) as OfflineInput;
  return {
    question: typeof question === 'string' ? question : (last?.text ?? ''),
    passages: Array.isArray(passages) ? passages.filter(isPassage) : [],
  };
}

function isPassage(value: unknown): value is Passage {
  return typeof value === 'object' && value !== null && 'n' in value && Number.isInteger(value.n) && 'text' in value && typeof value.text === 'string';
}
