// An utterance as words with their places in the text, and phrases that are looked up in them. Everything here takes time in
// proportion to the length of the text: no pattern backtracks, and phrases have a greatest length.

import { respelled } from './spelling.ts';

/** A word as the rules compare it, and where it stands (UTF-16 offsets, end exclusive). */
export interface Word {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** From one word to another, end exclusive. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

// A possessive 's is a word of its own (john's → john, 's), so that names and days are met as such; don't, o'clock, to-do, 5:30 and 2026-03-15 stay whole.
const wordPattern = /#?[\p{L}\p{M}\p{N}]+(?:(?:[.:/_&-]|['’](?![sS](?![\p{L}\p{N}])))[\p{L}\p{M}\p{N}]+)*|['’][sS](?![\p{L}\p{N}])|\S/gu;

/** The words of a text in order, lower-cased, with straight apostrophes, and without slips in the words that decide. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const match of text.matchAll(wordPattern)) {
    words.push({ word: respelled(match[0].toLowerCase().replaceAll('’', "'")), start: match.index, end: match.index + match[0].length });
  }
  return words;
}

/** Whether a word is a mark rather than a word: punctuation, an emoji, a lone apostrophe. */
export function isMark(word: string | undefined): boolean {
  return word !== undefined && !/[\p{L}\p{N}]/u.test(word);
}

/** A set of phrases, separated by line breaks or commas, that is asked where one of them begins. */
export class Phrases {
  readonly #byFirst = new Map<string, string[][]>();

  constructor(...lists: string[]) {
    for (const phrase of lists.join(',').split(/[,\n]/)) {
      const parts = phrase.trim().split(/\s+/);
      const first = parts[0] as string;
      if (first) this.#byFirst.set(first, [...(this.#byFirst.get(first) ?? []), parts].sort((a, b) => b.length - a.length));
    }
  }

  /** The number of words of the longest phrase that begins at a word; 0 when none does. */
  at(words: readonly Word[], index: number): number {
    const first = words[index]?.word;
    if (first === undefined) return 0;
    const found = this.#byFirst.get(first)?.find((parts) => parts.every((part, offset) => words[index + offset]?.word === part));
    return found?.length ?? 0;
  }

  /** Whether a phrase of one word is in the set. */
  has(word: string | undefined): boolean {
    return word !== undefined && (this.#byFirst.get(word)?.some((parts) => parts.length === 1) ?? false);
  }

  /** The first place where one of the phrases begins, within a range; -1 when there is none. */
  find(words: readonly Word[], from = 0, to = words.length): number {
    for (let index = from; index < to; index++) if (this.at(words, index) > 0) return index;
    return -1;
  }
}
