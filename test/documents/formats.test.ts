// What each reader makes of small documents; in this process, because these cannot harm it.
import { describe, expect, test } from 'vitest';
import { extractDocx } from '../../src/documents/extract/docx.ts';
import type { Extracted } from '../../src/documents/extract/extracted.ts';
import { extractHtml } from '../../src/documents/extract/html.ts';
import { extractMarkdown } from '../../src/documents/extract/markdown.ts';
import { extractPdf } from '../../src/documents/extract/pdf.ts';
import { extractText } from '../../src/documents/extract/text.ts';
import { bytes, docx, encryptedPdf, paragraph, pdf, zip } from './fixtures.ts';

/** Each heading with the words that stand at its offset. */
const located = ({ text, headings }: Extracted) => headings.map(({ level, title, start }) => [level, title, text.slice(start, start + title.length)]);

describe('PDF', () => {
  test('text comes page by page, and every page says where it begins', async () => {
    const { text, pages, metadata } = await extractPdf(pdf(['First page.', '', 'Third page.']));
    expect(text).toBe('First page.\n\nThird page.');
    expect(pages).toEqual([{ page: 1, start: 0 }, { page: 2, start: 11 }, { page: 3, start: 13 }]);
    expect(metadata.pageCount).toBe(3);
  });

  test('lines that were broken for want of room are joined, and so are words', async () => {
    const { text } = await extractPdf(pdf(['The retrieval of passages is a matter of much consid-\neration among those who write such systems, and the\nmatter is not settled.\nShort.\nShort again.']));
    expect(text).toBe('The retrieval of passages is a matter of much consideration among those who write such systems, and the matter is not settled.\nShort.\nShort again.');
  });

  test('a compound keeps its hyphen where the document writes it so elsewhere', async () => {
    const { text } = await extractPdf(pdf(['This is a well-known method, and it is indeed a well-\nknown one in all of its parts and in every respect.']));
    expect(text).toContain('a well-known one');
  });

  test('bookmarks become headings where they are found', async () => {
    const extracted = await extractPdf(pdf(['Intro\nSome text.', 'Methods\nMore text.'], { outline: [{ title: 'Intro', page: 1, top: 760 }, { title: 'Methods', page: 2, top: 760 }] }));
    expect(located(extracted)).toEqual([[1, 'Intro', 'Intro'], [1, 'Methods', 'Methods']]);
  });

  test('title, author and date come from its properties', async () => {
    const { metadata } = await extractPdf(pdf(['x'], { info: { Title: 'A Title', Author: 'Ada', CreationDate: 'D:20240229120000Z' } }));
    expect(metadata).toMatchObject({ title: 'A Title', author: 'Ada', documentCreatedAt: new Date('2024-02-29T12:00:00Z') });
  });

  test('a PDF without text says how many pages it has and what to do', async () => {
    await expect(extractPdf(pdf(['', '']))).rejects.toMatchObject({ code: 'DOCUMENT_HAS_NO_TEXT', pageCount: 2, message: expect.stringMatching(/2 pages.*OCR/) });
  });

  test('a password that is missing or wrong means encrypted', async () => {
    await expect(extractPdf(encryptedPdf())).rejects.toMatchObject({ code: 'DOCUMENT_ENCRYPTED' });
    await expect(extractPdf(encryptedPdf(), { password: 'guess' })).rejects.toMatchObject({ code: 'DOCUMENT_ENCRYPTED' });
  });

  test('a PDF that is not one any more is corrupt', async () => {
    await expect(extractPdf(bytes('%PDF-1.7\n%%EOF'))).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT', retryable: false });
  });

  test('a PDF that lost its end is read as far as it goes', async () => {
    const whole = pdf(['Kept text.']);
    expect((await extractPdf(whole.subarray(0, whole.length - 20))).text).toBe('Kept text.');
  });
});

