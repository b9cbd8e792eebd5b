// What every extractor gives back, and how it fails.
import { UserError } from '../../platform/errors.ts';

/** A heading of the document; `start` is its offset in the stored text, `level` 1 is the outermost. */
export interface Heading {
  readonly level: number;
  readonly title: string;
  readonly start: number;
}

/** Where page `page` (the first is 1) begins in the stored text; an empty page begins where the next one does. */
export interface PageStart {
  readonly page: number;
  readonly start: number;
}

/** What a document says about itself; `extra` holds plain JSON values under the names of the format. */
export interface ExtractedMetadata {
  readonly title?: string;
  readonly author?: string;
  readonly pageCount?: number;
  readonly documentCreatedAt?: Date;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** A document as text. `text` is what is stored: every offset counts UTF-16 code units into it. */
export interface Extracted {
  readonly text: string;
  /** Null for formats without fixed pages. */
  readonly pages: readonly PageStart[] | null;
  readonly headings: readonly Heading[];
  readonly metadata: ExtractedMetadata;
}

/** What an extractor may need beside the bytes. */
export interface ExtractorOptions {
  readonly password?: string;
}

export type ExtractionErrorCode =
  | 'DOCUMENT_ENCRYPTED' | 'DOCUMENT_HAS_NO_TEXT' | 'DOCUMENT_CORRUPT' | 'DOCUMENT_TOO_COMPLEX' | 'UNSUPPORTED_MEDIA_TYPE' | 'TIMEOUT';

/** A document that cannot be read, and why; `retryable` when the same bytes may succeed at another time. */
export class ExtractionError extends UserError {
  declare readonly code: ExtractionErrorCode;
  readonly retryable: boolean;
  /** Pages of a document that was opened but holds no text. */
  readonly pageCount: number | null;
  constructor(
    code: ExtractionErrorCode, message: string,
    options: ErrorOptions & { readonly retryable?: boolean; readonly pageCount?: number | null } = {},
  ) {
    super(code, message, null, options);
    this.retryable = options.retryable ?? false;
    this.pageCount = options.pageCount ?? null;
  }
}

/** The most text that one document may hold, in UTF-16 code units: some five English Bibles. */
export const maxTextLength = 20_000_000;

/** Throws DOCUMENT_TOO_COMPLEX for a text beyond `maxTextLength`. */
export function checkTextLength(length: number): void {
  if (length <= maxTextLength) return;
  throw new ExtractionError('DOCUMENT_TOO_COMPLEX',
    `The document holds more than ${maxTextLength.toLocaleString('en')} characters of text. Split it and upload the parts.`);
}
