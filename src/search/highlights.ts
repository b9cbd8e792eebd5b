// Which words of a passage answer the question: where its terms stand, by the tokeniser that indexed them.
import { tokenize } from '../text/tokenise.ts';

/** A range of a text in UTF-16 code units, end exclusive. */
export interface Highlight {
  readonly startOffset: number;
  readonly endOffset: number;
}

/** Where the terms stand in the text, in order; ranges that touch or overlap are one. */
export function highlights(text: string, terms: ReadonlySet<string>): Highlight[] {
  const found: { startOffset: number; endOffset: number }[] = [];
  for (const { term, start, end } of tokenize(text)) {
    if (!terms.has(term)) continue;
    const last = found.at(-1);
    if (last && start <= last.endOffset) last.endOffset = Math.max(last.endOffset, end);
    else found.push({ startOffset: start, endOffset: end });
  }
  return found;
}