describe('Word', () => {
  const heading = '<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>';
  const cell = (text: string) => `<w:tc>${paragraph(text)}</w:tc>`;

  test('headings are known by their outline level, whatever the style is called', async () => {
    const extracted = await extractDocx(docx(paragraph('Anfang', 'Kapitel') + paragraph('Text.'), { styles: heading }));
    expect(extracted.text).toBe('Anfang\n\nText.');
    expect(located(extracted)).toEqual([[2, 'Anfang', 'Anfang']]);
  });

  test('a table row is a line', async () => {
    const { text } = await extractDocx(docx(`<w:tbl><w:tr>${cell('Name')}${cell('Age')}</w:tr><w:tr>${cell('Ada')}${cell('36')}</w:tr></w:tbl>${paragraph('After.')}`));
    expect(text).toBe('Name | Age\nAda | 36\n\nAfter.');
  });

  test('title, author and date come from its properties', async () => {
    const core = '<dc:title>R&amp;D plan</dc:title><dc:creator>Ada</dc:creator><dcterms:created>2024-02-29T12:00:00Z</dcterms:created>';
    const { metadata } = await extractDocx(docx(paragraph('x'), { core }));
    expect(metadata).toMatchObject({ title: 'R&D plan', author: 'Ada', documentCreatedAt: new Date('2024-02-29T12:00:00Z') });
  });

  test('entities that multiply are refused', async () => {
    const prolog = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>';
    await expect(extractDocx(docx(paragraph('&b;'), { prolog }))).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT' });
  });

  test('an archive that unpacks without measure is refused before it is unpacked', async () => {
    await expect(extractDocx(zip({ 'word/document.xml': new Uint8Array(40 * 1024 ** 2) }))).rejects.toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX' });
  });

  test('an archive whose directory lies about sizes is refused', async () => {
    await expect(extractDocx(zip({ 'word/document.xml': 'x'.repeat(100_000) }, { claimedSize: 10 }))).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT' });
  });

  test('an archive with a password is encrypted', async () => {
    await expect(extractDocx(zip({ 'word/document.xml': 'x' }, { encrypted: true }))).rejects.toMatchObject({ code: 'DOCUMENT_ENCRYPTED' });
  });

  test('an archive without the parts of a document is corrupt', async () => {
    await expect(extractDocx(zip({ 'word/document.xml': '<w:document' }))).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT' });
  });
});

describe('HTML', () => {
  test('what is seen becomes text, block by block', async () => {
    const { text } = await extractHtml(bytes(`<html><head><title>T</title><style>p{}</style></head><body>
      <p>One   <b>bold</b>&amp;&nbsp;two<br>next</p><script>let x = "<p>no</p>";</script><p hidden>no</p><div style="display: none">no <p>no</p></div>
      <ul><li>a</li><li>b<ol start="3"><li>c</li></ol></li></ul><table><tr><th>x</th><td>y</td></tr><tr><td></td><td>z</td></tr></table><pre>a\n  b</pre></body></html>`));
    expect(text).toBe('One bold&\u00a0two\nnext\n\n- a\n- b\n  3. c\n\nx | y\n | z\n\na\n  b'.replace('\n | z', '\n| z'));
  });

  test('headings, title, author and date are found', async () => {
    const extracted = await extractHtml(bytes('<title> The\n title </title><meta name=author content=Ada><meta property="article:published_time" content="2024-02-29"><h1>One</h1><p>x<h2>Two <i>b</i></h2>y'));
    expect(located(extracted)).toEqual([[1, 'One', 'One'], [2, 'Two b', 'Two b']]);
    expect(extracted.metadata).toMatchObject({ title: 'The title', author: 'Ada', documentCreatedAt: new Date('2024-02-29') });
  });

  test('a declared charset is used, unless the bytes are UTF-8 all the same', async () => {
    const page = '<meta charset="iso-8859-2"><p>Łódź</p>';
    const latin2 = Uint8Array.from(page, (character) => ({ Ł: 0xa3, ó: 0xf3, ź: 0xbc })[character] ?? character.charCodeAt(0));
    expect((await extractHtml(latin2)).text).toBe('Łódź');
    expect((await extractHtml(bytes(page))).text).toBe('Łódź');
  });

  test('a hundred thousand nested tags are read', async () => {
    const { text } = await extractHtml(bytes(`${'<div>'.repeat(100_000)}deep${'</div>'.repeat(100_000)}`));
    expect(text).toBe('deep');
  });
});

