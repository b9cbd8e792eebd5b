import { describe, expect, test } from 'vitest';
import { detectMediaType, sanitizeFileName } from '../../src/documents/media.ts';
import { bytes, docx, paragraph, pdf, zip } from './fixtures.ts';

const docxType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

describe('the media type is read from the content', () => {
  test.each([
    ['a PDF that is called notes.txt', pdf(['x']), 'notes.txt', 'application/pdf'],
    ['a PDF behind a line of other bytes', new Uint8Array([...bytes('HTTP/1.1 200 OK\n\n'), ...pdf(['x'])]), '', 'application/pdf'],
    ['a text that only mentions %PDF-1.7', bytes('A file begins with\n%PDF-1.7 and then goes on.'), 'a.pdf', 'text/plain'],
    ['a Word document that is called a.zip', docx(paragraph('x')), 'a.zip', docxType],
    ['a page with a doctype', bytes('<!-- a comment -->\n<!DOCTYPE html><p>x'), 'a.txt', 'text/html'],
    ['a fragment of a page', bytes('<div><p>one</p><p>two</p></div>'), '', 'text/html'],
    ['Markdown that begins with a tag', bytes('<p align="center"><img src="a.png"></p>\n\n# Title\n\n- one\n- [two](b)\n\n## More\n'), 'README.md', 'text/markdown'],
    ['Markdown without a name', bytes('# Title\n\nText.\n\n## Part\n\n- one\n\n## Other\n\nEnd.'), '', 'text/markdown'],
    ['prose that is called a.md', bytes('Only prose.'), 'a.md', 'text/markdown'],
    ['prose', bytes('Only prose.'), 'a.doc', 'text/plain'],
    ['prose with the magic number of a bitmap', bytes('BM25 ranks passages.'), 'a.bmp', 'text/plain'],
    ['a page in UTF-16', new Uint8Array(Buffer.from('\ufeff<html><body>x</body></html>', 'utf16le')), '', 'text/html'],
    ['an empty file', new Uint8Array(), 'a.txt', 'text/plain'],
  ])('%s', async (_, content, name, expected) => {
    expect(await detectMediaType(content, name)).toBe(expected);
  });

  test.each([
    ['a picture', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0]), /image\/png/],
    ['an archive', zip({ 'a.txt': 'x' }), /zip/],
    ['a workbook', zip({ '[Content_Types].xml': '<Types>spreadsheetml.sheet.main+xml</Types>', 'xl/workbook.xml': '' }), /Excel/],
    ['rich text', bytes('{\\rtf1 x}'), /RTF/],
    ['a file of old Word', new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Uint8Array(512)]), /before 2007/],
    ['noise', new Uint8Array(500).map((_, index) => (index * 37) % 31), /binary/],
  ])('%s is refused by what it is', async (_, content, message) => {
    await expect(detectMediaType(content, 'a.pdf')).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE', message: expect.stringMatching(message), retryable: false });
  });

  test('a Word document with a password is encrypted, not unsupported', async () => {
    const content = new Uint8Array([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Uint8Array(512), ...Buffer.from('EncryptedPackage', 'utf16le')]);
    await expect(detectMediaType(content, 'a.docx')).rejects.toMatchObject({ code: 'DOCUMENT_ENCRYPTED' });
  });

  test('a Word document that was cut off is corrupt', async () => {
    await expect(detectMediaType(docx(paragraph('x')).subarray(0, 400), 'a.docx')).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT' });
  });
});

describe('a file name is safe to show and to save under', () => {
  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\Plan.docx', 'Plan.docx'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['a\u0000b\r\n.txt', 'ab.txt'],
    ['cafe\u0301.pdf', 'caf\u00e9.pdf'],
    ['  .hidden ', 'hidden'],
    ['what?.md', 'what_.md'],
    ['\ud800.txt', '\ufffd.txt'],
    ['', 'document'],
    ['..', 'document'],
    ['///', 'document'],
  ])('%j becomes %j', (name, expected) => {
    expect(sanitizeFileName(name)).toBe(expected);
  });

  test('a long name keeps its extension and whole characters', () => {
    const name = sanitizeFileName(`${'👩‍👩‍👧'.repeat(100)}.pdf`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(name).toMatch(/^(?:👩‍👩‍👧)+\.pdf$/u);
  });
});
