// Running text out of the lines of PDF pages: lines that were broken only because the column ended are joined again, words
// that were divided there too; everything else keeps its line, and paragraphs are set apart by an empty one.
import { hasWord } from './characters.ts';
import type { PageStart } from './extracted.ts';
import { isIdeographic, type Line } from './pdf-lines.ts';

/** A line with its place in the composed text. */
export interface PlacedLine extends Line {
  readonly page: number;
  readonly offset: number;
}

/** The text of all pages; pages are parted by an empty line. */
export interface Composed {
  readonly text: string;
  readonly pages: readonly PageStart[];
  readonly lines: readonly PlacedLine[];
}

/** Composes the lines of all pages, the first of which has number 1. */
export function compose(pages: readonly (readonly Line[])[]): Composed {
  const known = knownWords(pages);
  const parts: string[] = [];
  const starts: PageStart[] = [];
  const placed: PlacedLine[] = [];
  let length = 0;
  const put = (text: string) => {
    parts.push(text);
    length += text.length;
  };
  pages.forEach((lines, index) => {
    const page = index + 1;
    if (lines.length > 0 && length > 0) put('\n\n');
    starts.push({ page, start: length });
    const blocks = blocksOf(lines);
    lines.forEach((line, at) => {
      placed.push({ ...line, page, offset: length });
      const next = lines[at + 1];
      const joint = next ? jointOf(line, next, lines[at + 2], blocks, known) : '';
      if (joint === 'divided') put(line.text.replace(/[-\u2010]$/, ''));
      else put(line.text + joint);
    });
  });
  return { text: parts.join(''), pages: starts, lines: placed };
}

/** Lines of one size and pitch that stand below each other; `flows` when enough of them were broken for want of room. */
interface Block {
  left: number;
  right: number;
  pitch: number;
  flows: boolean;
  readonly lines: Line[];
}

function blocksOf(lines: readonly Line[]): ReadonlyMap<Line, Block> {
  const blocks = new Map<Line, Block>();
  let last: Line | null = null;
  let block: Block | null = null;
  for (const line of lines) {
    if (last !== null && block !== null && belongs(block, last, line)) {
      block.pitch = Math.min(block.pitch, last.across - line.across);
      block.left = Math.min(block.left, line.start);
      block.right = Math.max(block.right, line.end);
      block.lines.push(line);
    } else block = { left: line.start, right: line.end, pitch: Infinity, flows: false, lines: [line] };
    blocks.set(line, block);
    last = line;
  }
  for (const found of new Set(blocks.values())) {
    const full = found.lines.filter((line, index) => isFull(line, found.lines[index + 1], found)).length;
    found.flows = full * 3 >= found.lines.length - 1;
  }
  return blocks;
}

function belongs(block: Block, last: Line, line: Line): boolean {
  const pitch = last.across - line.across;
  const size = Math.max(last.size, line.size);
  return Math.abs(last.angle - line.angle) < 0.05
    && Math.min(last.size, line.size) > size * 0.93
    && pitch > size * 0.3 && pitch < Math.min(size * 2.2, block.pitch * 1.3 + 0.5)
    && line.start < block.right && line.end > block.left;
}

type Joint = '' | ' ' | '\n' | '\n\n' | 'divided';

function jointOf(line: Line, next: Line, after: Line | undefined, blocks: ReadonlyMap<Line, Block>, known: ReadonlySet<string>): Joint {
  const block = blocks.get(line)!;
  if (blocks.get(next) !== block) {
    // A sentence may go on in the next column.
    const goesOn = !endsInLeader(line.text) && block.lines.length > 1 && block.flows && isFull(line, next, block) && !/[.!?:。]["”’)]?$/.test(line.text)
      && /^\p{Ll}/u.test(next.text) && Math.abs(line.size - next.size) < 0.5;
    return goesOn ? joined(line, next, known) : '\n\n';
  }
  if (isListItem(next.text) || endsInLeader(line.text)) return '\n';
  if (isIndented(line, next, after, blocks)) return '\n\n';
  return block.flows && isAligned(next, block) && isFull(line, next, block) ? joined(line, next, known) : '\n';
}

/** A line is full when the first word of the next would not have fitted any more. */
function isFull(line: Line, next: Line | undefined, block: Block): boolean {
  if (!next) return false;
  const word = isIdeographic(next.text[0]) ? 1 : /^\S+/.exec(next.text)?.[0].length ?? 1;
  const perCharacter = (next.end - next.start) / Math.max(next.text.length, 1);
  const room = isRightToLeft(line.text) ? line.start - block.left : block.right - line.end;
  return room < (word + 1) * perCharacter;
}

/** A line that goes on begins at the edge of its block; centred lines do not. */
function isAligned(next: Line, block: Block): boolean {
  const slack = next.size * 0.7;
  return isRightToLeft(next.text) ? block.right - next.end < slack : next.start - block.left < slack;
}

const isRightToLeft = (text: string): boolean => /^[^\p{L}]*[\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}\p{sc=Thaana}]/u.test(text);

function isIndented(line: Line, next: Line, after: Line | undefined, blocks: ReadonlyMap<Line, Block>): boolean {
  const inward = next.size * 0.8;
  if (next.start - line.start < inward) return false;
  return after !== undefined && blocks.get(after) === blocks.get(next) ? next.start - after.start >= inward : /[.!?:。]["”’)]?$/.test(line.text);
}

const isListItem = (text: string): boolean => /^(?:[•◦▪●○■–—*·‣-]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s/.test(text);

/** Dots that lead to a page number, as in a table of contents. */
const endsInLeader = (text: string): boolean => /(?:\.\s?){4,}\s*[\divxlc]+$/i.test(text);

function joined(line: Line, next: Line, known: ReadonlySet<string>): Joint {
  const divided = /(\p{L}+)[-\u2010]$/u.exec(line.text);
  const rest = /^\p{L}+/u.exec(next.text)?.[0];
  if (divided && rest) {
    if (!/^\p{Ll}/u.test(rest)) return '';
    const whole = `${divided[1]}${rest}`.toLowerCase();
    // "well-" and "known" stay "well-known" where the document writes it so elsewhere.
    return !known.has(whole) && known.has(`${divided[1]}-${rest}`.toLowerCase()) ? '' : 'divided';
  }
  if (/[\p{L}\p{N}][-\u2010]$/u.test(line.text) && hasWord(next.text[0] ?? '')) return '';
  return isIdeographic(line.text.at(-1)) && isIdeographic(next.text[0]) ? '' : ' ';
}

/** Every word of the document, simple or with hyphens, in lower case; only asked about words that a line end divides. */
function knownWords(pages: readonly (readonly Line[])[]): ReadonlySet<string> {
  const words = new Set<string>();
  for (const { text } of pages.flat()) {
    for (const [word] of text.matchAll(/\p{L}+(?:-\p{L}+)*/gu)) words.add(word.toLowerCase());
  }
  return words;
}
