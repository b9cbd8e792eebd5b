// A cursor: an exact position in a session's stream. Opaque to clients, bound to its session.
import { ValidationError } from '../platform/errors.ts';

/**
 * After the logged event `sequence`; and, while a message is streaming there, after the first `offset` UTF-16 units of its
 * block `blockIndex` (earlier blocks whole).
 */
export interface Position {
  readonly sequence: number;
  readonly messageId: string | null;
  readonly blockIndex: number;
  readonly offset: number;
}

/** The position before everything. */
export const origin: Position = { sequence: 0, messageId: null, blockIndex: 0, offset: 0 };

/** The cursor of a position. */
export function encodeCursor(sessionId: string, at: Position): string {
  return Buffer.from(`1.${sessionId}.${at.sequence}.${at.messageId ?? ''}.${at.blockIndex}.${at.offset}`).toString('base64url');
}

/** The position of a cursor; throws VALIDATION_FAILED for one that is malformed or of another session. */
export function decodeCursor(sessionId: string, cursor: string): Position {
  const match = /^1\.([0-9a-f-]{36})\.(\d{1,10})\.([0-9a-f-]{36})?\.(\d{1,6})\.(\d{1,9})$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match?.[1] !== sessionId) {
    throw new ValidationError('This is not a cursor of this session. Pass the last one that its stream gave, or none.', ['after'], 'cursor');
  }
  return { sequence: Number(match[2]), messageId: match[3] ?? null, blockIndex: Number(match[4]), offset: Number(match[5]) };
}
