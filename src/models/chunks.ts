// What the chunks of all vendors say beside text, where LangChain leaves each vendor's own words.
import type { AIMessageChunk } from '@langchain/core/messages';

/** Why an answer ended. LENGTH: at its token limit; FILTERED: the vendor withheld the rest because of its content. */
export type Finish = 'STOP' | 'LENGTH' | 'TOOL_CALLS' | 'FILTERED';

/** Why the answer ends with this chunk; null for chunks that are followed by others, and where the vendor itself has failed. */
export function finishOf(chunk: AIMessageChunk): Finish | null {
  const facts: Readonly<Record<string, unknown>> = { ...chunk.additional_kwargs, ...chunk.response_metadata };
  // OpenAI, Anthropic, Gemini.
  const reason = facts['finish_reason'] ?? facts['stop_reason'] ?? facts['finishReason'];
  if (typeof reason !== 'string' || reason === '') return null;
  const word = reason.toLowerCase();
  return Object.hasOwn(reasons, word) ? (reasons[word] as Finish | null) : 'STOP';
}

/** What vendors call it; whatever else they say is an ordinary end. */
const reasons: Readonly<Record<string, Finish | null>> = {
  length: 'LENGTH',
  model_length: 'LENGTH',
  max_tokens: 'LENGTH',
  model_context_window_exceeded: 'LENGTH',
  tool_calls: 'TOOL_CALLS',
  tool_use: 'TOOL_CALLS',
  function_call: 'TOOL_CALLS',
  content_filter: 'FILTERED',
  refusal: 'FILTERED',
  safety: 'FILTERED',
  recitation: 'FILTERED',
  blocklist: 'FILTERED',
  prohibited_content: 'FILTERED',
  spii: 'FILTERED',
  language: 'FILTERED',
  image_safety: 'FILTERED',
  // Of OpenRouter and Mistral, vLLM, DeepSeek; of Gemini.
  error: null,
  abort: null,
  insufficient_system_resource: null,
  malformed_function_call: null,
  unexpected_tool_call: null,
  too_many_tool_calls: null,
  finish_reason_unspecified: null,
  other: null,
};

/** The piece of the model's reasoning in this chunk; empty for most. */
export function reasoningOf(chunk: AIMessageChunk): string {
  const { content, additional_kwargs: more } = chunk;
  if (Array.isArray(content)) {
    // Anthropic and Gemini put it between the text.
    return content.map((part) => (part.type === 'thinking' && typeof part['thinking'] === 'string' ? part['thinking'] : '')).join('');
  }
  const reasoning = more['reasoning_content'];
  return typeof reasoning === 'string' ? reasoning : '';
}
