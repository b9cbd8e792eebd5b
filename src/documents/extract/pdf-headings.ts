// The headings of a PDF: its bookmarks where they can be found in the text, else the lines set in larger type.
import type { Heading } from './extracted.ts';
import type { Composed, PlacedLine } from './pdf-text.ts';

/** An entry of the outline; `top` is the height on the page that it points to, where it points to one. */
export interface Bookmark {
  readonly level: number;
  readonly title: string;
  readonly page: number;
  readonly top: number | null;
}

/** The headings in the order of the text. */
export function headingsOf(composed: Composed, bookmarks: readonly Bookmark[]): Heading[] {
  const found = bookmarks.flatMap((bookmark) => locate(composed, bookmark) ?? []);
  const headings = found.length > 0 ? found : headingsBySize(composed.lines);
  return headings.toSorted((one, other) => one.start - other.start);
}

/** The line with the bookmark's words nearest to where it points, or else the first line below that point. */
function locate({ lines }: Composed, { level, title, page, top }: Bookmark): Heading | null {
  const onPage = pageLines(lines, page);
  const wanted = letters(title);
  let best: { line: PlacedLine; distance: number } | null = null;
  for (const [index, line] of onPage.entries()) {
    const text = letters(line.text);
    const whole = text.length >= wanted.length ? text : text + letters(onPage[index + 1]?.text ?? '');
    if (wanted === '' || !whole.includes(wanted) || !sharesStart(text, wanted)) continue;
    // A line that is the title and nothing else is a likelier heading than one that mentions it.
    const distance = (top === null ? 0 : Math.abs(line.across - top)) + (whole.length - wanted.length) * 2;
    if (best === null || distance < best.distance) best = { line, distance };
  }
  if (best !== null) return { level, title, start: best.line.offset };
  if (top === null) return null;
  const below = onPage.find((line) => line.angle === 0 && line.across <= top + line.size * 0.2);
  return below ? { level, title, start: below.offset } : null;
}

/** The title begins on this line, at most after a number. */
function sharesStart(line: string, title: string): boolean {
  const at = line.indexOf(title.slice(0, Math.min(title.length, 12)));
  return at >= 0 ? at <= 8 : title.startsWith(line) && line.length >= 4;
}

const letters = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');

function pageLines(lines: readonly PlacedLine[], page: number): readonly PlacedLine[] {
  let from = 0;
  let to = lines.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (lines[middle]!.page < page) from = middle + 1;
    else to = middle;
  }
  let end = from;
  while (lines[end]?.page === page) end += 1;
  return lines.slice(from, end);
}

/** Short lines in type clearly larger than the body's; larger type is an outer level. Nothing when large type is no exception. */
function headingsBySize(lines: readonly PlacedLine[]): Heading[] {
  const weights = new Map<number, number>();
  let all = 0;
  for (const { size, text } of lines) {
    weights.set(half(size), (weights.get(half(size)) ?? 0) + text.length);
    all += text.length;
  }
  const body = [...weights].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
  const large = lines.filter(({ size, text, angle }) => half(size) >= body * 1.15 && angle === 0 && text.length <= 150 && /\p{L}{2}/u.test(text));
  if (large.reduce((sum, { text }) => sum + text.length, 0) > all * 0.15) return [];
  const sizes = [...new Set(large.map(({ size }) => half(size)))].toSorted((one, other) => other - one).slice(0, 6);
  const headings: Heading[] = [];
  let last: PlacedLine | null = null;
  for (const line of large) {
    const level = sizes.indexOf(half(line.size)) + 1;
    if (level === 0) continue;
    const before = headings.at(-1);
    const goesOn = last !== null && last.page === line.page && half(last.size) === half(line.size)
      && last.across - line.across > 0 && last.across - line.across < line.size * 1.8;
    if (goesOn && before) headings[headings.length - 1] = { ...before, title: `${before.title} ${line.text}` };
    else headings.push({ level, title: line.text, start: line.offset });
    last = line;
  }
  return headings.filter(({ title }) => title.length <= 200).map((heading) => ({ ...heading, title: heading.title.replace(/\s+/g, ' ') }));
}

/** Sizes to half a point: the same type is often set with a hair's difference. */
const half = (size: number): number => Math.round(size * 2) / 2;
