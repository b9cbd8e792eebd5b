// A text to chunks: what is embedded, searched and cited. A chunk is always a range of the stored text, lies on one page
// and ends where the text itself pauses: at best with a section, else with a paragraph, a sentence, a word.
import { countTokens } from '../text/counts.ts';
import { hasWord } from './extract/characters.ts';
import type { Extracted } from './extract/extracted.ts';
import { piecesOf, type Piece } from './pieces.ts';
import { sectionsOf, type Section } from './sections.ts';

/** Sizes in tokens. `chunkSize` counts as at least 16; of `chunkOverlap`, whole sentences up to half a chunk are repeated. */
export interface ChunkOptions {
  readonly chunkSize: number;
  readonly chunkOverlap: number;
}

/** `text` is the stored text from `start` to `end` (UTF-16 code units, end exclusive). */
export interface Chunk {
  /** 0, 1, 2 … in the order of the text. */
  readonly ordinal: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Null for formats without pages. */
  readonly page: number | null;
  /** Titles of the headings above, outermost first. */
  readonly headingPath: readonly string[];
  readonly tokenCount: number;
}

/** The chunks of a document: in order, none without a word, none above `chunkSize`, together holding every word. */
export function chunk({ text, pages, headings }: Pick<Extracted, 'text' | 'pages' | 'headings'>, options: ChunkOptions): Chunk[] {
  const size = Math.max(smallestSize, Math.floor(options.chunkSize));
  const overlap = Math.min(Math.max(0, Math.floor(options.chunkOverlap)), Math.floor(size / 2));
  const chunks: Chunk[] = [];
  for (const { page, path, pieces } of groupsOf(text, sectionsOf(text, pages, headings), size)) {
    for (const range of pack(text, pieces, size, overlap)) {
      chunks.push({ ordinal: chunks.length, text: text.slice(range.start, range.end), ...range, page, headingPath: path });
    }
  }
  return chunks;
}

const smallestSize = 16;

/** Sections that are cut together. */
interface Group {
  readonly page: number | null;
  path: readonly string[];
  readonly pieces: Piece[];
  tokens: number;
  /** So far nothing but a heading: what follows says what the chunk is about. */
  titleOnly: boolean;
}

/** A section of a line or two joins the next one of the same parent, so that a list of headings is not a list of chunks. */
function* groupsOf(text: string, sections: Iterable<Section>, size: number): Generator<Group> {
  const short = Math.min(64, size / 4);
  let group: Group | null = null;
  for (const { start, end, page, path } of sections) {
    const pieces = piecesOf(text, start, end, size);
    if (pieces.length === 0) continue;
    const tokens = pieces.reduce((sum, piece) => sum + piece.tokens, 0);
    const titleOnly = text.slice(start, end).trim().length <= (path.at(-1)?.length ?? 0) + 12;
    // A heading with nothing below it belongs to its first subsection, however long that is.
    const joins = group !== null && group.page === page && areNear(group.path, path)
      && ((group.titleOnly && path.length > group.path.length) || (group.tokens < short && group.tokens + tokens <= size));
    if (group !== null && joins) {
      group.path = group.titleOnly && path.length > group.path.length ? path : common(group.path, path);
      group.pieces.push(...pieces);
      group.tokens += tokens;
      group.titleOnly &&= titleOnly;
      continue;
    }
    if (group !== null) yield group;
    group = { page, path, pieces, tokens, titleOnly };
  }
  if (group !== null) yield group;
}

/** Parent and child, or children of one parent. */
function areNear(one: readonly string[], other: readonly string[]): boolean {
  return common(one, other).length >= Math.max(one.length, other.length) - 1;
}

function common(one: readonly string[], other: readonly string[]): readonly string[] {
  const differs = one.findIndex((title, index) => title !== other[index]);
  return differs < 0 ? one : one.slice(0, differs);
}

interface Packed {
  readonly start: number;
  readonly end: number;
  readonly tokenCount: number;
}

/** Fills chunks with whole pieces. Every piece is looked at a bounded number of times, so the time grows with the text only. */
function* pack(text: string, pieces: readonly Piece[], size: number, overlap: number): Generator<Packed> {
  let first = 0;
  let fresh = 0;
  let before = { start: -1, end: -1 };
  let rest = pieces.reduce((sum, { tokens }) => sum + tokens, 0);
  while (fresh < pieces.length) {
    let last = chooseEnd(pieces, first, fresh, rest, size);
    let packed = trimmed(text, pieces[first]!.start, pieces[last - 1]!.end);
    // Joined pieces seldom count more tokens than apart; where they do, what is repeated goes first, then the last piece.
    while (packed !== null && packed.tokenCount > size && last - first > 1) {
      if (first < fresh) first = fresh;
      else last -= 1;
      packed = trimmed(text, pieces[first]!.start, pieces[last - 1]!.end);
    }
    // A chunk before that began with white space alone began here, too: then nothing is repeated.
    if (packed !== null && packed.start <= before.start) packed = trimmed(text, pieces[fresh]!.start, pieces[last - 1]!.end);
    // Behind what is repeated there may be white space alone.
    if (packed !== null && packed.end > before.end) yield (before = packed);
    for (; fresh < last; fresh += 1) rest -= pieces[fresh]!.tokens;
    first = overlapStart(pieces, first, fresh, overlap, size);
  }
}

/** The end (exclusive) of the chunk: as much as fits, or less for a better place and for chunks of even size. */
function chooseEnd(pieces: readonly Piece[], first: number, fresh: number, rest: number, size: number): number {
  let sum = 0;
  for (let index = first; index < fresh; index += 1) sum += pieces[index]!.tokens;
  const room = size - sum;
  const wanted = sum + rest / Math.ceil(rest / Math.max(room, 1));
  let best = fresh + 1;
  let bestScore = -Infinity;
  for (let index = fresh; index < pieces.length; index += 1) {
    const piece = pieces[index]!;
    sum += piece.tokens;
    if (sum > size && index > fresh) break;
    const score = pauses[piece.endsWith] - Math.abs(sum - wanted) / size;
    if (index === pieces.length - 1) return pieces.length;
    if (score >= bestScore) [best, bestScore] = [index + 1, score];
    if (piece.endsWith === 'break') return index + 1;
  }
  return best;
}

/** How much a place is worth as an end, in parts of a chunk's size. */
const pauses: Readonly<Record<Piece['endsWith'], number>> = { break: 0.6, paragraph: 0.35, sentence: 0.2, word: 0 };

/** As many whole pieces before `fresh` as the overlap and the next piece leave room for, but never the whole chunk before. */
function overlapStart(pieces: readonly Piece[], before: number, fresh: number, overlap: number, size: number): number {
  const next = pieces[fresh];
  if (!next) return fresh;
  let first = fresh;
  let sum = 0;
  while (first - 1 > before && pieces[first - 1]!.endsWith !== 'break') {
    sum += pieces[first - 1]!.tokens;
    if (sum > overlap || sum + next.tokens > size) break;
    first -= 1;
  }
  return first;
}

/** The range without white space at its ends; null when no word is in it. */
function trimmed(text: string, from: number, to: number): Packed | null {
  const slice = text.slice(from, to);
  if (!hasWord(slice)) return null;
  const start = from + slice.length - slice.trimStart().length;
  const end = from + slice.trimEnd().length;
  return { start, end, tokenCount: countTokens(text.slice(start, end)) };
}
