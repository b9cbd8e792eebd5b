// The tools that a model wants called, put together from the pieces in which their names and arguments are streamed.
import { randomUUID } from 'node:crypto';
import type { ToolCallChunk } from '@langchain/core/messages/tool';
import { storable, storableJson } from './stored-text.ts';

/** A tool that the model wants called. Its arguments are not validated; where they are no JSON object, they are `invalid`, as written. */
export interface RequestedCall {
  /** Of the model, or one of ours where it gave none or the same twice. */
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>> | null;
  readonly invalid: string | null;
}

export interface ToolCallPieces {
  add(pieces: readonly ToolCallChunk[]): void;
  /** All that was said so far, as text, for counting. */
  text(): string;
  calls(): RequestedCall[];
}

/** Says for the pieces of one answer, one after the other, to which of its calls each belongs, from 0. */
export function createCallCounter(): (piece: Pick<ToolCallChunk, 'index' | 'id' | 'name'>) => number {
  const calls: { readonly index: number | undefined; id: string }[] = [];
  return ({ index, id, name }) => {
    // Without an index a piece that is named begins a call, and any other continues the last one.
    let at = index === undefined ? (name || id ? -1 : calls.length - 1) : calls.findLastIndex((call) => call.index === index);
    // Some servers number all calls alike.
    const known = calls[at]?.id;
    if (at < 0 || (id && known && id !== known)) at = calls.push({ index, id: '' }) - 1;
    calls[at]!.id ||= id ?? '';
    return at;
  };
}

/** Joins by concatenation once, at the end: LangChain's chunks parse everything again with each piece. */
export function createToolCallPieces(): ToolCallPieces {
  const open: { id: string; name: string; readonly parts: string[] }[] = [];
  const numberOf = createCallCounter();

  return {
    add(pieces) {
      for (const piece of pieces) {
        const call = (open[numberOf(piece)] ??= { id: '', name: '', parts: [] });
        call.id ||= piece.id ?? '';
        // Some servers repeat the name with each piece.
        call.name ||= piece.name ?? '';
        if (piece.args) call.parts.push(piece.args);
      }
    },
    text: () => open.map(({ name, parts }) => name + parts.join('')).join('\n'),
    calls() {
      const taken = new Set<string>();
      return open.map(({ id: given, name, parts }) => {
        const id = given !== '' && !taken.has(given) ? given : `call_${randomUUID()}`;
        taken.add(id);
        return { id: storable(id), name: storable(name), ...readArguments(parts.join('')) };
      });
    },
  };
}

/** A tool without parameters is called with nothing at all by some models. */
function readArguments(text: string): Pick<RequestedCall, 'arguments' | 'invalid'> {
  try {
    const value: unknown = text.trim() === '' ? {} : JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { arguments: storableJson(value) as Record<string, unknown>, invalid: null };
  } catch {
    // The caller shows the model what it wrote.
  }
  return { arguments: null, invalid: storable(text) };
}
