// The text of a version as it was extracted, stored in pieces: what every passage and citation points into. Offsets count
// UTF-16 code units, ends are exclusive.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { DocumentText } from './entity.ts';
import type { VersionKey } from './store.ts';

/** A piece of the stored text. */
export interface TextPiece {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly text: string;
}

/** The stored text of a version from `start` to `end`; shorter where the text is, empty for a version that is not there. */
export async function readText(ctx: Context, versionId: string, start: number, end: number): Promise<string> {
  return (await readTexts(ctx, [versionId], start, end)).get(versionId) ?? '';
}

/** As readText for many versions in one statement, by version id; only the pieces in the range are read. */
export async function readTexts(ctx: Context, versionIds: readonly string[], start: number, end: number): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  if (end <= start || versionIds.length === 0) return texts;
  const pieces = await scoped(ctx, DocumentText)
    .select()
    .select(['versionId', 'startOffset', 'text'])
    .where('versionId', 'in', [...versionIds])
    .where('startOffset', '<', end)
    .where('endOffset', '>', start)
    .orderBy('versionId')
    .orderBy('startOffset')
    .execute();
  for (const { versionId, startOffset, text } of pieces) {
    const part = text.slice(Math.max(0, start - startOffset), Math.max(0, end - startOffset));
    texts.set(versionId, (texts.get(versionId) ?? '') + part);
  }
  return texts;
}

/** The text in pieces that no character stands across. */
export function textPieces(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  for (let startOffset = 0; startOffset < text.length;) {
    let endOffset = Math.min(startOffset + pieceLength, text.length);
    if (endOffset < text.length && /[\ud800-\udbff]/.test(text[endOffset - 1] ?? '')) endOffset -= 1;
    pieces.push({ startOffset, endOffset, text: text.slice(startOffset, endOffset) });
    startOffset = endOffset;
  }
  return pieces;
}

/** Writes pieces of the text. */
export async function insertText(tx: Context, { workspaceId, versionId }: VersionKey, pieces: readonly TextPiece[]): Promise<void> {
  const rows = pieces.map((piece) => ({ ...piece, versionId, workspaceId }));
  await kysely(tx.em, DocumentText).insertInto('document_text').values(rows as never).execute();
}

/** Removes a version's text. */
export async function deleteText(ctx: Context, versionId: string): Promise<void> {
  await scoped(ctx, DocumentText).delete().where('versionId', '=', versionId).execute();
}

const pieceLength = 32_768;
