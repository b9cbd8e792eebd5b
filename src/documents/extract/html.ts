// HTML documents: the charset by mark, declaration or look, then the visible text.
import { dateOf, oneLine } from './characters.ts';
import { decodeText } from './decode.ts';
import type { Extracted } from './extracted.ts';
import { readMarkup } from './markup.ts';

/** The visible text of an HTML document, with its headings, title, author and date. */
export async function extractHtml(bytes: Uint8Array): Promise<Extracted> {
  const decoded = decodeText(bytes, declaredCharset(bytes));
  const { text, headings, title, language, meta } = readMarkup(decoded.text);
  const first = (...names: string[]) => names.map((name) => oneLine(meta.get(name))).find((value) => value !== undefined);
  return {
    text,
    pages: null,
    headings,
    metadata: {
      title: oneLine(title) ?? first('og:title', 'dc.title', 'dcterms.title'),
      author: first('author', 'dc.creator', 'dcterms.creator', 'article:author'),
      documentCreatedAt: dateOf(first('article:published_time', 'dcterms.created', 'dc.date', 'date')),
      extra: {
        encoding: decoded.encoding,
        ...present('language', oneLine(language)),
        ...present('description', first('description', 'og:description', 'dc.description')),
        ...present('keywords', first('keywords')),
        ...present('generator', first('generator')),
      },
    },
  };
}

/** The charset of the first `meta` that names one; https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding */
function declaredCharset(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 8192)).toString('latin1').replace(/<!--[\s\S]*?-->/g, '');
  const inMeta = /<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  return inMeta ?? /^\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1] ?? null;
}

const present = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value });
