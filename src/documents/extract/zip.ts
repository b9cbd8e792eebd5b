// Reads a zip archive from its directory, and refuses what is made to exhaust a reader: too many entries, entries that
// inflate without measure or share their bytes. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import { inflateRawSync } from 'node:zlib';
import { ExtractionError } from './extracted.ts';

/** One file of an archive; sizes in bytes, as its directory states them. */
export interface ZipEntry {
  readonly name: string;
  readonly compressedSize: number;
  readonly size: number;
  readonly encrypted: boolean;
  readonly method: number;
  readonly offset: number;
}

/** The directory of an archive. Throws DOCUMENT_CORRUPT without one, DOCUMENT_TOO_COMPLEX for a bomb. */
export function zipEntries(bytes: Uint8Array): readonly ZipEntry[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = file.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0 || end + 22 > file.length) throw corrupt('its directory is missing; the file was probably cut off');
  const count = file.readUInt16LE(end + 10);
  if (count > maxEntries) throw tooComplex(`it has ${count} parts`);
  const entries: ZipEntry[] = [];
  let at = file.readUInt32LE(end + 16);
  for (let index = 0; index < count; index += 1) {
    if (at + 46 > file.length || file.readUInt32LE(at) !== 0x02014b50) throw corrupt('its directory is damaged');
    const nameLength = file.readUInt16LE(at + 28);
    const extraLength = file.readUInt16LE(at + 30);
    const extra = file.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const [size, compressedSize, offset] = wide(extra, [file.readUInt32LE(at + 24), file.readUInt32LE(at + 20), file.readUInt32LE(at + 42)]);
    entries.push({
      name: file.toString('utf8', at + 46, at + 46 + nameLength).replaceAll('\\', '/').replace(/^\//, ''),
      encrypted: (file.readUInt16LE(at + 8) & 1) === 1,
      method: file.readUInt16LE(at + 10),
      compressedSize,
      size,
      offset,
    });
    at += 46 + nameLength + extraLength + file.readUInt16LE(at + 32);
  }
  checkMeasure(entries, end);
  return entries;
}

/** The bytes of one entry; throws DOCUMENT_CORRUPT when they are not what the directory says. */
export function readZipEntry(bytes: Uint8Array, entry: ZipEntry): Buffer {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (entry.encrypted) {
    throw new ExtractionError('DOCUMENT_ENCRYPTED', 'The document is protected by a password. Save it without one and upload it again.');
  }
  try {
    if (file.readUInt32LE(entry.offset) !== 0x04034b50) throw new Error('no local header');
    const start = entry.offset + 30 + file.readUInt16LE(entry.offset + 26) + file.readUInt16LE(entry.offset + 28);
    const data = file.subarray(start, start + entry.compressedSize);
    if (entry.method === 0) return data;
    // One byte more than promised is already a lie of the directory, and an error here.
    return inflateRawSync(data, { maxOutputLength: Math.max(entry.size, 1) });
  } catch (cause) {
    throw corrupt(`its part "${entry.name}" cannot be unpacked`, cause);
  }
}

/** Some writers give all sizes in the Zip64 field; it holds, in this order, those that are all ones outside it. */
function wide(extra: Buffer, narrow: readonly [number, number, number]): [number, number, number] {
  const values: [number, number, number] = [...narrow];
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let from = at + 4;
    for (const index of [0, 1, 2] as const) {
      if (values[index] !== 0xffffffff || from + 8 > extra.length) continue;
      values[index] = Number(extra.readBigUInt64LE(from));
      from += 8;
    }
  }
  return values;
}

const maxEntries = 10_000;
const maxInflated = 512 * 1024 ** 2;
const maxPart = 128 * 1024 ** 2;
const maxRatio = 250;

function checkMeasure(entries: readonly ZipEntry[], end: number): void {
  let inflated = 0;
  let packed = 0;
  let reached = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < reached || entry.offset + entry.compressedSize > end) throw corrupt(`its part "${entry.name}" overlaps another`);
    reached = entry.offset + 30 + entry.compressedSize;
    inflated += entry.size;
    packed += entry.compressedSize;
    if (/\.(?:xml|rels)$/i.test(entry.name) && entry.size > maxPart) throw tooComplex(`its part "${entry.name}" unpacks to ${megabytes(entry.size)}`);
  }
  if (inflated > maxInflated) throw tooComplex(`it unpacks to ${megabytes(inflated)}`);
  if (inflated > 16 * 1024 ** 2 && inflated > packed * maxRatio) throw tooComplex(`it unpacks to ${Math.round(inflated / packed)} times its size`);
}

const megabytes = (size: number): string => `${Math.round(size / 1024 ** 2)} MB`;

function corrupt(what: string, cause?: unknown): ExtractionError {
  return new ExtractionError('DOCUMENT_CORRUPT',
    `The document cannot be unpacked: ${what}. Save it again in its application and upload that file.`, { cause });
}

function tooComplex(what: string): ExtractionError {
  return new ExtractionError('DOCUMENT_TOO_COMPLEX', `The document was not unpacked, because ${what}. Upload its text alone, or in parts.`);
}
