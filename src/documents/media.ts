// What a file is, by its content; a name only tells Markdown from plain text. And what a file may be called.
import { fileTypeFromBuffer } from 'file-type';
import { decode } from './extract/decode.ts';
import { ExtractionError } from './extract/extracted.ts';
import { looksLikeMarkdown } from './extract/markdown.ts';
import { readZipEntry, zipEntries } from './extract/zip.ts';

export const mediaTypes = [
  'application/pdf', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'text/markdown', 'text/html', 'text/plain',
] as const;

/** A media type that documents may have. */
export type MediaType = (typeof mediaTypes)[number];

/**
 * The media type of a file's content. Throws UNSUPPORTED_MEDIA_TYPE, naming what it is, or DOCUMENT_ENCRYPTED and
 * DOCUMENT_CORRUPT for what cannot be opened.
 */
export async function detectMediaType(bytes: Uint8Array, name = ''): Promise<MediaType> {
  if (isPdf(bytes)) return 'application/pdf';
  if (startsWith(bytes, 'PK\u0003\u0004') || startsWith(bytes, 'PK\u0005\u0006')) return wordDocument(bytes);
  if (startsWith(bytes, '\u00d0\u00cf\u0011\u00e0\u00a1\u00b1\u001a\u00e1')) throw compoundFile(bytes);
  if (startsWith(bytes, '{\\rtf')) throw unsupported('a rich text (RTF) file');
  if (startsWith(bytes, '%!PS')) throw unsupported('a PostScript file');
  // Text comes before the table of magic numbers: "BM" begins bitmaps, and prose too.
  const sample = decode(bytes.subarray(0, sampleLength));
  if (sample !== null) return textType(sample.text.replace(/^\ufeff/, ''), name);
  const known = await fileTypeFromBuffer(bytes).catch(() => undefined);
  throw unsupported(known ? `a file of type ${known.mime}` : 'a binary file of no known type');
}

/** A name that is safe to show and to save under: no path, no control or direction characters, at most 200 bytes; never empty. */
export function sanitizeFileName(name: string): string {
  const last = name.toWellFormed().normalize('NFC').split(/[\\/]/).filter((part) => /[^.\s]/.test(part)).at(-1) ?? '';
  const plain = last
    // eslint-disable-next-line no-control-regex -- control characters, direction overrides and invisible marks are what goes
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u061c]/g, '')
    .replace(/[<>:"|?*]/g, '_').replace(/\s+/g, ' ').replace(/^[\s.]+|[\s.]+$/g, '');
  const short = withinBytes(plain, maxNameBytes);
  return short === '' ? 'document' : short;
}

const sampleLength = 64 * 1024;
const maxNameBytes = 200;

/** Cuts between graphemes and keeps the extension, if it is a short one. */
function withinBytes(name: string, limit: number): string {
  if (Buffer.byteLength(name) <= limit) return name;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  let stem = '';
  let size = Buffer.byteLength(extension);
  for (const { segment } of new Intl.Segmenter('en').segment(name.slice(0, Math.min(limit, name.length - extension.length)))) {
    size += Buffer.byteLength(segment);
    if (size > limit) break;
    stem += segment;
  }
  return (stem.trimEnd() + extension).toWellFormed();
}

function startsWith(bytes: Uint8Array, magic: string): boolean {
  return Buffer.from(bytes.subarray(0, magic.length)).toString('latin1') === magic;
}

/** Readers accept a header after up to a kilobyte of other bytes; prose about PDF has no objects or trailer to go with it. */
function isPdf(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const at = head.indexOf('%PDF-');
  if (at < 0) return false;
  if (head.slice(0, at).replace(/^\u00ef\u00bb\u00bf/, '').trim() === '') return true;
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return file.includes('startxref') && /\bobj\b/.test(file.subarray(at, at + 65_536).toString('latin1'));
}

function wordDocument(bytes: Uint8Array): MediaType {
  const entries = zipEntries(bytes);
  const word = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
  if (entries.some(({ name }) => /^word\/document\d*\.xml$/i.test(name))) return word;
  const types = entries.find(({ name }) => name === '[Content_Types].xml');
  if (!types) throw unsupported('a zip archive; unpack it and upload the documents in it');
  const content = types.size > 1024 ** 2 ? '' : readZipEntry(bytes, types).toString('utf8');
  if (content.includes('wordprocessingml.document.main+xml')) return word;
  throw unsupported(content.includes('spreadsheetml') ? 'an Excel workbook; save it as CSV or PDF'
    : content.includes('presentationml') ? 'a PowerPoint presentation; save it as PDF' : 'an Office document other than Word');
}

/** The container of old Office files is also that of encrypted new ones, which hold one stream of this name. */
function compoundFile(bytes: Uint8Array): ExtractionError {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.includes(Buffer.from('EncryptedPackage', 'utf16le'))) {
    return new ExtractionError('DOCUMENT_ENCRYPTED', 'The document is protected by a password. Save it without one and upload it again.');
  }
  return unsupported('a file of an Office version before 2007, or another compound file; save it as DOCX');
}

function textType(text: string, name: string): MediaType {
  if (isHtml(text)) return 'text/html';
  if (/\.(?:md|markdown|mdown|mkdn?|mdx|rmd|qmd)$/i.test(name)) return 'text/markdown';
  return !/\.\w{1,8}$/.test(name) && looksLikeMarkdown(text) ? 'text/markdown' : 'text/plain';
}

const anyTag = new RegExp('^<(?:title|meta|link|style|script|base|div|p|h[1-6]|table|ul|ol|dl|section|article|main|header|nav|form'
  + '|center|font|span|a|b|i|br|hr|pre|blockquote|img)\\b[^>]*>', 'i');

/** HTML begins with a tag. A document's own tag settles it; for others, Markdown that begins with a tag must be ruled out. */
function isHtml(text: string): boolean {
  const start = text.replace(/^(?:\s|<!--[^]*?-->|<\?xml[^>]*\?>|<!--[^]*$)+/, '').slice(0, 4096);
  if (/^<(?:!doctype\s+html|html|head|body|frameset)\b/i.test(start)) return true;
  if (!anyTag.test(start)) return false;
  const tags = text.match(/<\/?[a-z][a-z0-9]*\b[^>\n]{0,300}>/gi)?.length ?? 0;
  const closed = /<\/(?:html|body|div|p|table|ul|ol|section|article|main|h[1-6]|span|pre|blockquote|title|style|script)\s*>/i.test(text);
  const markdown = text.match(/^(?:#{1,6} \S|```|~~~|[-*+] \S|\d+\. \S|> \S|\[[^\]]+\]: )|\]\([^)\s]+\)/gm)?.length ?? 0;
  return closed && markdown * 2 < tags;
}

function unsupported(what: string): ExtractionError {
  return new ExtractionError('UNSUPPORTED_MEDIA_TYPE', `This is ${what}. Upload a PDF, Word (DOCX), Markdown, HTML or plain text document.`);
}
