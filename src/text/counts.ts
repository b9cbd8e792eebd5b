// How long a text is: in words for people, in tokens for models.

import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base';

/** The number of words; scripts without spaces are counted by dictionary. */
export function wordCount(text: string): number {
  let count = 0;
  for (const [word] of text.matchAll(/[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}]|['’](?=\p{L}))*/gu)) {
    if (!unspaced.test(word)) count++;
    else for (let from = 0; from < word.length; from += 1_000) count += segments(word.slice(from, from + 1_000));
  }
  return count;
}

const unspaced = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]/u;
const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

function segments(run: string): number {
  let count = 0;
  for (const part of segmenter.segment(run)) if (part.isWordLike) count++;
  return count;
}

/** The number of o200k tokens (GPT-4o and later; for other models an estimate), in time that grows with the length only. */
export function countTokens(text: string): number {
  let count = 0;
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, start);
    // Text of a user may spell a model's control tokens; it is text all the same.
    count += countO200k(text.slice(start, end), ordinaryText);
    start = end;
  }
  return count;
}

const ordinaryText = { disallowedSpecial: new Set<string>() };
const pieceLength = 2_048;
// Byte pairs are merged in quadratic time within one word: a run without a break is counted in short pieces.
const unbrokenLength = 512;

function pieceEnd(text: string, start: number): number {
  if (start + unbrokenLength >= text.length) return text.length;
  let end = 0;
  let exact = 0;
  let last = 0;
  for (const gap of text.slice(start, start + pieceLength).matchAll(/(?<=\S)\s+(?=\S)/g)) {
    if (gap.index - last > unbrokenLength || gap[0].length > unbrokenLength) break;
    last = gap.index + gap[0].length;
    end = last - 1;
    // A space belongs to the word behind it, so this cut changes no token.
    if (gap[0] === ' ' && /\p{L}/u.test(text[start + last] ?? '')) exact = end;
  }
  end = exact || end || unbrokenLength;
  return /[\ud800-\udbff]/.test(text[start + end - 1] ?? '') ? start + end + 1 : start + end;
}
