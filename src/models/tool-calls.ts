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

/** Joins by concatenation once, at the end: LangChain's chunks parse everything again with each piece. */
export function createToolCallPieces(): ToolCallPieces {
  interface Open {
    id: string;
    name: string;
    readonly index: number | undefined;
    readonly parts: string[];
  }
  const open: Open[] = [];

  function find({ index, id, name }: ToolCallChunk): Open {
    // Without an index a piece that is named begins a call, and any other continues the last one.
    const found = index === undefined ? (name || id ? undefined : open.at(-1)) : open.findLast((call) => call.index === index);
    // Some servers number all calls alike.
    if (found && !(id && found.id && id !== found.id)) return found;
    const call: Open = { id: '', name: '', index, parts: [] };
    open.push(call);
    return call;
  }

  return {
    add(pieces) {
      for (const piece of pieces) {
        const call = find(piece);
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
