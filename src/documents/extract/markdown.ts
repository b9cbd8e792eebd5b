// Markdown is stored as it was written, so that offsets and quotes hold for the author's own text; the lexer only tells
// where the headings are. Front matter gives title, author and date.
import { Lexer, type Token } from 'marked';
import { dateOf, oneLine } from './characters.ts';
import { decodeText } from './decode.ts';
import type { Extracted, ExtractedMetadata, Heading } from './extracted.ts';

/** The source of a Markdown document, with its headings and what its front matter says. */
export async function extractMarkdown(bytes: Uint8Array): Promise<Extracted> {
  const { text, encoding } = decodeText(bytes);
  const { headings, metadata } = readMarkdown(text);
  return { text, pages: null, headings, metadata: { ...metadata, extra: { encoding, ...metadata.extra } } };
}

/** Headings and metadata of Markdown source; the title is the front matter's, else the first heading of level 1. */
export function readMarkdown(text: string): { readonly headings: readonly Heading[]; readonly metadata: ExtractedMetadata } {
  const matter = frontMatter(text);
  const headings = headingsOf(text.slice(matter.end), matter.end);
  const value = (...names: string[]) => names.map((name) => matter.values.get(name)).find((found) => found !== undefined);
  return {
    headings,
    metadata: {
      title: value('title') ?? headings.find(({ level }) => level === 1)?.title,
      author: value('author', 'authors', 'creator'),
      documentCreatedAt: dateOf(value('date', 'created', 'published')),
      extra: matter.values.size === 0 ? {} : { frontMatter: Object.fromEntries(matter.values) },
    },
  };
}

/** Whether plain text is written like Markdown: headings between empty lines, and more than one sign of it. */
export function looksLikeMarkdown(text: string): boolean {
  const sample = text.slice(0, 200_000);
  const headings = sample.match(/(?:^|\n\n)#{1,6} [^\n]{1,200}(?=\n\n)/g)?.length ?? 0;
  const signs = [/^---\n[^]{0,5000}?\n(?:---|\.\.\.)\n/, /^(?:```|~~~)/m, /\]\((?:https?:|[./#])[^\s)]*\)/, /^\[[^\]\n]+\]: /m, /\*\*[^\s*][^*\n]*\*\*/]
    .filter((sign) => sign.test(sample)).length;
  return headings >= 3 || (headings >= 1 && signs >= 1);
}

function headingsOf(source: string, offset: number): Heading[] {
  const headings: Heading[] = [];
  let start = offset;
  for (const token of new Lexer().blockTokens(source, [])) {
    if (token.type === 'heading') {
      const title = oneLine(plainText(Lexer.lexInline(token['text'] as string)));
      if (title !== undefined) headings.push({ level: token['depth'] as number, title, start });
    } else if (token.type === 'html') {
      headings.push(...htmlHeadings(token.raw, start));
    }
    start += token.raw.length;
  }
  return headings;
}

/** Many a README begins with a centred `<h1>`. */
function* htmlHeadings(html: string, offset: number): Generator<Heading> {
  for (const { 1: level, 2: inner, index } of html.matchAll(/<h([1-6])\b[^>]{0,500}>([^]{1,1000}?)<\/h\1\s*>/gi)) {
    const title = oneLine(inner?.replace(/<[^>]*>/g, ' '));
    if (title !== undefined) yield { level: Number(level), title, start: offset + index };
  }
}

function plainText(tokens: readonly Token[]): string {
  return tokens.map((token) => {
    if (token.type === 'html') return '';
    if (token.type === 'image') return String(token['text'] ?? '');
    if (token.type === 'br') return ' ';
    return 'tokens' in token && token.tokens ? plainText(token.tokens) : String('text' in token ? token.text : token.raw);
  }).join('');
}

/** The `key: value` lines between two lines of dashes at the very beginning; nested YAML is left alone. */
function frontMatter(text: string): { readonly values: ReadonlyMap<string, string>; readonly end: number } {
  const values = new Map<string, string>();
  const block = /^---[ \t]*\n([^]{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)/.exec(text);
  if (block === null || !/^[\w-]+[ \t]*:/m.test(block[1] ?? '')) return { values, end: 0 };
  let open: string | null = null;
  for (const line of (block[1] ?? '').split('\n')) {
    const pair = /^([\w-]+)[ \t]*:[ \t]*(.*)$/.exec(line);
    const item = /^\s+(?:-\s+)?(?:name:\s*)?(\S.*)$|^-\s+(?:name:\s*)?(\S.*)$/.exec(line);
    if (pair) {
      open = pair[1]!.toLowerCase();
      const value = scalar(pair[2] ?? '');
      if (value !== undefined) values.set(open, value);
    } else if (open !== null && item) {
      const value = scalar(item[1] ?? item[2] ?? '');
      const before = values.get(open);
      if (value !== undefined) values.set(open, before === undefined ? value : `${before}, ${value}`);
    }
  }
  return { values, end: block[0].length };
}

function scalar(raw: string): string | undefined {
  const text = raw.trim();
  if (/^[|>][+-]?$/.test(text)) return undefined;
  const quoted = /^(["'])(.*)\1$/.exec(text);
  const list = /^\[(.*)\]$/.exec(text);
  return oneLine(quoted?.[2] ?? list?.[1]?.split(',').map((item) => item.trim().replace(/^(["'])(.*)\1$/, '$2')).join(', ') ?? text);
}
