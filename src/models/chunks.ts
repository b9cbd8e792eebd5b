// temporary: replaced by the one of the vendors
import type { AIMessageChunk } from '@langchain/core/messages';

export type Finish = 'STOP' | 'LENGTH' | 'TOOL_CALLS' | 'FILTERED';

export function finishOf(chunk: AIMessageChunk): Finish | null {
  const meta = { ...chunk.additional_kwargs, ...chunk.response_metadata } as Record<string, unknown>;
  const reason = meta['finish_reason'] ?? meta['stop_reason'] ?? meta['finishReason'];
  if (typeof reason !== 'string' || reason === '') return null;
  if (/length|max_tokens/i.test(reason)) return 'LENGTH';
  if (/tool/i.test(reason)) return 'TOOL_CALLS';
  if (/filter|safety|refusal/i.test(reason)) return 'FILTERED';
  return 'STOP';
}

export function reasoningOf(chunk: AIMessageChunk): string {
  const text = chunk.additional_kwargs['reasoning_content'];
  return typeof text === 'string' ? text : '';
}
