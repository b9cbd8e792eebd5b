// Writes text out of markup: white space collapses, line ends are held back until something follows, table rows keep to
// one line while their cells do.
import { clean } from './characters.ts';
import { checkTextLength } from './extracted.ts';

/** A place in the text that is not known before the next character is written. */
export interface Mark {
  start: number | null;
  part: number;
}

/** A writer that collapses white space and holds back line ends, so that none is doubled and none stands at the ends of the text. */
export function createWriter() {
  const parts: string[] = [];
  let length = 0;
  let lineEnds = 0;
  let space = false;
  let prefix = '';
  let marks: Mark[] = [];
  const rows: { started: boolean; broken: boolean; cells: number; separator: string; fresh: boolean }[] = [];

  function emit(text: string): void {
    parts.push(text);
    length += text.length;
    checkTextLength(length);
  }

  /** Whatever was held back; true when the text that follows begins a line. */
  function flush(): boolean {
    const row = rows.at(-1);
    const separator = row?.separator ?? '';
    if (row) row.separator = '';
    const begins = length === 0 || lineEnds > 0;
    if (begins) {
      if (length > 0) emit('\n'.repeat(lineEnds));
      if (row?.started) row.broken = true;
      emit(prefix);
      prefix = '';
    }
    if (separator !== '') emit(begins ? separator.trimStart() : separator);
    else if (space && !begins) emit(' ');
    if (row) Object.assign(row, { started: true, fresh: false });
    lineEnds = 0;
    space = false;
    for (const mark of marks) Object.assign(mark, { start: length, part: parts.length });
    marks = [];
    return begins || separator !== '';
  }

  return {
    write(raw: string, verbatim = false): void {
      const text = clean(raw);
      if (verbatim) {
        const lines = text.replace(/^\n/, (end) => (lineEnds > 0 || length === 0 ? '' : end));
        if (lines === '') return;
        flush();
        emit(lines);
        return;
      }
      const collapsed = text.replace(/[ \t\n\r\f]+/g, ' ');
      if (collapsed.startsWith(' ')) space = true;
      const words = collapsed.trim() === '' ? collapsed.replace(/^ +| +$/g, '') : collapsed.replace(/^ | $/g, '');
      if (words === '') return;
      flush();
      emit(words);
      space = collapsed.endsWith(' ');
    },
    /** Asks for line ends before what follows; a block that begins a cell stays on the cell's line. */
    breakLine(count: number): void {
      if (rows.at(-1)?.fresh) return;
      lineEnds = Math.max(lineEnds, count);
      space = false;
    },
    lineBreak(): void {
      lineEnds = Math.min(lineEnds + 1, 2);
      space = false;
    },
    prefix(text: string): void {
      prefix = text;
    },
    row(): void {
      rows.push({ started: false, broken: false, cells: 0, separator: '', fresh: false });
    },
    /** A cell continues the line of its row, unless a cell before it took several lines. */
    cell(): void {
      const row = rows.at(-1);
      if (!row) return;
      row.cells += 1;
      row.fresh = true;
      if (row.cells === 1) return;
      if (row.broken) {
        lineEnds = Math.max(lineEnds, 1);
        return;
      }
      if (row.started) lineEnds = 0;
      space = false;
      row.separator = row.separator === '' ? ' | ' : `${row.separator}| `;
    },
    /** A row inside a cell ends what the outer row had on its line. */
    rowEnd(): void {
      rows.pop();
      lineEnds = Math.min(lineEnds, 1);
      const outer = rows.at(-1);
      if (outer) outer.started = outer.broken = true;
    },
    mark(): Mark {
      const mark: Mark = { start: null, part: parts.length };
      marks.push(mark);
      return mark;
    },
    since(mark: Mark): { start: number; text: string } {
      marks = marks.filter((other) => other !== mark);
      return mark.start === null ? { start: length, text: '' } : { start: mark.start, text: parts.slice(mark.part).join('') };
    },
    text: (): string => parts.join(''),
  };
}
