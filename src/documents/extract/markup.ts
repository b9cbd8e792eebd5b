// HTML to text as a reader sees it: what is hidden is left out, blocks begin on lines of their own, paragraphs are set
// apart by an empty line, cells of a table row by " | ". The parser calls back and keeps no tree, so depth costs nothing.
import { Parser } from 'htmlparser2';
import type { Heading } from './extracted.ts';
import { createWriter, type Mark } from './writer.ts';

/** The text of an HTML document with its headings and what its head says; names of `meta` are in lower case. */
export interface Markup {
  readonly text: string;
  readonly headings: readonly Heading[];
  readonly title: string;
  readonly language: string | null;
  readonly meta: ReadonlyMap<string, string>;
}

/** Reads an HTML document or fragment. `skip` names further elements that are not part of the text. */
export function readMarkup(html: string, skip: (name: string, attributes: Attributes) => boolean = () => false): Markup {
  const writer = createWriter();
  const headings: Heading[] = [];
  const meta = new Map<string, string>();
  const lists: { next: number | null }[] = [];
  let language: string | null = null;
  let title: string | null = null;
  let inTitle = false;
  let hiddenDepth = 0;
  let preformatted = 0;
  let heading: { level: number; mark: Mark } | null = null;

  function open(name: string, attributes: Attributes): void {
    if (hiddenDepth > 0 || hiddenElements.has(name) || isHidden(name, attributes) || skip(name, attributes)) {
      if (name === 'title' && hiddenDepth === 0 && title === null) inTitle = true;
      hiddenDepth += 1;
      return;
    }
    if (name === 'html') language = attributes['lang'] ?? attributes['xml:lang'] ?? null;
    if (name === 'meta') {
      const key = (attributes['name'] ?? attributes['property'])?.toLowerCase();
      if (key && attributes['content'] && !meta.has(key)) meta.set(key, attributes['content']);
    }
    const gap = gapOf(name, lists.length);
    if (gap > 0) writer.breakLine(gap);
    if (name === 'br') writer.lineBreak();
    if (name === 'img' && attributes['alt']) writer.write(attributes['alt']);
    if (name === 'pre' || name === 'textarea') preformatted += 1;
    if (name === 'ul' || name === 'ol') lists.push({ next: name === 'ol' ? Number.parseInt(attributes['start'] ?? '1', 10) || 1 : null });
    if (name === 'li') writer.prefix(bullet(lists, attributes['value']));
    if (name === 'tr') writer.row();
    if (name === 'td' || name === 'th') writer.cell();
    const level = headingLevel(name);
    if (level !== null) heading = { level, mark: writer.mark() };
  }

  function close(name: string): void {
    if (hiddenDepth > 0) {
      hiddenDepth -= 1;
      if (name === 'title') inTitle = false;
      return;
    }
    if (heading !== null && headingLevel(name) !== null) {
      const { start, text } = writer.since(heading.mark);
      const words = text.replace(/\s+/g, ' ').trim();
      if (words !== '') headings.push({ level: heading.level, title: words, start });
      heading = null;
    }
    if (name === 'pre' || name === 'textarea') preformatted = Math.max(0, preformatted - 1);
    if (name === 'ul' || name === 'ol') lists.pop();
    if (name === 'tr') writer.rowEnd();
    const gap = gapOf(name, lists.length);
    if (gap > 0) writer.breakLine(gap);
  }

  const parser = new Parser({
    onopentag: open,
    onclosetag: close,
    ontext(text) {
      if (inTitle) title = (title ?? '') + text;
      else if (hiddenDepth === 0) writer.write(text, preformatted > 0);
    },
  }, { decodeEntities: true, lowerCaseTags: true, lowerCaseAttributeNames: true });
  parser.write(html);
  parser.end();
  return { text: writer.text(), headings, title: title ?? '', language, meta };
}

type Attributes = Readonly<Record<string, string | undefined>>;

const hiddenElements = new Set([
  'title', 'script', 'style', 'template', 'noscript', 'svg', 'object', 'iframe', 'audio', 'video', 'canvas', 'datalist', 'noframes',
]);

/** How many line ends part a block from its neighbours. */
const blocks: ReadonlyMap<string, number> = new Map([
  ...['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'dl', 'table', 'blockquote', 'pre', 'section', 'article', 'header', 'footer',
    'main', 'nav', 'aside', 'form', 'fieldset', 'figure', 'hr', 'body', 'details'].map((name) => [name, 2] as const),
  ...['div', 'li', 'dt', 'dd', 'tr', 'caption', 'figcaption', 'address', 'option', 'legend', 'summary', 'center', 'textarea', 'title',
    'thead', 'tbody', 'tfoot', 'hgroup', 'search', 'dialog'].map((name) => [name, 1] as const),
]);

/** A list within a list begins on the next line. */
function gapOf(name: string, listDepth: number): number {
  return (name === 'ul' || name === 'ol') && listDepth > 0 ? 1 : blocks.get(name) ?? 0;
}

function isHidden(name: string, attributes: Attributes): boolean {
  if (name === 'body' || name === 'html') return false;
  if (attributes['hidden'] !== undefined || (name === 'input' && attributes['type'] === 'hidden')) return true;
  const style = attributes['style'];
  return style !== undefined && /(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)/i.test(style);
}

function headingLevel(name: string): number | null {
  return name.length === 2 && name[0] === 'h' && name[1]! >= '1' && name[1]! <= '6' ? Number(name[1]) : null;
}

function bullet(lists: readonly { next: number | null }[], value: string | undefined): string {
  const list = lists.at(-1);
  const indent = '  '.repeat(Math.min(Math.max(lists.length - 1, 0), 10));
  if (!list || list.next === null) return `${indent}- `;
  const number = Number.parseInt(value ?? '', 10) || list.next;
  list.next = number + 1;
  return `${indent}${number}. `;
}
