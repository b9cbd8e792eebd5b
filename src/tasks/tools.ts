// Tools with which a model keeps tasks while it answers, in any profile that names them: the same functions as for clients.
import { z } from 'zod';
import { defineTool, type ToolScope } from '../agent/tools.ts';
import { decodeId } from '../builder.ts';
import { permit } from '../context.ts';
import { announceTask } from './changes.ts';
import { publicTask } from './disambiguate-node.ts';
import { taskFields } from './fields.ts';
import { findMatches } from './matching.ts';
import { changes, matchOfWords, taskFunctions, wantedOf } from './model-request.ts';
import { asJson, summaryOf } from './request.ts';
import { changeTask, insertTask, removeTask, type Changed } from './service.ts';

/** Tasks that a model is shown at once. */
const maxShown = 50;

const id = z.string().max(200).describe('Id of the task, as find_tasks gives it.');
const own = { permission: 'TASK', requiresApproval: false, hasEffects: true } as const;

/** Announces a change once it is committed; the task as the model reads it. */
function told({ run, afterCommit }: ToolScope, { task, change }: Changed) {
  afterCommit(() => announceTask(run.ctx.app, change));
  return asJson(publicTask(summaryOf(task)));
}

/** The tool `create_task`. */
export const createTask = defineTool({
  ...own,
  name: 'create_task',
  description: taskFunctions.create_task.description,
  parameters: taskFunctions.create_task.parameters,
  async execute({ title, ...rest }, scope) {
    const { ctx, run } = scope;
    return told(scope, await insertTask(ctx, permit(ctx, 'TASK'), { title, ...wantedOf(rest, new Date(), run.settings.timeZone) }, run.runId));
  },
});

/** The tool `find_tasks`. */
export const findTasks = defineTool({
  ...own,
  name: 'find_tasks',
  description: taskFunctions.find_tasks.description,
  parameters: taskFunctions.find_tasks.parameters.omit({ all: true }),
  hasEffects: false,
  async execute({ overdue, ...rest }, { ctx, run }) {
    const match = { ...matchOfWords({ ...rest, all: true }, new Date(), run.settings.timeZone), overdue };
    const found = await findMatches(ctx, permit(ctx, 'TASK'), match);
    return asJson({ total: found.length, tasks: found.slice(0, maxShown).map((task) => publicTask(summaryOf(task))) });
  },
});

/** The tool `update_task`. */
export const updateTask = defineTool({
  ...own,
  name: 'update_task',
  description: taskFunctions.update_task.description,
  parameters: z.object({ id, title: taskFields.title.optional(), status: taskFields.status.optional(), ...changes }),
  async execute({ id, title, status, ...rest }, scope) {
    const { ctx, run } = scope;
    const patch = { ...(title && { title }), ...(status && { status }), ...wantedOf(rest, new Date(), run.settings.timeZone) };
    return told(scope, await changeTask(ctx, permit(ctx, 'TASK'), decodeId('Task', id), patch, run.runId));
  },
});

/** The tool `delete_task`. */
export const deleteTask = defineTool({
  ...own,
  name: 'delete_task',
  description: taskFunctions.delete_task.description,
  parameters: z.object({ id }),
  requiresApproval: true,
  async execute({ id }, scope) {
    const { ctx, run } = scope;
    return told(scope, await removeTask(ctx, permit(ctx, 'TASK'), decodeId('Task', id), run.runId));
  },
});
