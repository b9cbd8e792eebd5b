// Bytes to text when nobody reliable says how they are encoded: the mark at the beginning, what the bytes can be at all,
// what the document declares, and at last what they look like, in this order.
import { analyse } from 'chardet';
import { clean } from './characters.ts';
import { decodeEbcdic, looksLikeEbcdic } from './ebcdic.ts';
import { cyrillicEncoding } from './cyrillic.ts';
import { ExtractionError } from './extracted.ts';

/** A text as it was encoded; `encoding` is the label of https://encoding.spec.whatwg.org/#names-and-labels, or "cp500". */
export interface Decoded {
  readonly text: string;
  readonly encoding: string;
}

/** The text of bytes; null when they are not text in any encoding. `declared` is what the document says of itself. */
export function decode(bytes: Uint8Array, declared?: string | null): Decoded | null {
  const encoding = encodingOf(bytes, declared);
  if (encoding === null) return null;
  const text = encoding === 'cp500' ? decodeEbcdic(bytes) : new TextDecoder(encoding).decode(bytes);
  return looksLikeText(text) ? { text, encoding } : null;
}

/** Decoded and cleaned text; throws DOCUMENT_CORRUPT for bytes that are text in no encoding. */
export function decodeText(bytes: Uint8Array, declared?: string | null): Decoded {
  const decoded = decode(bytes, declared);
  if (decoded !== null) return { ...decoded, text: clean(decoded.text) };
  throw new ExtractionError('DOCUMENT_CORRUPT', 'The file holds bytes that are no text in any known encoding. Save it as UTF-8 and upload it again.');
}

const sampleLength = 64 * 1024;

function encodingOf(bytes: Uint8Array, declared: string | null | undefined): string | null {
  const marked = byteOrderMark(bytes) ?? unmarkedUtf16(bytes.subarray(0, sampleLength));
  if (marked !== null) return marked;
  const sample = textSample(bytes);
  if (sample.includes(0) && !looksLikeEbcdic(sample)) return null;
  if (isUtf8(bytes)) return sevenBitJapanese(sample) ? 'iso-2022-jp' : 'utf-8';
  const label = knownLabel(declared);
  if (label !== null && label !== 'utf-8' && !label.startsWith('utf-16')) return label;
  if (label === 'utf-8' || isNearlyUtf8(sample)) return 'utf-8';
  return looksLikeEbcdic(sample) ? 'cp500' : guess(sample);
}

function byteOrderMark(bytes: Uint8Array): string | null {
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : null;
}

/** UTF-16 shows by its zero bytes, which the characters of markup, spaces and line ends have on one side only. */
function unmarkedUtf16(sample: Uint8Array): string | null {
  const zeros = [0, 0];
  for (let index = 0; index < sample.length; index += 1) if (sample[index] === 0) zeros[index % 2]! += 1;
  const [even, odd] = zeros as [number, number];
  const pairs = sample.length / 2;
  if (odd > pairs * 0.1 && even < odd * 0.02) return 'utf-16le';
  return even > pairs * 0.1 && odd < even * 0.02 ? 'utf-16be' : null;
}

/** The beginning, or, where that is plain ASCII, the part around the first byte that is not: only such bytes tell encodings apart. */
function textSample(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte >= 0x80);
  const start = first > sampleLength / 2 ? first - 1024 : 0;
  return bytes.subarray(start, start + sampleLength);
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    // "stream" forgives a character that is cut off at the end of the file.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** A few broken bytes do not make another encoding: with mostly whole characters of several bytes it is still UTF-8. */
function isNearlyUtf8(sample: Uint8Array): boolean {
  const text = new TextDecoder('utf-8').decode(sample);
  const broken = text.match(/\ufffd/g)?.length ?? 0;
  const whole = text.match(/[\u0080-\ufffc]/g)?.length ?? 0;
  return whole > 8 && broken * 20 < whole;
}

function sevenBitJapanese(sample: Uint8Array): boolean {
  return Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength).includes('\u001b$B', 0, 'latin1');
}

function knownLabel(declared: string | null | undefined): string | null {
  if (!declared) return null;
  try {
    return new TextDecoder(declared.trim()).encoding;
  } catch {
    return null;
  }
}

function guess(sample: Uint8Array): string {
  const cyrillic = cyrillicEncoding(sample);
  if (cyrillic !== null) return cyrillic;
  for (const { name, confidence } of analyse(sample)) {
    const label = confidence >= 10 ? knownLabel(name) : null;
    // A UTF guess is wrong here: those were tried with certainty above.
    if (label !== null && !label.startsWith('utf-')) return label;
  }
  return 'windows-1252';
}

function looksLikeText(text: string): boolean {
  const sample = text.slice(0, sampleLength);
  // eslint-disable-next-line no-control-regex -- control characters are what tells binary data
  const strange = sample.match(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/g)?.length ?? 0;
  return strange <= Math.max(2, sample.length * 0.05);
}