describe('Markdown', () => {
  test('the source is stored as it is, and headings point into it', async () => {
    const source = '---\ntitle: "A title"\nauthor:\n  - Ada\n  - Bob\ndate: 2024-02-29\n---\n\n# One *em*\n\n```\n# no heading\n```\n\nTwo\n---\n\ntext\n';
    const { text, headings, metadata } = await extractMarkdown(bytes(source));
    expect(text).toBe(source);
    expect(headings).toEqual([{ level: 1, title: 'One em', start: source.indexOf('# One') }, { level: 2, title: 'Two', start: source.indexOf('Two\n') }]);
    expect(metadata).toMatchObject({ title: 'A title', author: 'Ada, Bob', documentCreatedAt: new Date('2024-02-29') });
  });

  test('without front matter the first heading is the title', async () => {
    expect((await extractMarkdown(bytes('text\n\n# The [name](x) `here`\n'))).metadata.title).toBe('The name here');
  });
});

describe('plain text', () => {
  const russian = 'Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз.';
  const cp866 = Uint8Array.from(russian, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x80) return code;
    return code < 0x440 ? code - 0x410 + 0x80 : code - 0x440 + 0xe0;
  });
  const koi8 = Buffer.from('efc4cec1d6c4d92c20d720d3d4d5c4c5ced5c020dac9cdcec0c020d0cfd2d52c20d120c9da20ccc5d3d520d7d9dbc5cc3b20c2d9cc20d3c9ccd8ced9ca20cdcfd2cfda2e', 'hex');
  const ebcdic = (text: string) => Uint8Array.from(text, (character) => {
    const letters: [string, number][] = [['abcdefghi', 0x81], ['jklmnopqr', 0x91], ['stuvwxyz', 0xa2], ['ABCDEFGHI', 0xc1], [' ', 0x40], ['.', 0x4b], ['\n', 0x25]];
    const found = letters.find(([range]) => range.includes(character))!;
    return found[1] + found[0].indexOf(character);
  });

  test.each([
    ['UTF-8 with a mark', new Uint8Array([0xef, 0xbb, 0xbf, ...bytes('Grüße')]), 'Grüße', 'utf-8'],
    ['UTF-16 with a mark', new Uint8Array(Buffer.from('\ufeffGrüße', 'utf16le')), 'Grüße', 'utf-16le'],
    ['UTF-16 without one', new Uint8Array(Buffer.from('Some plain words.', 'utf16le')), 'Some plain words.', 'utf-16le'],
    ['UTF-8 with a character cut off', bytes('Grüße und mehr ü').subarray(0, -1), 'Grüße und mehr \ufffd', 'utf-8'],
    ['Windows-1252', new Uint8Array([...bytes('These '), 0x93, ...bytes('smart quotes'), 0x94, ...bytes(' are not in ISO 8859-1, I think.')]), 'These “smart quotes” are not in ISO 8859-1, I think.', 'windows-1252'],
    ['Cyrillic of DOS', cp866, russian, 'ibm866'],
    ['Cyrillic of Unix', new Uint8Array(koi8), russian, 'koi8-u'],
    ['EBCDIC', ebcdic('the machine reads this text.\nA line more.'), 'the machine reads this text.\nA line more.', 'cp500'],
  ])('%s is understood', async (_, content, expected, encoding) => {
    const { text, metadata } = await extractText(content);
    expect([text, metadata.extra['encoding']]).toEqual([expected, encoding]);
  });

  test('control characters go, line ends become one kind', async () => {
    expect((await extractText(bytes('a\r\nb\rc\u0001\u001bd\u00ade\tf'))).text).toBe('a\nb\ncde\tf');
  });

  test('bytes that are no text are corrupt', async () => {
    await expect(extractText(new Uint8Array(300).map((_, index) => index % 7))).rejects.toMatchObject({ code: 'DOCUMENT_CORRUPT' });
  });

  test('headings are found only in text written like Markdown', async () => {
    expect((await extractText(bytes('# comment\nx = 1\n# comment\ny = 2\n'))).headings).toEqual([]);
    expect((await extractText(bytes('# One\n\ntext\n\n# Two\n\n[a](http://x)\n\n# Three\n\nend'))).headings).toHaveLength(3);
  });
});
