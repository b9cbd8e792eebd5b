// Anthropic's Messages API.
import { ChatAnthropic } from '@langchain/anthropic';
import type { AIMessage, AIMessageChunk } from '@langchain/core/messages';
import type { ChatGenerationChunk } from '@langchain/core/outputs';
import { z } from 'zod';
import type { ProviderAdapter } from './provider.ts';
import { changed, repeatingState, tellingState, type StateCollector } from './turn-state.ts';

export const anthropic: ProviderAdapter = {
  kind: 'ANTHROPIC',
  description: "Anthropic's Messages API.",
  usualUrl: 'https://api.anthropic.com',
  needsKey: true,
  chat: (model, { temperature, maxOutputTokens }, { baseUrl, apiKey, fetch }) =>
    new Messages({
      model,
      apiKey,
      anthropicApiUrl: baseUrl,
      // Its client would print what it cannot read.
      clientOptions: { fetch: fetch as never, logLevel: 'off' },
      // Its scale ends at 1.
      ...(withoutTemperature.test(model) ? {} : { temperature: Math.min(temperature, 1) }),
      maxTokens: maxOutputTokens,
      streamUsage: true,
      maxRetries: 0,
    }),
};

/** Models that refuse a temperature. */
const withoutTemperature = /^claude-(?:opus-4-[7-9]|[a-z]+-(?:[5-9]|preview)\b)/;

class Messages extends ChatAnthropic {
  override _streamResponseChunks(...[messages, ...rest]: Parameters<ChatAnthropic['_streamResponseChunks']>): AsyncGenerator<ChatGenerationChunk> {
    return tellingState(this.counted(super._streamResponseChunks(repeatingState(messages, turn, withThoughts), ...rest)), thoughts());
  }

  /** Each of its reports counts the answer from its beginning, where those of others say what is new. */
  private async *counted(chunks: AsyncIterable<ChatGenerationChunk>): AsyncGenerator<ChatGenerationChunk> {
    let before = 0;
    for await (const chunk of chunks) {
      const { usage_metadata: usage } = chunk.message as AIMessageChunk;
      if (usage) {
        const fresh = Math.max(0, usage.output_tokens - before);
        before += fresh;
        Object.assign(usage, { output_tokens: fresh, total_tokens: usage.input_tokens + fresh });
      }
      yield chunk;
    }
  }
}

/** The thoughts of a turn, as they are to be repeated, and between them how many UTF-16 units of its text. */
const turn = z.array(z.union([z.int(), z.looseObject({ type: z.enum(['thinking', 'redacted_thinking']) })]));
type Turn = z.output<typeof turn>;

/** The thoughts and the text in their order, then the calls, which LangChain appends: a thought that is missing or elsewhere is refused. */
function withThoughts(message: AIMessage, parts: Turn): AIMessage {
  let rest = message.text;
  const content: { type: string }[] = [];
  const say = (text: string): void => {
    rest = rest.slice(text.length);
    if (text.trim() !== '') content.push({ type: 'text', text } as { type: string });
  };
  for (const part of parts) {
    if (typeof part === 'number') say(rest.slice(0, part));
    else content.push(part);
  }
  say(rest);
  return changed(message, { content: content as AIMessage['content'] });
}

/** Puts thoughts together again from the pieces in which they are streamed. */
function thoughts(): StateCollector {
  const blocks = new Map<unknown, Turn[number]>();
  return {
    add({ content }) {
      for (const { index, ...piece } of Array.isArray(content) ? content : []) {
        const block = blocks.get(index);
        if (piece.type === 'text') blocks.set(index, ((block as number | undefined) ?? 0) + ((piece['text'] as string | undefined) ?? '').length);
        else if (piece.type === 'thinking' || piece.type === 'redacted_thinking') blocks.set(index, appended(block as Record<string, unknown> | undefined, piece) as Turn[number]);
      }
    },
    state: () => ([...blocks.values()].some((block) => typeof block === 'object') ? [...blocks.values()] : null),
  };
}

function appended(block: Readonly<Record<string, unknown>> = {}, piece: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const whole = { ...block, ...piece };
  for (const field of ['thinking', 'signature']) {
    if (field in whole) whole[field] = `${(block[field] as string | undefined) ?? ''}${(piece[field] as string | undefined) ?? ''}`;
  }
  return whole;
}
