// Anthropic's Messages API.
import { ChatAnthropic } from '@langchain/anthropic';
import type { AIMessageChunk } from '@langchain/core/messages';
import type { ChatGenerationChunk } from '@langchain/core/outputs';
import type { ProviderAdapter } from './provider.ts';

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

/** Each of its reports counts the answer from its beginning, where those of others say what is new. */
class Messages extends ChatAnthropic {
  override async *_streamResponseChunks(...args: Parameters<ChatAnthropic['_streamResponseChunks']>): AsyncGenerator<ChatGenerationChunk> {
    let before = 0;
    for await (const chunk of super._streamResponseChunks(...args)) {
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
