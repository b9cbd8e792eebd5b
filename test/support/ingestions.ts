// What tests of interrupted ingestions share: files that take a while to be read, and everything that is stored of them, so
// that what came of an interrupted ingestion can be compared with what comes of one that nobody disturbs.
import { docx, paragraph, pdf } from '../documents/fixtures.ts';
import type { UploadFile } from '../documents/support.ts';

const kinds = ['md', 'html', 'docx', 'pdf'] as const;

/** A file of its own for each number: Markdown, HTML, Word or PDF in turn, with so many sections of some 200 words. */
export function makeFile(number: number, sections: number, random: () => number): UploadFile {
  const kind = kinds[number % kinds.length] as (typeof kinds)[number];
  const parts = Array.from({ length: sections }, (_, index) => ({ title: `Section ${index + 1} of ${number}`, sentences: Array.from({ length: 20 }, () => sentence(random)) }));
  return { name: `document-${number}.${kind}`, content: contents[kind](parts) };
}

interface Part {
  readonly title: string;
  readonly sentences: readonly string[];
}

const contents: Readonly<Record<(typeof kinds)[number], (parts: readonly Part[]) => string | Uint8Array>> = {
  md: (parts) => parts.map(({ title, sentences }) => `# ${title}\n\n${sentences.join(' ')}\n`).join('\n'),
  html: (parts) => `<!doctype html><title>Page</title>${parts.map(({ title, sentences }) => `<h1>${title}</h1><p>${sentences.join(' ')}</p>`).join('\n')}`,
  docx: (parts) => docx(parts.map(({ title, sentences }) => paragraph(title, 'Heading1') + paragraph(sentences.join(' '))).join('')),
  pdf: (parts) => pdf(parts.map(({ title, sentences }) => [title, ...sentences].join('\n'))),
};

const syllables = ['ba', 'ko', 'ri', 'mel', 'tan', 'su', 'vor', 'ni', 'dra', 'lep', 'qui', 'zo'];

function sentence(random: () => number): string {
  const pick = (): string => syllables[Math.floor(random() * syllables.length)] as string;
  const words = Array.from({ length: 10 }, () => pick() + pick() + pick());
  return `${words.join(' ')}.`;
}

/** Runs a statement and returns its rows. */
export type Query = (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;

/** All that is stored of a workspace's documents, by the documents' names; equal for equal files that were ingested whole and once. */
export async function storedOf(query: Query, workspaceId: string): Promise<Map<string, Record<string, unknown>>> {
  const hasVectors = (await query("select 1 from pg_tables where tablename = 'chunk_embedding'")).length > 0;
  const ofChunks = (columns: string, from = ''): string => `(select md5(coalesce(string_agg(concat_ws('|', ${columns}), E'\\n' order by ordinal, ${columns}), '')) || ' of ' || count(*)
    from document_chunk ${from} where document_chunk.document_id = document.id)`;
  const rows = await query(
    `select document.name, document.status, document.error, version.text_length, version.chunk_count, version.term_count, document.metadata::text,
      (select count(*)::int from document_version where document_id = document.id) as versions,
      (select count(*)::int from ingestion_job where document_id = document.id and status in ('QUEUED', 'RUNNING')) as unfinished,
      ${ofChunks('ordinal, text, token_count, document_chunk.term_count, page, heading_path::text, start_offset, end_offset, document_chunk.checksum')} as chunks,
      ${ofChunks('ordinal, term, frequency', 'join posting on posting.chunk_id = document_chunk.id')} as postings,
      ${hasVectors ? ofChunks('ordinal, model_id, embedding::text', 'join chunk_embedding on chunk_embedding.chunk_id = document_chunk.id') : 'null'} as vectors,
      (select md5(string_agg(text, '' order by version_id, start_offset)) from document_text where version_id in (select id from document_version where document_id = document.id)) as text
    from document join document_version version on version.id = document.published_version_id
    where document.workspace_id = $1`,
    [workspaceId],
  );
  return new Map(rows.map((row) => [row['name'] as string, row]));
}
