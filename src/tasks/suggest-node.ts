// Suggest: what to look at next, after something was done: what clashes with it, what is overdue, and the next step.
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { encodeId } from '../builder.ts';
import { permit, type Context, type Viewer } from '../context.ts';
import { defineNode } from '../graph/node.ts';
import { publicTask } from './disambiguate-node.ts';
import { Task } from './entity.ts';
import { asJson, suggestion, taskOutcome, taskRequest, type Suggestion, type TaskOutcome, type TaskRequest } from './request.ts';

/** Two tasks closer than this clash, in milliseconds. */
const clashMs = 30 * 60_000;

/** The node type `taskSuggest`. */
export const taskSuggestNode = defineNode({
  type: 'taskSuggest',
  description: 'Suggests what to look at next: a clash, what is overdue, the next step.',
  config: z.object({}),
  input: z.object({ request: taskRequest, outcome: taskOutcome }),
  output: z.object({ suggestions: z.array(suggestion) }),
  async process({ request, outcome }, _config, run) {
    if (outcome.state !== 'DONE') return { suggestions: [] };
    const viewer = permit(run.ctx, 'TASK');
    const suggestions = [...(await clashes(run.ctx, viewer, request, outcome)), ...(await overdue(run.ctx, viewer, outcome)), ...nextSteps(request, outcome)];
    const call = run.said().find((part) => part.type === 'toolCall' && part.callId === outcome.callId);
    if (call?.type === 'toolCall') {
      const shown = suggestions.map(({ taskId, ...rest }) => ({ ...rest, taskId: taskId && encodeId('Task', taskId) }));
      run.emit({ ...call, result: asJson({ ...(call.result as object), tasks: outcome.tasks.map(publicTask), suggestions: shown }) });
    }
    return { suggestions };
  },
});

/** The viewer's tasks that are not finished. */
function unfinished(ctx: Context, viewer: Viewer) {
  return scoped(ctx, Task).select().selectAll().where('task.ownerId', '=', viewer.userId).where('status', 'in', ['OPEN', 'IN_PROGRESS']);
}

async function clashes(ctx: Context, viewer: Viewer, { operation, wanted }: TaskRequest, { tasks }: TaskOutcome): Promise<Suggestion[]> {
  const [task] = tasks;
  if (!task?.dueAt || !(operation === 'create' || (operation === 'update' && wanted.dueAt))) return [];
  const at = +new Date(task.dueAt);
  let query = unfinished(ctx, viewer).where('dueAt', '>', new Date(at - clashMs)).where('dueAt', '<', new Date(at + clashMs));
  if (task.id !== '') query = query.where('id', '<>', task.id);
  const others = (await query.orderBy('dueAt').limit(3).execute()) as Task[];
  return others.map(({ id, title }) => ({ kind: 'CLASH', message: `"${title}" is due at about the same time.`, taskId: id }));
}

async function overdue(ctx: Context, viewer: Viewer, { tasks }: TaskOutcome): Promise<Suggestion[]> {
  const late = ((await unfinished(ctx, viewer).where('dueAt', '<', new Date()).orderBy('dueAt').limit(50).execute()) as Task[]).filter(({ id }) => !tasks.some((task) => task.id === id));
  const [first] = late;
  if (!first) return [];
  return [{ kind: 'OVERDUE', message: late.length === 1 ? `"${first.title}" is overdue.` : `${late.length} tasks are overdue, "${first.title}" for the longest time.`, taskId: first.id }];
}

function nextSteps({ operation }: TaskRequest, { tasks, total }: TaskOutcome): Suggestion[] {
  const [task] = tasks;
  if (operation === 'create' && task && task.dueAt === null) return [{ kind: 'NEXT_STEP', message: 'Say when it is due.', taskId: task.id || null }];
  if (operation === 'query' && total === 0) return [{ kind: 'NEXT_STEP', message: 'Create one by saying what is to be done.', taskId: null }];
  if (operation === 'query' && task) return [{ kind: 'NEXT_STEP', message: `Begin with "${task.title}".`, taskId: task.id }];
  return [];
}
