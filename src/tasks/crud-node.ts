// CRUD: does it, by the same functions that clients call. The effect and its call in the answer commit together, once.
import { z } from 'zod';
import { permit } from '../context.ts';
import { defineNode } from '../graph/node.ts';
import type { RunScope } from '../graph/scope.ts';
import { expectedErrors } from '../platform/errors.ts';
import { announceTask, type TaskChange } from './changes.ts';
import { publicTask } from './disambiguate-node.ts';
import { asJson, patchOf, summaryOf, taskOutcome, taskRequest, taskSummary, type TaskOutcome, type TaskRequest, type TaskSummary } from './request.ts';
import { changeTask, insertTask, removeTask } from './service.ts';

const names = { create: 'create_task', query: 'find_tasks', update: 'update_task', delete: 'delete_task' } as const;
type Effective = keyof typeof names;

/** The node type `taskCrud`. */
export const taskCrudNode = defineNode({
  type: 'taskCrud',
  description: 'Creates, finds, changes or deletes the tasks that a request means.',
  config: z.object({}),
  input: z.object({ request: taskRequest, outcome: taskOutcome }),
  output: z.object({ outcome: taskOutcome }),
  hasEffects: true,
  async process({ request, outcome }, _config, run) {
    const { operation } = request;
    if (outcome.state !== 'READY' || !(operation in names)) return { outcome };
    return { outcome: await carryOut(run, operation as Effective, request, outcome) };
  },
});

async function carryOut(run: RunScope, operation: Effective, request: TaskRequest, outcome: TaskOutcome): Promise<TaskOutcome> {
  const callId = `${run.visit}.0`;
  const call = { callId, name: names[operation], arguments: asJson(argumentsOf(operation, request, outcome.tasks)) };
  run.emit({ type: 'toolCall', ...call, status: 'RUNNING', result: null, error: null });
  try {
    const tasks = operation === 'query' ? outcome.tasks : run.settings.dryRun ? planned(operation, request, outcome.tasks, run.settings.timeZone) : await change(run, operation, request, outcome.tasks, call);
    run.emit({ type: 'toolCall', ...call, status: 'SUCCEEDED', result: asJson({ tasks: tasks.map(publicTask), ...(run.settings.dryRun && { dryRun: true }) }), error: null });
    return { state: 'DONE', tasks, total: operation === 'query' ? outcome.total : tasks.length, callId };
  } catch (error) {
    const expected = expectedErrors(error);
    if (!expected) throw error;
    run.emit({ type: 'toolCall', ...call, status: 'FAILED', result: null, error: expected.map(({ message }) => message).join(' ') });
    // Deleted while somebody was asked.
    if (expected.every(({ code }) => code === 'NOT_FOUND')) return { ...outcome, state: 'NOT_FOUND', callId };
    throw error;
  }
}

function argumentsOf(operation: Effective, { wanted, match }: TaskRequest, tasks: readonly TaskSummary[]): object {
  if (operation === 'create') return wanted;
  return operation === 'query' ? match : { ids: tasks.map((task) => publicTask(task).id), ...(operation === 'update' && { patch: wanted }) };
}

async function change(run: RunScope, operation: Exclude<Effective, 'query'>, { wanted }: TaskRequest, tasks: readonly TaskSummary[], call: { callId: string; name: string; arguments: ReturnType<typeof asJson> }): Promise<TaskSummary[]> {
  const viewer = permit(run.ctx, 'TASK');
  const changes: (TaskChange | null)[] = [];
  const changed = await run.once({ id: call.callId, name: call.name, arguments: call.arguments }, async (tx) => {
    const done =
      operation === 'create'
        ? [await insertTask(tx, viewer, { ...wanted, title: wanted.title ?? '' }, run.runId)]
        : await inTurn(tasks, ({ id }) =>
            operation === 'delete'
              ? removeTask(tx, viewer, id, run.runId)
              : changeTask(tx, viewer, id, (task) => patchOf(wanted, task, new Date(), run.settings.timeZone), run.runId));
    changes.push(...done.map((each) => each.change));
    return asJson(done.map(({ task }) => summaryOf(task)));
  });
  for (const each of changes) announceTask(run.ctx.app, each);
  return z.array(taskSummary).parse(changed);
}

/** One statement after the other, as a transaction wants it. */
async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** What tasks would be. */
function planned(operation: Exclude<Effective, 'query'>, { wanted }: TaskRequest, tasks: readonly TaskSummary[], timeZone: string): TaskSummary[] {
  const { title, priority, dueAt, tags } = wanted;
  if (operation === 'create') return [{ id: '', title: title ?? '', status: 'OPEN', priority: priority ?? 'NORMAL', dueAt: dueAt ?? null, tags: tags ?? [] }];
  if (operation === 'delete') return [...tasks];
  return tasks.map((task) => {
    const { notes: _notes, ...patch } = patchOf(wanted, { ...task, dueAt: task.dueAt === null ? null : new Date(task.dueAt) }, new Date(), timeZone);
    return { ...task, ...patch };
  });
}
