// The process in which documents are read and cut. It may hang, swell or crash on a hostile file: its parent kills it.
// One message in, one message out; it ends when its parent does.
import { chunk, type ChunkOptions } from '../chunk.ts';
import { detectMediaType, type MediaType } from '../media.ts';
import { wordCount } from '../../text/counts.ts';
import { language } from '../../text/language.ts';
import { hasWord } from './characters.ts';
import { checkTextLength, ExtractionError, type Extracted, type ExtractorOptions } from './extracted.ts';
import type { Answer, Job, ReadAnswer, Span } from './messages.ts';

process.on('message', (job: Job) => {
  void answer(job).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit());
// Readers of damaged files leave promises behind that nobody waits for; what counts is the outcome of the job.
process.on('unhandledRejection', () => {});

async function answer(job: Job): Promise<Answer> {
  try {
    if (job.task === 'chunk') return { ok: true, value: spans(job.document, job.chunking) };
    return { ok: true, value: await read(job) };
  } catch (error) {
    const { code, message, retryable, pageCount } = expected(error);
    const detail = error instanceof Error ? error.stack ?? error.message : String(error);
    return { ok: false, error: { code, message, retryable, pageCount, detail } };
  }
}

async function read({ bytes, name, mediaType: declared, password, chunking }: Job & { task: 'extract' }): Promise<ReadAnswer> {
  const mediaType = declared ?? (await detectMediaType(bytes, name));
  const extracted = await readers(mediaType)(bytes, { password });
  checkTextLength(extracted.text.length);
  if (!hasWord(extracted.text)) {
    const pageCount = extracted.metadata.pageCount ?? null;
    throw new ExtractionError('DOCUMENT_HAS_NO_TEXT', 'The document holds no letter and no digit. Upload one that has text.', { pageCount });
  }
  const document = { ...extracted, headings: extracted.headings.slice(0, maxHeadings) };
  return {
    ...document, mediaType,
    wordCount: wordCount(document.text),
    language: language(document.text),
    spans: chunking ? spans(document, chunking) : null,
  };
}

const maxHeadings = 50_000;

/** The text of a chunk is a range of the document's: it need not travel twice. */
function spans(document: Parameters<typeof chunk>[0], chunking: ChunkOptions): Span[] {
  return chunk(document, chunking)
    .map(({ ordinal, start, end, page, headingPath, tokenCount }) => ({ ordinal, start, end, page, headingPath, tokenCount }));
}

/** Each reader is loaded when it is first needed: starting costs more than most documents. */
function readers(mediaType: MediaType): (bytes: Uint8Array, options: ExtractorOptions) => Promise<Extracted> {
  return async (bytes, options) => {
    switch (mediaType) {
      case 'application/pdf': return (await import('./pdf.ts')).extractPdf(bytes, options);
      case 'text/html': return (await import('./html.ts')).extractHtml(bytes);
      case 'text/markdown': return (await import('./markdown.ts')).extractMarkdown(bytes);
      case 'text/plain': return (await import('./text.ts')).extractText(bytes);
      default: return (await import('./docx.ts')).extractDocx(bytes);
    }
  };
}

function expected(error: unknown): ExtractionError {
  if (error instanceof ExtractionError) return error;
  // Stack, string and buffer limits are reached by documents that are too deep or too long, not by damaged ones.
  return error instanceof RangeError
    ? new ExtractionError('DOCUMENT_TOO_COMPLEX', 'The document is too deeply nested or too long to be read. Upload its text alone, or in parts.')
    : new ExtractionError('DOCUMENT_CORRUPT', 
      'The document is damaged in a way that its reader does not know. Save it again in its application and upload that file.');
}
