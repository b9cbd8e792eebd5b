// The conversation before a question, as the nodes of a run read it. Which messages stand in it the rows decide each time;
// what they say is read once and kept in the cache, as a message that has ended never changes its text.
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import type { Turn } from '../graph/scope.ts';
import { cacheKind } from '../platform/cache.ts';
import { Message, type MessageRole } from './entity.ts';
import { branchIds, readTexts } from './messages.ts';

/** A message that has ended, with its visible text. */
interface Said {
  readonly id: string;
  readonly role: MessageRole;
  readonly text: string;
}

/** What was said on the branch of a session that was read last, by the session's id. */
export const conversations = cacheKind<readonly Said[]>({ name: 'conversation', version: 1, ttlSeconds: 1800, maxEntries: 2000, maxBytes: 32 * 1024 ** 2 });

/** The turns before a question, oldest first. */
export async function historyBefore(ctx: Context, sessionId: string, questionId: string): Promise<Turn[]> {
  const ids = (await branchIds(ctx, questionId)).slice(0, -1);
  return (await read(ctx, sessionId, ids)).map(({ role, text }) => ({ role, text }));
}

/** Puts the branch that ends in an answer in the cache, so that the next question finds it. Never throws. */
export async function keepConversation(ctx: Context, sessionId: string, answerId: string | null): Promise<void> {
  try {
    if (answerId) await read(ctx, sessionId, await branchIds(ctx, answerId));
  } catch (error) {
    ctx.log.warn({ err: error, sessionId }, 'a conversation could not be kept for the next question');
  }
}

/** Takes what was said out of the cache, once it is deleted. */
export async function forgetConversation(app: App, sessionId: string): Promise<void> {
  await app.cache.delete(conversations, sessionId);
}

/** The messages of these ids, in their order; what the cache lacks is read, and put there when it has ended. */
async function read(ctx: Context, sessionId: string, ids: readonly string[]): Promise<Said[]> {
  if (ids.length === 0) return [];
  const { cache } = ctx.app;
  const known = new Map((await cache.get(conversations, sessionId))?.map((said) => [said.id, said]));
  const missing = ids.filter((id) => !known.has(id));
  if (missing.length === 0) return ids.map((id) => known.get(id) as Said);
  const rows = await scoped(ctx, Message).select().select(['id', 'role', 'status']).where('id', 'in', missing).execute();
  const texts = await readTexts(ctx, missing);
  const fresh = new Map(rows.map(({ id, role, status }) => [id, { said: { id, role, text: texts.get(id) ?? '' }, hasEnded: status !== 'STREAMING' && status !== 'INTERRUPTED' }]));
  const messages = ids.flatMap((id) => known.get(id) ?? fresh.get(id)?.said ?? []);
  await cache.set(conversations, sessionId, messages.filter(({ id }) => fresh.get(id)?.hasEnded !== false), { ttlSeconds: conversations.ttlSeconds });
  return messages;
}
