// Where sentences begin and end, in prose and in what is extracted from files: wrapped lines, headings, lists, tables.
// Intl.Segmenter knows the marks of all scripts; this file mends what it cannot know: abbreviations, initials, lines.

/** A range of the original text in UTF-16 code units, end exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The sentences of a text in order, without the white space around them; headings and list items count as sentences. */
export function sentences(text: string): Range[] {
  const found: Range[] = [];
  for (const block of blocks(text)) {
    if (!/\S/.test(text.slice(block.start, block.end))) continue;
    // A line break inside a block is only a wrapped line; as a space it has the same length and ends no sentence.
    const line = text.slice(block.start, block.end).replace(/[\r\n\u2028\u2029\v\f\x85]/g, ' ');
    for (const sentence of split(line)) found.push({ start: block.start + sentence.start, end: block.start + sentence.end });
  }
  return found;
}

// ICU's time grows faster than the text when it holds no end of a sentence.
const longestSegment = 20_000;
const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

function* split(line: string): Generator<Range> {
  let start = 0;
  for (const end of ends(line)) {
    if (end < line.length && !isEnd(line, start, end)) continue;
    const range = trim(line, start, end);
    if (range.start < range.end) yield range;
    start = end;
  }
}

/** Every place where a sentence may end, in order. */
function ends(line: string): number[] {
  const found = new Set<number>([line.length]);
  for (let from = 0; from < line.length; from += longestSegment) {
    const part = line.slice(from, from + longestSegment);
    for (const { index } of segmenter.segment(part)) if (index > 0) found.add(from + index);
    for (const stop of part.matchAll(missedStop)) found.add(from + stop.index + stop[0].length);
  }
  return [...found].sort((a, b) => a - b);
}

// "flow . an" in tokenised lower-case text, where ICU waits for a capital; and "deep.[citation needed] Rivers".
const missedStop = /(?<=\p{L}) [.] +(?=\p{L})|[.!?。]\s?\[[^[\]]{1,60}\] +/gu;

/** Titles and references, which are followed by a capital or a number and never end a sentence. */
const beforeNames = new Set(`
mr mrs ms dr prof rev hon st mt ft gen col maj capt lt sgt cmdr gov sen rep pres messrs mme mlle m
vs v fig figs eq eqs ref refs no nos nr vol vols ch chap sec sect art pp p ed eds approx ca cf e.g i.e viz
hr fr frl dipl-ing ing bzw z.b d.h u.a o.ä s.o s.u vgl abb kap bd sog evtl ggf inkl
sr sra sta dra srta núm pág av bvd bd art
`.trim().split(/\s+/));
/** Words that may also be the last of a sentence: they end it only if what follows looks like a beginning. */
const beforeMore = new Set(`
jr sr inc ltd co corp bros dept est univ jan feb mar apr jun jul aug sep sept oct nov dec etc al usw u.s u.k u.n d.c a.m p.m
`.trim().split(/\s+/));
/** What often begins a sentence and is rarely a name or the second half of one. */
const beginnings = new Set(`
the a an this that these those it he she they we i you in on at by for from with as after before but and however when while
although there its his her their our my if since during under until another other some many most one
`.trim().split(/\s+/));

function isEnd(line: string, start: number, end: number): boolean {
  const before = line.slice(Math.max(start, end - 60), end).trimEnd();
  const after = line.slice(end, end + 40);
  // "[citation needed]" behind the point (ICU leaves its bracket here), and "Why?" she asked.
  if (/[[(（]$/.test(before) || /^\s*\[[^\]]*\]/.test(after) || (/[?!]["'”’»)]+$/.test(before) && /^\s*\p{Ll}/u.test(after))) return false;
  // "issues?q=open": only scripts without spaces go on right behind the mark.
  if (/[!-~]$/.test(line.slice(start, end)) && /^[!-~\p{L}]/u.test(after) && !unspaced.test(after.slice(0, 2))) return false;
  if (!before.endsWith('.')) return true;
  const last = /([\p{L}\p{N}][\p{L}\p{N}.-]*)\.$/u.exec(before)?.[1];
  if (last === undefined) return true;
  const next = /[\p{L}\p{N}]+/u.exec(after)?.[0] ?? '';
  const word = last.toLowerCase();
  if (beforeNames.has(word)) return false;
  // "J. Smith", "J.R.R. Tolkien", "U.S. Navy", "v. Chr." against "vitamin C. The" and "the U.S. The".
  const isInitial = /^(?:\p{L}\.)*\p{L}$/u.test(last);
  if (isInitial || beforeMore.has(word)) return beginnings.has(next.toLowerCase()) && next !== 'I';
  // "am 3. Oktober", "im 19. Jahrhundert": in German a point after a number makes it an ordinal.
  if (/^\d{1,2}$/.test(last) && germanOrdinal.test(after)) return false;
  // The number of a list item belongs to its text.
  return !(/^(?:\d{1,3}|[a-zA-Z])\.$/.test(line.slice(start, end).trim()));
}

const unspaced = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}]/u;
const germanOrdinal =
  /^\s*(?:Jan|Feb|März|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Jahrhundert|Jahrtausend|Auflage|Platz|Lebensjahr|Geburtstag|Weltkrieg|Klasse|Tag)/;

function trim(text: string, start: number, end: number): Range {
  while (start < end && /\s/.test(text[start] ?? '')) start++;
  while (end > start && /\s/.test(text[end - 1] ?? '')) end--;
  return { start, end };
}

/** Stretches of lines that belong together: paragraphs, headings, list items, table rows. */
function* blocks(text: string): Generator<Range> {
  let start = 0;
  let previous: string | undefined;
  for (const match of text.matchAll(/([^\n\r\v\f\x85\u2028\u2029]*)(?:\r\n|[\n\r\v\f\x85\u2028\u2029]|$)/g)) {
    const line = match[1] ?? '';
    if (previous !== undefined && !continues(previous, line)) {
      yield { start, end: match.index };
      start = match.index;
    }
    previous = line;
    if (match.index + match[0].length >= text.length) break;
  }
  if (start < text.length) yield { start, end: text.length };
}

const item = /^\s*(?:[-*+•◦▪‣·–—]\s|#{1,6}\s|>|\||(?:\d{1,3}|[a-zA-Z])[.)]\s|\[\d+\]|```|~~~)/;
const heading = /^\s*#{1,6}\s|^\s*(?:={3,}|-{3,}|\*{3,})\s*$|\|\s*$/;
const closing = /[.!?。！？…:：;；]["'”’»)\]]*\s*$/;

/** Whether a line goes on with the sentence of the one before it. */
function continues(previous: string, line: string): boolean {
  if (previous.trim() === '' || line.trim() === '') return false;
  if (item.test(line) || heading.test(previous) || heading.test(line)) return false;
  if (closing.test(previous)) return false;
  if (/^\s*\p{Ll}/u.test(line)) return true;
  // Short lines are headings, addresses or verse; long ones were wrapped by the page.
  const width = previous.trim().length;
  return unspaced.test(previous) ? width >= 20 : width >= 45;
}
