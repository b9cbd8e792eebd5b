// The pieces that chunks are put together from: sentences, and parts of sentences where one is longer than a chunk.
import { countTokens } from '../text/counts.ts';
import { sentences } from '../text/sentences.ts';
import { hasWord } from './extract/characters.ts';

/** A range of the text with the white space behind it; pieces follow each other without a gap except after a 'break'. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  /** What ends here; nothing may be joined across a 'break'. */
  readonly endsWith: 'break' | 'paragraph' | 'sentence' | 'word';
}

/** The pieces of a range of the text, none above `size` tokens; long runs without a word (rules, drawings) are left out. */
export function piecesOf(text: string, start: number, end: number, size: number): Piece[] {
  const pieces: Piece[] = [];
  // Searching a part of its own keeps every search within the range, and the time in proportion to it.
  const part = text.slice(start, end);
  for (const paragraph of paragraphsOf(part)) {
    for (const window of windowsOf(part, paragraph.start, paragraph.end)) {
      const ranges = sentences(part.slice(window.start, window.end));
      ranges.forEach((range, index) => {
        // White space between sentences belongs to the one before it, and before the first to that.
        const from = index === 0 ? window.start : window.start + range.start;
        const next = ranges[index + 1];
        const to = next ? window.start + next.start : window.end;
        const endsWith = to === paragraph.end ? 'paragraph' : to === window.end && !window.whole ? 'word' : 'sentence';
        addSentence(pieces, part, from, to, size, endsWith);
      });
    }
  }
  return pieces.map((piece, index) => {
    const gap = (pieces[index + 1]?.start ?? piece.end) - piece.end;
    return { ...piece, start: piece.start + start, end: piece.end + start, endsWith: gap > longestGap ? 'break' : piece.endsWith };
  });
}

interface Range {
  readonly start: number;
  readonly end: number;
}

const longestWordless = 64;
const longestGap = 200;

function addSentence(pieces: Piece[], text: string, start: number, end: number, size: number, endsWith: Piece['endsWith']): void {
  const sentence = text.slice(start, end);
  const tokens = countTokens(sentence);
  if (tokens > longestWordless && !hasWord(sentence)) {
    const before = pieces.pop();
    if (before) pieces.push({ ...before, endsWith: 'break' });
  } else if (tokens <= size * 0.9) {
    pieces.push({ start, end, tokens, endsWith });
  } else {
    divide(pieces, text, start, end, tokens, size, endsWith);
  }
}

/** Cuts what is longer than a chunk between words, and where there are none between characters, into parts of about two thirds of a chunk. */
function divide(pieces: Piece[], text: string, start: number, end: number, tokens: number, size: number, endsWith: Piece['endsWith']): void {
  let from = start;
  let perToken = Math.max((end - start) / tokens, 0.1);
  while (from < end) {
    let length = Math.max(1, Math.floor(size * 0.66 * perToken));
    let to = cutBefore(text, from, Math.min(from + length, end), end);
    let count = countTokens(text.slice(from, to));
    while (count > size * 0.9 && to - from > 2) {
      length = Math.max(1, Math.floor((to - from) / 2));
      to = cutBefore(text, from, from + length, end);
      count = countTokens(text.slice(from, to));
    }
    perToken = Math.max((to - from) / Math.max(count, 1), 0.1);
    pieces.push({ start: from, end: to, tokens: count, endsWith: to === end ? endsWith : 'word' });
    from = to;
  }
}

/** A place to cut at or shortly before `to`: after white space, else after a mark, else between two characters as they are seen. */
function cutBefore(text: string, from: number, to: number, end: number): number {
  if (to >= end) return end;
  const back = text.slice(Math.max(from, to - Math.min(200, Math.floor((to - from) / 2))), to);
  const space = /\s(?=\S*$)/.exec(back);
  if (space) return to - back.length + space.index + 1;
  const mark = /[,;:.!?、。，；/|)\]}](?=[^,;:.!?、。，；/|)\]}]*$)/.exec(back);
  if (mark) return to - back.length + mark.index + 1;
  return betweenCharacters(text, from, to);
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function betweenCharacters(text: string, from: number, to: number): number {
  const windowStart = Math.max(from, to - 64);
  const at = graphemes.segment(text.slice(windowStart, to + 64)).containing(to - windowStart);
  const cut = at ? windowStart + at.index : to;
  if (cut > from && !isInsidePair(text, cut)) return cut;
  // A single character as long as this (a letter under a tower of marks) is cut between its code points.
  return isInsidePair(text, to) ? to + 1 : to;
}

function isInsidePair(text: string, at: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
}

/** Paragraphs are parted by empty lines. */
function* paragraphsOf(text: string): Generator<Range> {
  let from = 0;
  let hasText = false;
  for (let line = 0; line < text.length;) {
    const lineEnd = (text.indexOf('\n', line) + 1) || text.length;
    const isEmpty = isBlank(text, line, lineEnd);
    if (isEmpty && hasText) yield { start: from, end: lineEnd };
    if (isEmpty) from = lineEnd;
    hasText = !isEmpty;
    line = lineEnd;
  }
  if (hasText) yield { start: from, end: text.length };
}

function isBlank(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) if (!/\s/.test(text[index]!)) return false;
  return true;
}

const windowLength = 16_000;

/** A paragraph as large as a book (data, a text without empty lines) is taken in windows that end with a line or a word. */
function* windowsOf(text: string, start: number, end: number): Generator<Range & { readonly whole: boolean }> {
  let from = start;
  while (end - from > windowLength) {
    const limit = from + windowLength;
    const line = from + text.slice(from, limit).lastIndexOf('\n') + 1;
    const to = line > from + windowLength / 2 ? line : cutBefore(text, from, limit, end);
    yield { start: from, end: to, whole: line === to };
    from = to;
  }
  if (from < end) yield { start: from, end, whole: true };
}
