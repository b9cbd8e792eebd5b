// The conversation before a question, as the nodes of a run read it. Which messages stand in it the rows decide each time;
// what they say is read once and kept in the cache, as a message that has ended never changes its text.
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import type { Turn } from '../graph/scope.ts';
import { cacheKind } from '../platform/cache.ts';
import { Message } from './entity.ts';
import { readTexts } from './messages.ts';

/** The visible text of a message that has ended. */
interface Said {
  readonly id: string;
  readonly text: string;
}

/** What was said on the branch of a session that was read last, by the session's id. */
export const conversations = cacheKind<readonly Said[]>({ name: 'conversation', version: 1, ttlSeconds: 1800, maxEntries: 2000, maxBytes: 32 * 1024 ** 2 });

/** The turns before a question, oldest first. */
export async function historyBefore(ctx: Context, sessionId: string, questionId: string): Promise<Turn[]> {
  const branch = await branchTo(ctx, sessionId, questionId);
  return await read(ctx, sessionId, branch.slice(0, -1));
}

/** Puts the branch that ends in an answer in the cache, so that the next question finds it. Never throws. */
export async function keepConversation(ctx: Context, sessionId: string, answerId: string | null): Promise<void> {
  try {
    if (answerId) await read(ctx, sessionId, await branchTo(ctx, sessionId, answerId));
  } catch (error) {
    ctx.log.warn({ err: error, sessionId }, 'a conversation could not be kept for the next question');
  }
}

/** Takes what was said out of the cache, once it is deleted; also the answers that are kept for equal questions. */
export async function forgetConversation(app: App, sessionId: string): Promise<void> {
  await app.cache.delete(conversations, sessionId);
  await app.cache.invalidate([`session:${sessionId}`]);
}

type Node = Pick<Message, 'id' | 'parentId' | 'role' | 'status'>;

/** The messages from the root to one, oldest first, without their texts. Walked here: a recursive statement takes ten times as long. */
async function branchTo(ctx: Context, sessionId: string, leafId: string): Promise<Node[]> {
  const rows: Node[] = await scoped(ctx, Message).select().select(['id', 'parentId', 'role', 'status']).where('sessionId', '=', sessionId).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const branch: Node[] = [];
  for (let node = byId.get(leafId); node; node = node.parentId ? byId.get(node.parentId) : undefined) branch.push(node);
  return branch.reverse();
}

/** What the messages of a branch say; what the cache lacks is read, and put there once it has ended. */
async function read(ctx: Context, sessionId: string, branch: readonly Node[]): Promise<Turn[]> {
  if (branch.length === 0) return [];
  const { cache } = ctx.app;
  const texts = new Map((await cache.get(conversations, sessionId))?.map(({ id, text }) => [id, text]));
  const missing = branch.filter(({ id }) => !texts.has(id)).map(({ id }) => id);
  const textOf = (id: string): string => texts.get(id) ?? '';
  if (missing.length > 0) {
    for (const [id, text] of await readTexts(ctx, missing)) texts.set(id, text);
    const ended = branch.filter(({ status }) => status !== 'STREAMING' && status !== 'INTERRUPTED').map(({ id }) => ({ id, text: textOf(id) }));
    await cache.set(conversations, sessionId, ended, { ttlSeconds: conversations.ttlSeconds });
  }
  return branch.map(({ id, role }) => ({ role, text: textOf(id) }));
}
