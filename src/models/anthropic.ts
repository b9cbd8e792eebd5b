// Anthropic's Messages API.
import { ChatAnthropic } from '@langchain/anthropic';
import type { ProviderAdapter } from './provider.ts';

export const anthropic: ProviderAdapter = {
  kind: 'ANTHROPIC',
  description: "Anthropic's Messages API.",
  usualUrl: 'https://api.anthropic.com',
  needsKey: true,
  chat: (model, { temperature, maxOutputTokens }, { baseUrl, apiKey, fetch }) =>
    new ChatAnthropic({
      model,
      apiKey,
      anthropicApiUrl: baseUrl,
      // Its client would print what it cannot read.
      clientOptions: { fetch: fetch as never, logLevel: 'off' },
      // Its scale ends at 1.
      temperature: Math.min(temperature, 1),
      maxTokens: maxOutputTokens,
      streamUsage: true,
      maxRetries: 0,
    }),
};
