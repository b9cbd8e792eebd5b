// What a PDF says beside the text of its pages: properties, bookmarks, and what was typed into its forms.
import './pdf-globals.ts';
import { PDFDateString, type PDFDocumentProxy, type PDFPageProxy } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { clean, dateOf, oneLine } from './characters.ts';
import type { ExtractedMetadata } from './extracted.ts';
import type { Bookmark } from './pdf-headings.ts';
import type { Line } from './pdf-lines.ts';

/** Title, author and date from the information dictionary, else from XMP. */
export async function readMetadata(document: PDFDocumentProxy, unreadable: readonly number[]): Promise<ExtractedMetadata> {
  const { info, metadata } = await document.getMetadata().catch(() => ({ info: {}, metadata: null }));
  const said = info as Readonly<Record<string, unknown>>;
  const xmp = (name: string): string | undefined => {
    const value: unknown = metadata?.get(name);
    return oneLine(Array.isArray(value) ? value.join(', ') : value);
  };
  const named = {
    subject: oneLine(said['Subject']) ?? xmp('dc:description'),
    keywords: oneLine(said['Keywords']) ?? xmp('pdf:keywords'),
    creator: oneLine(said['Creator']),
    producer: oneLine(said['Producer']),
    language: oneLine(said['Language']),
    pdfVersion: oneLine(said['PDFFormatVersion']),
    unreadablePages: unreadable.length > 0 ? unreadable.slice(0, 100) : undefined,
  };
  const created = said['CreationDate'];
  return {
    title: oneLine(said['Title']) ?? xmp('dc:title'),
    author: oneLine(said['Author']) ?? xmp('dc:creator'),
    pageCount: document.numPages,
    documentCreatedAt: dateOf(typeof created === 'string' ? PDFDateString.toDateObject(created) : undefined) ?? dateOf(xmp('xmp:createdate')),
    extra: Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
  };
}

/** The bookmarks that point into the document, outermost first. A damaged outline is no outline. */
export async function readOutline(document: PDFDocumentProxy): Promise<Bookmark[]> {
  const bookmarks: Bookmark[] = [];
  const outline = await document.getOutline().catch(() => null);
  const waiting = (outline ?? []).map((node) => ({ node, level: 1 })).reverse();
  while (waiting.length > 0 && bookmarks.length < maxBookmarks) {
    const { node, level } = waiting.pop()!;
    const title = oneLine(node.title, 300);
    const target = title === undefined ? null : await targetOf(document, node.dest).catch(() => null);
    if (title !== undefined && target !== null) bookmarks.push({ level, title, ...target });
    for (const child of (node.items as typeof outline & object).toReversed()) waiting.push({ node: child, level: level + 1 });
  }
  return bookmarks;
}

const maxBookmarks = 10_000;

/** https://opensource.adobe.com/dc-acrobat-sdk-docs/pdfstandards/PDF32000_2008.pdf, 12.3.2.2: explicit destinations */
async function targetOf(document: PDFDocumentProxy, dest: unknown): Promise<{ page: number; top: number | null } | null> {
  const explicit = typeof dest === 'string' ? await document.getDestination(dest) : dest;
  if (!Array.isArray(explicit)) return null;
  const [page, kind, ...numbers] = explicit as [unknown, { name?: string } | undefined, ...unknown[]];
  const number = typeof page === 'number' ? page : await document.getPageIndex(page as { num: number; gen: number });
  const top = kind?.name === 'XYZ' ? numbers[1] : kind?.name === 'FitH' || kind?.name === 'FitBH' ? numbers[0] : kind?.name === 'FitR' ? numbers[3] : null;
  return { page: number + 1, top: typeof top === 'number' ? top : null };
}

/** What was typed into the fields of a page and written on it as free text, one line each, below the page's own text. */
export async function formLines(page: PDFPageProxy): Promise<Line[]> {
  const annotations = await page.getAnnotations().catch(() => []) as readonly Annotation[];
  return annotations.flatMap((annotation) => {
    if (annotation.hidden) return [];
    const [left = 0, bottom = 0, right = 0] = annotation.rect ?? [];
    return valuesOf(annotation).flatMap((value) => clean(value).split('\n')).filter((text) => text.trim() !== '')
      .map((text) => ({ text: text.trim(), start: left, end: right, across: bottom, size: 0, angle: 0 }));
  });
}

/** The parts of pdf.js' annotation data that hold text. */
interface Annotation {
  readonly subtype?: string;
  readonly hidden?: boolean;
  readonly fieldType?: string;
  readonly fieldValue?: unknown;
  readonly password?: boolean;
  readonly contentsObj?: { readonly str?: string };
  readonly rect?: readonly number[];
}

function valuesOf({ subtype, fieldType, fieldValue, password, contentsObj }: Annotation): string[] {
  if (subtype === 'FreeText') return contentsObj?.str ? [contentsObj.str] : [];
  if (subtype !== 'Widget' || password || (fieldType !== 'Tx' && fieldType !== 'Ch')) return [];
  return [fieldValue].flat().filter((value) => typeof value === 'string');
}
