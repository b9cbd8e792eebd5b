// A document's bytes to its text, and its text to chunks, in a process of their own that can be killed.
import type { Chunk, ChunkOptions } from './chunk.ts';
import type { Extracted } from './extract/extracted.ts';
import type { ReadAnswer, Span } from './extract/messages.ts';
import { closeReaders, runJob, type Limits } from './extract/process.ts';
import type { MediaType } from './media.ts';

export {
  ExtractionError, type Extracted, type ExtractedMetadata, type ExtractionErrorCode, type Heading, type PageStart,
} from './extract/extracted.ts';
export type { Limits } from './extract/process.ts';

/** A document as text, with what is known of it; `language` is null when the text is too short or mixed to tell. */
export interface ExtractedDocument extends Extracted {
  readonly mediaType: MediaType;
  readonly wordCount: number;
  readonly language: string | null;
  /** Null unless `chunking` was asked for. */
  readonly chunks: readonly Chunk[] | null;
}

export interface ExtractOptions extends Limits {
  /** The file's name; it only tells Markdown from plain text. */
  readonly name?: string;
  /** What the bytes are, when somebody has said so; otherwise their content tells. */
  readonly mediaType?: MediaType;
  readonly password?: string;
  /** Cut the text in the same process, which spares the event loop counting tokens. */
  readonly chunking?: ChunkOptions;
}

/** Reads a document. Throws `ExtractionError`, or the signal's reason when that is aborted. */
export async function extract(bytes: Uint8Array, options: ExtractOptions = {}): Promise<ExtractedDocument> {
  const { name = '', mediaType, password, chunking, ...limits } = options;
  const { spans, ...document } = await runJob({ task: 'extract', bytes, name, mediaType, password, chunking }, limits) as ReadAnswer;
  return { ...document, chunks: spans && withText(document.text, spans) };
}

/** Cuts a text that is already stored, as `chunk` does, without holding up this process. */
export async function chunkElsewhere(
  document: Pick<Extracted, 'text' | 'pages' | 'headings'>, chunking: ChunkOptions, limits: Limits = {},
): Promise<readonly Chunk[]> {
  const { text, pages, headings } = document;
  return withText(text, await runJob({ task: 'chunk', document: { text, pages, headings }, chunking }, limits) as readonly Span[]);
}

/** Ends the reading processes; jobs under way fail with a retryable error. */
export async function close(): Promise<void> {
  await closeReaders();
}

function withText(text: string, spans: readonly Span[]): readonly Chunk[] {
  return spans.map((span) => ({ ...span, text: text.slice(span.start, span.end) }));
}
