// Reading messages: their text, and the branch of the tree that leads to one.
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { MessageBlock } from './entity.ts';
import type { Block } from './walk.ts';

/** A branch: the ids from its root to its leaf. */
interface Branch {
  readonly sessionId: string;
  readonly ids: string[];
}

/** The branches that end in these messages of the context's workspace, by leaf, in one statement. */
export async function branchesTo(ctx: Context, leafIds: readonly string[]): Promise<Map<string, Branch>> {
  const found = await sql<{ leaf: string; id: string; sessionId: string }>`
    with recursive branch(leaf, id, parent_id, session_id, depth) as (
      select id, id, parent_id, session_id, 0 from message where id = any(${sql.val(leafIds)}::uuid[]) and workspace_id = ${ctx.workspaceId}
      union all
      select branch.leaf, message.id, message.parent_id, branch.session_id, depth + 1 from message join branch on message.id = branch.parent_id
    ) select leaf, id, session_id from branch order by leaf, depth desc`.execute(kysely(ctx.em));
  const branches = new Map<string, Branch>();
  for (const { leaf, id, sessionId } of found.rows) {
    const branch = branches.get(leaf);
    if (branch) branch.ids.push(id);
    else branches.set(leaf, { sessionId, ids: [id] });
  }
  return branches;
}

/** The ids from the root to one message, oldest first; none when there is no such message. */
export async function branchIds(ctx: Context, messageId: string): Promise<string[]> {
  return (await branchesTo(ctx, [messageId])).get(messageId)?.ids ?? [];
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

/** The saved text of a message, block by block; for a tail, whose readers were authorised. */
export async function readBlocks(app: App, messageId: string): Promise<Block[]> {
  return (await readBlocksOf(app, [messageId])).get(messageId) ?? [];
}

/** The saved texts of messages, block by block; for tails, whose readers were authorised. */
export async function readBlocksOf(app: App, messageIds: readonly string[]): Promise<Map<string, Block[]>> {
  const rows = await kysely(app.database.fork(), MessageBlock)
    .selectFrom('message_block')
    .select(['messageId', 'kind', 'text'])
    .where('messageId', 'in', messageIds)
    .orderBy('messageId')
    .orderBy('index')
    .execute();
  const texts = new Map<string, Block[]>();
  for (const { messageId, kind, text } of rows) texts.set(messageId, [...(texts.get(messageId) ?? []), { kind, text }]);
  return texts;
}
