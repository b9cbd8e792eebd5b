// Which of somebody's tasks are meant.
import { scoped } from '../accounts/scoped.ts';
import type { Context, Viewer } from '../context.ts';
import { tokenize } from '../text/tokenise.ts';
import { Task } from './entity.ts';
import type { Match } from './request.ts';

/** The newest tasks that are looked at. */
const maxLookedAt = 2_000;

/** The tasks of the viewer that a request means, the next one due first. What is finished is meant only when its state is named. */
export async function findMatches(ctx: Context, viewer: Viewer, { text, tag, due, status, overdue }: Match): Promise<Task[]> {
  let query = scoped(ctx, Task).select().selectAll().where('task.ownerId', '=', viewer.userId).where('status', 'in', status ? [status] : ['OPEN', 'IN_PROGRESS']);
  if (due) query = query.where('dueAt', '>=', new Date(due.from)).where('dueAt', '<', new Date(due.before));
  if (overdue) query = query.where('dueAt', '<', new Date());
  const rows = (await query.orderBy('createdAt', 'desc').limit(maxLookedAt).execute()) as Task[];
  const labelled = tag === null ? rows : rows.filter(({ tags }) => tags.some((each) => each.toLowerCase() === tag.toLowerCase()));
  return bySaying(labelled, text).sort((a, b) => (a.dueAt ? +a.dueAt : Infinity) - (b.dueAt ? +b.dueAt : Infinity));
}

/** Those with all words of the saying; if there are none, those with most of them, at least half. */
function bySaying(tasks: readonly Task[], text: string | null): Task[] {
  const asked = [...new Set(text === null ? [] : tokenize(text).map(({ term }) => term))];
  if (asked.length === 0) return [...tasks];
  const scored = tasks.map((task) => {
    const has = new Set(tokenize(`${task.title} ${task.notes ?? ''} ${task.tags.join(' ')}`).map(({ term }) => term));
    return { task, share: asked.filter((term) => has.has(term)).length / asked.length };
  });
  const best = Math.max(0, ...scored.map(({ share }) => share));
  return best < 0.5 ? [] : scored.filter(({ share }) => share === best).map(({ task }) => task);
}
