// Reading messages: their text, and the branch of the tree that leads to one.
import { scoped } from '../accounts/scoped.ts';
import type { Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { Message, MessageBlock, type MessageRole } from './entity.ts';

/** A message of a branch with its visible text. */
export interface BranchMessage {
  readonly id: string;
  readonly role: MessageRole;
  readonly text: string;
}

/** The ids from the root to a message of the context's workspace, oldest first. */
export async function branchIds(ctx: Context, messageId: string): Promise<string[]> {
  const found = await sql<{ id: string }>`
    with recursive branch(id, parent_id, depth) as (
      select id, parent_id, 0 from message where id = ${messageId} and workspace_id = ${ctx.workspaceId}
      union all
      select message.id, message.parent_id, depth + 1 from message join branch on message.id = branch.parent_id
    ) select id from branch order by depth desc`.execute(kysely(ctx.em));
  return found.rows.map((row) => row.id);
}

/** The messages from the root to one, oldest first. */
export async function branchTo(ctx: Context, messageId: string): Promise<BranchMessage[]> {
  const ids = await branchIds(ctx, messageId);
  if (ids.length === 0) return [];
  const rows = await scoped(ctx, Message).select().select(['id', 'role']).where('id', 'in', ids).execute();
  const texts = await readTexts(ctx, ids);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => {
    const row = byId.get(id);
    return row ? [{ id, role: row.role, text: texts.get(id) ?? '' }] : [];
  });
}

/** The visible text of each message: its text blocks, joined. */
export async function readTexts(ctx: Context, messageIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await scoped(ctx, MessageBlock)
    .select()
    .select(['messageId', 'text'])
    .where('messageId', 'in', messageIds)
    .where('kind', '=', 'TEXT')
    .orderBy('index')
    .execute();
  const texts = new Map<string, string>();
  for (const row of rows) texts.set(row.messageId, (texts.get(row.messageId) ?? '') + row.text);
  return texts;
}

/** The visible text of one message. */
export async function readText(ctx: Context, messageId: string): Promise<string> {
  return (await readTexts(ctx, [messageId])).get(messageId) ?? '';
}
