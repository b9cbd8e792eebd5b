// PDF documents: pdf.js gives placed pieces of text, `pdf-lines.ts` makes lines of them and `pdf-text.ts` paragraphs.
// Nothing is fetched: character maps and standard fonts come from the package's own folder.
import './pdf-globals.ts';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { getDocument, type PDFDocumentProxy } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { hasWord } from './characters.ts';
import { checkTextLength, ExtractionError, type Extracted, type ExtractorOptions } from './extracted.ts';
import { headingsOf } from './pdf-headings.ts';
import { formLines, readMetadata, readOutline } from './pdf-document.ts';
import { linesOf, type Line } from './pdf-lines.ts';
import { compose } from './pdf-text.ts';

/** The text of a PDF page by page. Throws DOCUMENT_ENCRYPTED without the right password, DOCUMENT_HAS_NO_TEXT for a scan. */
export async function extractPdf(bytes: Uint8Array, options: ExtractorOptions = {}): Promise<Extracted> {
  const task = getDocument({
    data: Uint8Array.from(bytes),
    password: options.password,
    cMapUrl: join(packageFolder, 'cmaps') + sep,
    standardFontDataUrl: join(packageFolder, 'standard_fonts') + sep,
    wasmUrl: join(packageFolder, 'wasm') + sep,
    isEvalSupported: false,
    useWorkerFetch: false,
    useSystemFonts: false,
    disableFontFace: true,
    isOffscreenCanvasSupported: false,
    isImageDecoderSupported: false,
    verbosity: 0,
  });
  try {
    const document = await opened(task.promise, options.password !== undefined);
    const { pages, unreadable, glyphs } = await readPages(document);
    const composed = compose(pages);
    if (!hasWord(composed.text)) throw withoutText(document.numPages, unreadable, glyphs);
    return {
      text: composed.text,
      pages: composed.pages,
      headings: headingsOf(composed, await readOutline(document)),
      metadata: await readMetadata(document, unreadable),
    };
  } finally {
    await task.destroy();
  }
}

const packageFolder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

async function opened(loading: Promise<PDFDocumentProxy>, passwordGiven: boolean): Promise<PDFDocumentProxy> {
  try {
    const document = await loading;
    if (document.numPages > 0) return document;
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'PasswordException') {
      throw new ExtractionError('DOCUMENT_ENCRYPTED', passwordGiven
        ? 'The password does not open this PDF. Save it without a password and upload it again.'
        : 'The PDF is protected by a password. Save it without one and upload it again.', { cause });
    }
    throw new ExtractionError('DOCUMENT_CORRUPT',
      'The PDF is damaged and cannot be opened. Print or export it to a new PDF and upload that file.', { cause });
  }
  throw new ExtractionError('DOCUMENT_CORRUPT', 'The PDF is damaged: it has no pages. Export it again and upload that file.');
}

/** Pages that cannot be read are left empty and counted: the others are still worth having. */
async function readPages(document: PDFDocumentProxy): Promise<{ pages: Line[][]; unreadable: number[]; glyphs: number }> {
  const pages: Line[][] = [];
  const unreadable: number[] = [];
  let length = 0;
  let glyphs = 0;
  for (let number = 1; number <= document.numPages; number += 1) {
    let lines: Line[] = [];
    try {
      const page = await document.getPage(number);
      const { items } = await page.getTextContent();
      lines = linesOf(items);
      glyphs += items.length;
      lines.push(...await formLines(page));
      page.cleanup();
    } catch {
      unreadable.push(number);
    }
    for (const { text } of lines) length += text.length;
    checkTextLength(length);
    pages.push(lines);
  }
  if (unreadable.length === document.numPages) {
    throw new ExtractionError('DOCUMENT_CORRUPT', 'The PDF is damaged: none of its pages can be read. Export it again and upload that file.');
  }
  return { pages, unreadable, glyphs };
}

function withoutText(pageCount: number, unreadable: readonly number[], glyphs: number): ExtractionError {
  const pages = pageCount === 1 ? 'one page' : `${pageCount} pages`;
  const damage = unreadable.length > 0 ? ` (${unreadable.length} damaged)` : '';
  const reason = glyphs === 0 ? 'no text; it is probably a scan' : 'no readable text; its fonts do not say which letters they draw';
  return new ExtractionError('DOCUMENT_HAS_NO_TEXT',
    `The PDF has ${pages}${damage} and ${reason}. Run text recognition (OCR) on it and upload the result.`, { pageCount });
}
