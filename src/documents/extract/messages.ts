// What the reading process is asked and answers.
import type { Chunk, ChunkOptions } from '../chunk.ts';
import type { MediaType } from '../media.ts';
import type { Extracted, ExtractionErrorCode } from './extracted.ts';

export type Job =
  | {
      readonly task: 'extract'; readonly bytes: Uint8Array; readonly name: string; readonly mediaType?: MediaType;
      readonly password?: string; readonly chunking?: ChunkOptions;
    }
  | { readonly task: 'chunk'; readonly document: Pick<Extracted, 'text' | 'pages' | 'headings'>; readonly chunking: ChunkOptions };

/** A chunk without its text. */
export type Span = Omit<Chunk, 'text'>;

export interface ReadAnswer extends Extracted {
  readonly mediaType: MediaType;
  readonly wordCount: number;
  readonly language: string | null;
  readonly spans: readonly Span[] | null;
}

export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: Failure };

/** An `ExtractionError` on its way between processes; `detail` is the stack where it arose, for the log. */
export interface Failure {
  readonly code: ExtractionErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly pageCount: number | null;
  readonly detail: string;
}
