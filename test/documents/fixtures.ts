// Small documents made by hand, so that every byte of a test's input is known.
import { crc32, deflateRawSync } from 'node:zlib';

/** A PDF of one text per page, set in 12 point Helvetica, one line per "\n"; `info` becomes its information dictionary. */
export function pdf(pages: readonly string[], { info = {}, outline = [] }: {
  readonly info?: Readonly<Record<string, string>>;
  readonly outline?: readonly { readonly title: string; readonly page: number; readonly top: number }[];
} = {}): Uint8Array {
  const objects: string[] = [];
  const add = (body: string): number => objects.push(body);
  const pageId = (index: number): number => 4 + index * 2;
  add(`<< /Type /Catalog /Pages 2 0 R${outline.length > 0 ? ` /Outlines ${4 + pages.length * 2} 0 R` : ''} >>`);
  add(`<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, index) => `${pageId(index)} 0 R`).join(' ')}] >>`);
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>');
  pages.forEach((text, index) => {
    const lines = text === '' ? '' : `BT /F1 12 Tf 14 TL 50 750 Td ${text.split('\n').map((line) => `(${line.replace(/[\\()]/g, '\\$&')}) Tj T*`).join(' ')} ET`;
    add(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${pageId(index) + 1} 0 R >>`);
    add(`<< /Length ${lines.length} >>\nstream\n${lines}\nendstream`);
  });
  if (outline.length > 0) {
    const root = add(`<< /Type /Outlines /Count ${outline.length} /First ${objects.length + 2} 0 R /Last ${objects.length + 1 + outline.length} 0 R >>`);
    outline.forEach(({ title, page, top }, index) => {
      const next = index + 1 < outline.length ? ` /Next ${root + index + 2} 0 R` : '';
      add(`<< /Title (${title}) /Parent ${root} 0 R${next} /Dest [${pageId(page - 1)} 0 R /XYZ 0 ${top} 0] >>`);
    });
  }
  const infoId = add(`<< ${Object.entries(info).map(([name, value]) => `/${name} (${value})`).join(' ')} >>`);
  return pdfFile(objects, `/Root 1 0 R /Info ${infoId} 0 R`);
}

/** A PDF that asks for a password: its encryption dictionary matches none. */
export function encryptedPdf(): Uint8Array {
  return pdfFile([
    '<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Count 0 /Kids [] >>',
    `<< /Filter /Standard /V 1 /R 2 /P -4 /O <${'41'.repeat(32)}> /U <${'42'.repeat(32)}> >>`,
  ], `/Root 1 0 R /Encrypt 3 0 R /ID [<${'43'.repeat(16)}> <${'43'.repeat(16)}>]`);
}

function pdfFile(objects: readonly string[], trailer: string): Uint8Array {
  let file = '%PDF-1.7\n';
  const offsets = objects.map((body, index) => {
    const offset = file.length;
    file += `${index + 1} 0 obj\n${body}\nendobj\n`;
    return offset;
  });
  const xref = file.length;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${objects.length + 1} ${trailer} >>\nstartxref\n${xref}\n%%EOF\n`;
  return new Uint8Array(Buffer.from(file, 'latin1'));
}

/** A zip archive; `claimedSize` lets its directory lie about how much an entry unpacks to. */
export function zip(files: Readonly<Record<string, string | Uint8Array>>, { claimedSize, encrypted = false }: {
  readonly claimedSize?: number; readonly encrypted?: boolean;
} = {}): Uint8Array {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = Buffer.from(content as string);
    const packed = deflateRawSync(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(encrypted ? 1 : 0, 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claimedSize ?? data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), fields, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(listing.length, 8);
  end.writeUInt32LE(offset, 12);
  return new Uint8Array(Buffer.concat([...locals, listing, Buffer.from('PK\u0005\u0006'), end]));
}

const word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';

/** A Word document with this body of WordprocessingML. */
export function docx(body: string, { prolog = '', core = '', styles = '' }: {
  readonly prolog?: string; readonly core?: string; readonly styles?: string;
} = {}): Uint8Array {
  const relations = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const packages = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"';
  return zip({
    '[Content_Types].xml': `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
    '_rels/.rels': `<?xml version="1.0"?><Relationships ${packages}><Relationship Id="r1" Type="${relations}/officeDocument" Target="word/document.xml"/></Relationships>`,
    'word/document.xml': `<?xml version="1.0" encoding="UTF-8"?>${prolog}<w:document ${word}><w:body>${body}</w:body></w:document>`,
    'word/styles.xml': `<?xml version="1.0"?><w:styles ${word}>${styles}</w:styles>`,
    'word/_rels/document.xml.rels': `<?xml version="1.0"?><Relationships ${packages}><Relationship Id="r1" Type="${relations}/styles" Target="styles.xml"/></Relationships>`,
    'docProps/core.xml': `<?xml version="1.0"?><cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">${core}</cp:coreProperties>`,
  });
}

/** A paragraph of WordprocessingML, with a style by its id. */
export function paragraph(text: string, style?: string): string {
  return `<w:p>${style ? `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>` : ''}<w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;
}

/** UTF-8 bytes. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
