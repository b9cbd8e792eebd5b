// Plain text: the encoding found, the characters cleaned, nothing else changed.
import { decodeText } from './decode.ts';
import type { Extracted } from './extracted.ts';
import { looksLikeMarkdown, readMarkdown } from './markdown.ts';

/** A plain text as it stands; headings and a title only where it is written like Markdown. */
export async function extractText(bytes: Uint8Array): Promise<Extracted> {
  const { text, encoding } = decodeText(bytes);
  const { headings, metadata } = looksLikeMarkdown(text) ? readMarkdown(text) : { headings: [], metadata: { extra: {} } };
  return { text, pages: null, headings, metadata: { ...metadata, extra: { encoding, ...metadata.extra } } };
}
