// The tails of one instance. Each is open as long as somebody holds it. On a server, where other instances write, one
// statement per interval compares all of them with their rows: with every message between instances lost, streams are
// still complete, a moment later.
import type { App } from '../context.ts';
import { kysely } from '../platform/database.ts';
import { defineWatch } from '../platform/watch.ts';
import { ChatSession } from './entity.ts';
import { readMessageTexts } from './messages.ts';
import { openTail, type OpenTail, type Tail } from './tail.ts';
import { noText } from './walk.ts';

/** The tails of this instance. */
export interface Tails {
  /** Opens or shares the session's tail; null when there is no such session. `release` it once. */
  hold(sessionId: string): Promise<{ readonly tail: Tail; release(): Promise<void> } | null>;
  peek(sessionId: string): Tail | undefined;
}

declare module '../context.ts' {
  interface App {
    readonly tails: Tails;
  }
}

/** Half a second; with the quarter of a second in which drafts are saved, below one second. */
const watch = defineWatch<App, OpenTail>({ what: 'streams', intervalMs: 500, open: (app) => (tails) => compareAll(app, tails) });

/** No tails yet. */
export function createTails(app: () => App): Tails {
  const open = new Map<string, { holders: number; opening: Promise<OpenTail | null>; tail?: OpenTail | null; unwatch?: () => void }>();
  return {
    peek: (sessionId) => open.get(sessionId)?.tail ?? undefined,
    async hold(sessionId) {
      const entry = open.get(sessionId) ?? { holders: 0, opening: openTail(app(), sessionId) };
      open.set(sessionId, entry);
      entry.holders++;
      let released = false;
      const release = async (): Promise<void> => {
        if (released) return;
        released = true;
        if (--entry.holders > 0) return;
        if (open.get(sessionId) === entry) open.delete(sessionId);
        entry.unwatch?.();
        await entry.tail?.close();
      };
      try {
        entry.tail = await entry.opening;
      } catch (error) {
        await release();
        throw error;
      }
      if (entry.tail) {
        entry.unwatch ??= watch(app(), entry.tail);
        return { tail: entry.tail, release };
      }
      await release();
      return null;
    },
  };
}

async function compareAll(app: App, tails: readonly OpenTail[]): Promise<void> {
  const ids = tails.map((tail) => tail.sessionId);
  const rows = await kysely(app.database.fork(), ChatSession).selectFrom('chat_session').select(['id', 'lastSequence', 'clearedSequence']).where('id', 'in', ids).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const tail of tails) tail.compare(byId.get(tail.sessionId) ?? null);
  const quiet = tails.flatMap((tail) => {
    const messageId = tail.quiet();
    return messageId === null ? [] : [{ tail, messageId }];
  });
  if (quiet.length === 0) return;
  const saved = await readMessageTexts(app, quiet.map(({ messageId }) => messageId));
  for (const { tail, messageId } of quiet) tail.load(messageId, saved.get(messageId) ?? noText);
}
