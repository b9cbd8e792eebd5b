// What the chunks of all vendors say beside text, where LangChain leaves each vendor's own words.
import type { AIMessageChunk } from '@langchain/core/messages';

/** Why an answer ended. LENGTH: at its token limit; FILTERED: the vendor withheld the rest because of its content. */
export type Finish = 'STOP' | 'LENGTH' | 'TOOL_CALLS' | 'FILTERED';

/** Why the answer ends with this chunk; null for chunks that are followed by others. */
export function finishOf(chunk: AIMessageChunk): Finish | null {
  const facts: Readonly<Record<string, unknown>> = { ...chunk.additional_kwargs, ...chunk.response_metadata };
  // OpenAI, Anthropic, Gemini.
  const reason = facts['finish_reason'] ?? facts['stop_reason'] ?? facts['finishReason'];
  if (typeof reason !== 'string' || reason === '') return null;
  return reasons[reason.toLowerCase()] ?? 'STOP';
}

/** What vendors call it; whatever else they say is an ordinary end. */
const reasons: Readonly<Record<string, Finish>> = {
  length: 'LENGTH',
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
