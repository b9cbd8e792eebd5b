// The one tokeniser of index and query: whatever is stored as a term is asked for as the same term.
// NFKC, lower case, no accents, Unicode words, English and Arabic stems without stop words, and character pairs where
// a script has no spaces (dictionary words for Thai and its neighbours).
// Offsets always point into the string that was given, because highlights and citations are cut from it.

import { stemArabic } from './arabic.ts';
import { stem } from './porter.ts';
import { isStopWord } from './stop-words.ts';

/** An index term and the range of the original text it stands for: UTF-16 code units, end exclusive. */
export interface Token {
  readonly term: string;
  readonly start: number;
  readonly end: number;
}

/** Longer words (encoded data, mostly) are cut into terms of this many code units: an index row has a size limit. */
export const maxTermLength = 64;

/** The terms of a text in the order of their start; never throws, and every term is well-formed Unicode. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const word of words(text)) {
    if (isStopWord(word.term)) continue;
    const term = stemArabic(stem(word.term));
    tokens.push(term === word.term ? word : { term, start: word.start, end: word.end });
  }
  return tokens;
}

/** As `tokenize`, but before stop words are dropped and stems are taken. */
export function words(text: string): Token[] {
  const found: Token[] = [];
  // White space neither composes nor decomposes with its neighbours, so each piece can be normalised alone.
  for (const piece of text.matchAll(/\S+/g)) {
    for (const match of normalise(piece[0], piece.index)) cut(match, found);
  }
  return found;
}

/** A normalised stretch of text; the code unit i of `text` comes from `starts[i]`..`ends[i]` of the original, or from `origin + i`. */
interface Normalised {
  readonly text: string;
  readonly origin: number;
  readonly starts?: readonly number[];
  readonly ends?: readonly number[];
}

const ascii = /^[\0-\x7f]*$/;
// Clusters are what composes under NFKC: a character with the marks behind it, Hangul letters among each other, half-width voiced
// sound marks; and invisible characters (soft hyphen, joiners), which go with the character before them.
const cluster = /[\uac00-\ud7a3]?[\u1100-\u11ff\uffa0-\uffdc]+\p{M}*|[^](?:[\p{M}\p{Default_Ignorable_Code_Point}\uff9e\uff9f])*/gu;
const ignorable = /[\p{Default_Ignorable_Code_Point}\u0640]/gu;
const word = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;

function* normalise(piece: string, origin: number): Generator<Normalised> {
  if (ascii.test(piece)) {
    for (const match of piece.matchAll(/[A-Za-z0-9]+/g)) yield { text: match[0].toLowerCase(), origin: origin + match.index };
    return;
  }
  const whole = fold(piece);
  if (whole.length === piece.length && piece.toLowerCase() === whole) {
    for (const match of whole.matchAll(word)) yield { text: match[0], origin: origin + match.index };
    return;
  }
  const starts: number[] = [];
  const ends: number[] = [];
  let text = '';
  for (const match of piece.matchAll(cluster)) {
    const folded = fold(match[0]);
    text += folded;
    for (let unit = 0; unit < folded.length; unit++) {
      starts.push(origin + match.index);
      ends.push(origin + match.index + match[0].length);
    }
  }
  for (const match of text.matchAll(word)) {
    const end = match.index + match[0].length;
    yield { text: match[0], origin, starts: starts.slice(match.index, end), ends: ends.slice(match.index, end) };
  }
}

// Accents are often left out when people type a question. In other scripts marks are vowels and must stay.
const accents = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]/g;

/** NFKC, lower case, one form of sigma and sharp s, without accents, invisible characters and the Arabic stretching mark. */
function fold(text: string): string {
  const folded = text.normalize('NFKC').toLowerCase().normalize('NFKD').replace(accents, '').replace(ignorable, '');
  return folded.normalize('NFKC').replaceAll('ς', 'σ').replaceAll('ß', 'ss');
}

const unspaced = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Bopo}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]/u;
const runs = new RegExp(
  '(?<pairs>[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Hang}\\p{scx=Bopo}]+)' +
  '|(?<dictionary>[\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}]+)' +
  '|[^\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Hang}\\p{scx=Bopo}\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}]+', 'gu');
const dictionary = new Intl.Segmenter('th', { granularity: 'word' });

function cut(from: Normalised, found: Token[]): void {
  if (!unspaced.test(from.text)) return whole(from, 0, from.text, found);
  for (const run of from.text.matchAll(runs)) {
    if (run.groups?.['pairs'] !== undefined) pairs(from, run.index, run[0], found);
    else if (run.groups?.['dictionary'] !== undefined) {
      for (const part of dictionary.segment(run[0])) whole(from, run.index + part.index, part.segment, found);
    } else whole(from, run.index, run[0], found);
  }
}

function whole(from: Normalised, at: number, text: string, found: Token[]): void {
  if (text.length <= maxTermLength) return add(from, at, text, found);
  let part = '';
  for (const character of text) {
    if (part.length + character.length > maxTermLength) {
      add(from, at, part, found);
      at += part.length;
      part = '';
    }
    part += character;
  }
  add(from, at, part, found);
}

function pairs(from: Normalised, at: number, text: string, found: Token[]): void {
  const characters = text.match(/[^]\p{M}{0,7}/gu) ?? [text];
  const first = characters[0] ?? '';
  if (characters.length === 1) return whole(from, at, first, found);
  let left = first;
  for (const right of characters.slice(1)) {
    add(from, at, left + right, found);
    at += left.length;
    left = right;
  }
}

function add(from: Normalised, at: number, text: string, found: Token[]): void {
  // A mark whose letter stayed on the other side of a cut says nothing.
  const term = text.charCodeAt(0) < 0x300 ? text : text.replace(/^\p{M}+/u, '');
  if (term === '') return;
  at += text.length - term.length;
  const last = at + term.length - 1;
  found.push({
    term,
    start: from.starts?.[at] ?? from.origin + at,
    end: from.ends?.[last] ?? from.origin + last + 1,
  });
}
