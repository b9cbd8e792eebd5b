// Reading messages: their text, and the branch of the tree that leads to one.
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { Message, MessageBlock } from './entity.ts';
import { noText, type Block, type MessageText } from './walk.ts';

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

/** The saved text of a message and what was withdrawn of it, as they were at one moment; for a tail, whose readers were authorised. */
export async function readMessageText(app: App, messageId: string): Promise<MessageText> {
  return (await readMessageTexts(app, [messageId])).get(messageId) ?? noText;
}

/** As `readMessageText`, of several messages. */
export async function readMessageTexts(app: App, messageIds: readonly string[]): Promise<Map<string, MessageText>> {
  const rows = await kysely(app.database.fork(), Message, MessageBlock)
    .selectFrom('message')
    .innerJoin('message_block', 'message_block.messageId', 'message.id')
    .select(['message.id', 'message.withdrawals', 'message_block.kind', 'message_block.text'])
    .where('message.id', 'in', messageIds)
    .orderBy('message.id')
    .orderBy('message_block.index')
    .execute();
  const texts = new Map<string, MessageText & { readonly blocks: Block[] }>();
  for (const { id, withdrawals, kind, text } of rows) {
    const known = texts.get(id);
    if (known) known.blocks.push({ kind, text });
    else texts.set(id, { blocks: [{ kind, text }], withdrawals });
  }
  return texts;
}
