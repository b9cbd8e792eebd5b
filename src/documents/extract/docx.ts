// Word documents: mammoth turns the main part into HTML with styles resolved, which is then read like any HTML.
// Properties come from docProps. Nothing is unpacked before the archive has been measured.
import { Parser } from 'htmlparser2';
import mammoth from 'mammoth';
import { dateOf, oneLine } from './characters.ts';
import { ExtractionError, type Extracted } from './extracted.ts';
import { readMarkup } from './markup.ts';
import { readZipEntry, zipEntries } from './zip.ts';

/** The text of a Word document: headings, lists, tables and notes, with tracked changes accepted and comments left out. */
export async function extractDocx(bytes: Uint8Array): Promise<Extracted> {
  const parts = readParts(bytes);
  const html = await toHtml(bytes, headingStyles(parts('word/styles.xml')));
  const { text, headings } = readMarkup(html, (name, { href }) => name === 'a' && /^#(?:foot|end)note-ref-/.test(href ?? ''));
  const core = properties(parts('docProps/core.xml'));
  const app = properties(parts('docProps/app.xml'));
  const pageCount = Number(app.get('Pages'));
  const extra = { ...pick(core, coreNames), ...pick(app, appNames) };
  return {
    text,
    pages: null,
    headings,
    metadata: {
      title: oneLine(core.get('dc:title')),
      author: oneLine(core.get('dc:creator')),
      ...(Number.isSafeInteger(pageCount) && pageCount > 0 && pageCount < 1_000_000 ? { pageCount } : {}),
      documentCreatedAt: dateOf(core.get('dcterms:created')),
      extra,
    },
  };
}

const coreNames = {
  'dc:subject': 'subject', 'dc:description': 'description', 'cp:keywords': 'keywords', 'dc:language': 'language',
  'cp:lastModifiedBy': 'lastModifiedBy',
};
const appNames = { Application: 'application', Company: 'company' };

/** All XML parts are unpacked once, within the sizes the directory states, before a reader that trusts them may. */
function readParts(bytes: Uint8Array): (name: string) => string {
  const entries = zipEntries(bytes);
  const wanted = new Map<string, string>();
  for (const entry of entries) {
    if (!/\.(?:xml|rels)$/i.test(entry.name) && !entry.encrypted) continue;
    const part = readZipEntry(bytes, entry);
    // The format forbids document types; the only use of one here would be entities that multiply.
    if (part.includes('<!DOCTYPE') || part.includes('<!ENTITY')) {
      throw new ExtractionError('DOCUMENT_CORRUPT',
        `The document's part "${entry.name}" declares a document type, which Word documents must not. Save it again in its application.`);
    }
    if (/^(?:word\/styles|docProps\/(?:core|app))\.xml$/i.test(entry.name)) wanted.set(entry.name.toLowerCase(), part.toString('utf8'));
  }
  return (name) => wanted.get(name.toLowerCase()) ?? '';
}

async function toHtml(bytes: Uint8Array, styleMap: readonly string[]): Promise<string> {
  try {
    const { value } = await mammoth.convertToHtml({ buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }, {
      styleMap: [...styleMap],
      // A picture is only its alternative text here.
      convertImage: mammoth.images.imgElement(async () => ({ src: '' })),
    });
    return value;
  } catch (cause) {
    throw new ExtractionError('DOCUMENT_CORRUPT',
      'The Word document is damaged and cannot be read. Open it in Word, save it again and upload that file.', { cause });
  }
}

/** Styles that Word itself treats as headings by their outline level, whatever they are called, and the style of titles. */
function headingStyles(stylesXml: string): string[] {
  const styles = new Map<string, { basedOn: string | null; level: number | null; name: string }>();
  let current: string | null = null;
  const parser = new Parser({
    onopentag(tag, attributes) {
      const value = attributes['w:val'] ?? '';
      const style = current === null ? undefined : styles.get(current);
      if (tag === 'w:style' && attributes['w:type'] === 'paragraph') {
        current = attributes['w:styleId'] ?? null;
        if (current !== null) styles.set(current, { basedOn: null, level: null, name: '' });
      } else if (style && tag === 'w:basedOn') style.basedOn = value;
      else if (style && tag === 'w:name') style.name = value;
      else if (style && tag === 'w:outlineLvl') style.level = Number(value);
    },
    onclosetag(tag) {
      if (tag === 'w:style') current = null;
    },
  }, { xmlMode: true });
  parser.write(stylesXml);
  parser.end();
  const levelOf = (id: string | null, depth = 0): number | null => {
    const style = id === null || depth > 20 ? undefined : styles.get(id);
    return style ? style.level ?? levelOf(style.basedOn, depth + 1) : null;
  };
  return [...styles].flatMap(([id, { name }]) => {
    const level = name.toLowerCase() === 'title' ? 0 : levelOf(id);
    // Ids are quoted into mammoth's little language: those beyond plain letters are left to its own map of names.
    if (level === null || !(level >= 0 && level <= 5) || !/^[A-Za-z][\w-]*$/.test(id)) return [];
    return [`p.${id} => h${level + 1}:fresh`];
  });
}

function properties(xml: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let name = '';
  const parser = new Parser({
    onopentag(tag) {
      name = tag;
    },
    ontext(text) {
      if (name !== '') values.set(name, (values.get(name) ?? '') + text);
    },
    onclosetag() {
      name = '';
    },
  }, { xmlMode: true, decodeEntities: true });
  parser.write(xml);
  parser.end();
  return values;
}

function pick(values: ReadonlyMap<string, string>, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).flatMap(([from, to]) => {
    const value = oneLine(values.get(from));
    return value === undefined ? [] : [[to, value]];
  }));
}
