// Disambiguate: which task is meant. Where several are, or what is needed was not said, a person is asked, unless nothing is
// to be done anyway.
//
// What was found is kept before a person is asked about it: the answer, which may come a day later, is about those tasks, and
// not about what would be found by then.
import { z } from 'zod';
import { approval, askForApproval } from '../agent/approval.ts';
import { encodeId } from '../builder.ts';
import { permit } from '../context.ts';
import { defineNode } from '../graph/node.ts';
import type { Question, RunScope } from '../graph/scope.ts';
import { taskFields } from './fields.ts';
import { findMatches } from './matching.ts';
import { asJson, shown, summaryOf, taskOutcome, taskRequest, type TaskOutcome, type TaskRequest, type TaskSummary } from './request.ts';
import { tasksById } from './service.ts';

/** Tasks that are offered to choose from, listed or changed at once, at most. */
const maxTasks = 20;
const noneOfThem = 'none';
/** Visits in one run at most: two for each question, also where a graph comes back to it. */
const maxVisits = 100;

/** The node type `taskDisambiguate`. */
export const taskDisambiguateNode = defineNode({
  type: 'taskDisambiguate',
  description: 'Finds the tasks that a request means, and asks a person where several are or something is missing.',
  config: z.object({}),
  input: z.object({ request: taskRequest, outcome: taskOutcome.optional() }),
  output: z.object({ request: taskRequest, outcome: taskOutcome }),
  repeats: ({ values }) => (values['outcome'] as TaskOutcome | undefined)?.state === 'ASKING',
  visits: () => maxVisits,
  async process({ request, outcome: before }, _config, run) {
    const viewer = permit(run.ctx, 'TASK');
    if (before?.state === 'ASKING') return { request, outcome: await chosen(run, request, before) };
    const nothing: TaskOutcome = { state: 'READY', tasks: [], total: 0, callId: null };
    switch (request.operation) {
      case 'create':
        return await titled(run, request, nothing);
      case 'query':
      case 'update':
      case 'delete': {
        const found = (await findMatches(run.ctx, viewer, request.match)).map(summaryOf);
        const outcome = { ...nothing, tasks: found.slice(0, maxTasks), total: found.length };
        return { request, outcome: request.operation === 'query' ? outcome : weighed(request, outcome, run.settings.dryRun) };
      }
      default:
        return { request, outcome: nothing };
    }
  },
});

/** A task needs a title. */
async function titled(run: RunScope, request: TaskRequest, outcome: TaskOutcome) {
  if (request.wanted.title !== undefined) return { request, outcome };
  if (run.settings.dryRun) return { request, outcome: { ...outcome, state: 'UNCLEAR' as const } };
  const responseSchema = z.toJSONSchema(z.string().min(1).max(500).describe(taskFields.title.description ?? ''), { io: 'input' }) as Question['responseSchema'];
  const title = await run.ask({ key: run.visit, kind: 'INPUT', prompt: 'What is to be done?', payload: asJson(request.wanted) as Question['payload'], options: [], responseSchema, callId: null });
  return { request: { ...request, wanted: { ...request.wanted, title: String(title).trim() || 'Task' } }, outcome };
}

/** What follows from what was found. */
function weighed({ operation, wanted, match }: TaskRequest, outcome: TaskOutcome, dryRun: boolean): TaskOutcome {
  if (operation === 'update' && Object.keys(wanted).length === 0) return { ...outcome, state: 'UNCLEAR' };
  if (outcome.total === 0) return { ...outcome, state: 'NOT_FOUND' };
  if (outcome.total === 1) return outcome;
  if (dryRun) return match.all ? outcome : { ...outcome, state: 'SEVERAL' };
  return { ...outcome, state: 'ASKING' };
}

/** Of the tasks that were found those that a person chooses, as far as they are still there and as they are now. */
async function chosen(run: RunScope, { operation, wanted, match }: TaskRequest, { tasks, total, callId }: TaskOutcome): Promise<TaskOutcome> {
  const verb = operation === 'delete' ? 'Delete' : 'Change';
  const payload = asJson({ operation, wanted, total, tasks: tasks.map(publicTask) }) as Question['payload'];
  let picked = tasks;
  if (match.all) {
    const many = total > tasks.length ? `the first ${tasks.length} of ${total} tasks` : `${total} tasks`;
    const { approved } = approval.parse(await run.ask(askForApproval({ key: run.visit, prompt: `${verb} ${many}?`, payload, callId: null })));
    if (!approved) picked = [];
  } else {
    const options = [...tasks.map((task) => ({ value: encodeId('Task', task.id), label: labelOf(task, run.settings.timeZone) })), { value: noneOfThem, label: 'None of these' }];
    const responseSchema = z.toJSONSchema(z.enum(options.map(({ value }) => value))) as Question['responseSchema'];
    const value = await run.ask({ key: run.visit, kind: 'CHOICE', prompt: `${verb} which task?`, payload, options, responseSchema, callId: null });
    picked = tasks.filter(({ id }) => encodeId('Task', id) === value);
  }
  if (picked.length === 0) return { state: 'DECLINED', tasks, total, callId };
  const known = new Map((await tasksById(run.ctx, picked.map(({ id }) => id))).map((task) => [task.id, summaryOf(task)]));
  const left = picked.flatMap(({ id }) => known.get(id) ?? []);
  return { state: left.length > 0 ? 'READY' : 'NOT_FOUND', tasks: left, total: left.length, callId };
}

/** A task as clients know it. */
export function publicTask({ id, ...rest }: TaskSummary) {
  return { id: encodeId('Task', id), ...rest };
}

function labelOf({ title, dueAt }: TaskSummary, timeZone: string): string {
  return dueAt === null ? title : `${title} (${shown(dueAt, timeZone)})`;
}
