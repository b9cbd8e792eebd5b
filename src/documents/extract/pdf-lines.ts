// Lines out of the placed pieces of a PDF page, in the order in which the page draws them. Pieces share a line when they
// share a baseline and go on where the last one ended; the distance between them tells whether a space was meant.
import { clean } from './characters.ts';

/** A line of text; `along` its writing direction, `across` that, in points of the page. Unrotated: `across` is the height of the baseline. */
export interface Line {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly across: number;
  readonly size: number;
  /** Direction of writing in radians, 0 for upright text from left to right. */
  readonly angle: number;
}

/** What pdf.js says of a piece; marked content, which has no `str`, is passed over. */
export interface TextItem {
  readonly str: string;
  readonly dir: string;
  readonly transform: readonly number[];
  readonly width: number;
  readonly height: number;
}

/** The lines of a page. */
export function linesOf(items: readonly (TextItem | object)[]): Line[] {
  const lines: Line[] = [];
  let pieces: Piece[] = [];
  let spaced = false;
  for (const item of items) {
    if (!('str' in item)) continue;
    // A control character stands for a glyph without a known letter, most often the space of a font.
    // eslint-disable-next-line no-control-regex -- see above
    const text = clean(item.str.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' '));
    if (text.trim() === '') {
      spaced ||= text !== '';
      continue;
    }
    const piece = placed(item, text, spaced || text.startsWith(' '));
    spaced = text.endsWith(' ');
    const last = pieces.at(-1);
    if (last && isShadow(last, piece)) continue;
    if (last && !continues(pieces, last, piece)) {
      lines.push(lineOf(pieces));
      pieces = [];
    }
    pieces.push(piece);
  }
  if (pieces.length > 0) lines.push(lineOf(pieces));
  return lines;
}

interface Piece extends Line {
  readonly rightToLeft: boolean;
  readonly spaced: boolean;
}

function placed(item: TextItem, text: string, spaced: boolean): Piece {
  const [a = 1, b = 0, c = 0, d = 1, x = 0, y = 0] = item.transform;
  const vertical = item.dir === 'ttb';
  const angle = vertical ? -Math.PI / 2 : Math.atan2(b, a);
  const start = x * Math.cos(angle) + y * Math.sin(angle);
  return {
    text: text.trim().replace(/\s+/g, ' '),
    start,
    end: start + (vertical ? item.height : item.width),
    across: y * Math.cos(angle) - x * Math.sin(angle),
    size: Math.hypot(c, d) || Math.hypot(a, b) || 1,
    angle,
    rightToLeft: item.dir === 'rtl',
    spaced,
  };
}

/** Bold and shadowed text is drawn twice, a hair's breadth apart. */
function isShadow(last: Piece, piece: Piece): boolean {
  return last.text === piece.text && Math.abs(last.start - piece.start) < piece.size * 0.1 && Math.abs(last.across - piece.across) < piece.size * 0.1;
}

function continues(pieces: readonly Piece[], last: Piece, piece: Piece): boolean {
  const size = Math.max(last.size, piece.size);
  if (Math.abs(last.angle - piece.angle) > 0.05) return false;
  // Half a line up or down is still the line: exponents, indices, marks of notes.
  if (Math.abs(pieces[0]!.across - piece.across) > size * 0.5 && Math.abs(last.across - piece.across) > size * 0.4) return false;
  if (piece.start - last.end > -size * 0.8) return true;
  return (piece.rightToLeft || last.rightToLeft) && piece.end - last.start < size * 0.8;
}

function lineOf(pieces: readonly Piece[]): Line {
  const ordered = readingOrder(pieces);
  const main = pieces.reduce((best, piece) => (piece.text.length > best.text.length ? piece : best));
  let text = '';
  let last: Piece | null = null;
  for (const piece of ordered) {
    if (last !== null) text += separator(last, piece);
    text += piece.text;
    last = piece;
  }
  return {
    text,
    start: pieces.reduce((least, { start }) => Math.min(least, start), Infinity),
    end: pieces.reduce((most, { end }) => Math.max(most, end), -Infinity),
    across: main.across,
    size: main.size,
    angle: main.angle,
  };
}

/** Lines written from right to left are read from the right; the left-to-right pieces within (numbers, names) keep their order. */
function readingOrder(pieces: readonly Piece[]): readonly Piece[] {
  const weight = pieces.reduce((sum, { rightToLeft, text }) => sum + (rightToLeft ? text.length : -text.length), 0);
  if (pieces.length === 1 || weight <= 0) return pieces;
  const ordered: Piece[] = [];
  let run: Piece[] = [];
  for (const piece of pieces.toSorted((one, other) => other.start - one.start)) {
    if (piece.rightToLeft) {
      ordered.push(...run.reverse(), piece);
      run = [];
    } else run.push(piece);
  }
  return [...ordered, ...run.reverse()];
}

function separator(last: Piece, piece: Piece): string {
  const size = Math.max(last.size, piece.size);
  const gap = piece.start >= last.start ? piece.start - last.end : last.start - piece.end;
  if (gap > size * 3) return '\t';
  if (piece.spaced) return ' ';
  const ideographs = isIdeographic(last.text.at(-1)) && isIdeographic(piece.text[0]);
  return gap > size * (ideographs ? 0.7 : 0.18) ? ' ' : '';
}

/** Whether a character belongs to a script that is written without spaces between words. */
export function isIdeographic(character: string | undefined): boolean {
  return character !== undefined && /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\u3000-\u303f\uff00-\uffef]/u.test(character);
}
