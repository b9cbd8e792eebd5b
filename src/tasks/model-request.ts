// A request as a model understands it: the functions that it may call, made of the fields of a task, and what their arguments
// come to. The same schemas are shown to the model and used to check what it sends.
import { z } from 'zod';
import type { RequestedCall } from '../models/ask.ts';
import { taskFields } from './fields.ts';
import { resolveDue } from './dates.ts';
import { anyTask, type Match, type TaskRequest, type Wanted } from './request.ts';
import { dayOf } from './rule-request.ts';

const due = z.string().max(200).describe('When it must be done, in the time zone of the user: ISO 8601 without an offset, such as "2026-12-24T18:00", or the words of the user.');
const changes = { notes: taskFields.notes.optional(), priority: taskFields.priority.optional(), due: due.optional(), tags: taskFields.tags.optional() };
const which = {
  task: z.string().max(500).describe('Words of the title by which the task is found, as the user said them.').optional(),
  tag: z.string().max(50).describe('Only tasks with this label.').optional(),
  dueOn: due.describe('Only tasks that are due on this day.').optional(),
  withStatus: taskFields.status.describe('Only tasks in this state.').optional(),
  all: z.boolean().describe('Whether the user means all that match.').default(false),
};

/** What a model may call, by name. */
export const taskFunctions = {
  create_task: { description: 'Makes a task: also for reminders, events and things on lists.', parameters: z.object({ title: taskFields.title, ...changes }) },
  find_tasks: { description: 'Looks tasks up.', parameters: z.object({ ...which, overdue: z.boolean().describe('Only tasks whose time has passed.').default(false) }) },
  update_task: { description: 'Changes a task, also when it is done or moved.', parameters: z.object({ ...which, newTitle: taskFields.title.optional(), status: taskFields.status.optional(), ...changes }) },
  delete_task: { description: 'Deletes a task.', parameters: z.object(which) },
} as const;

/** What was wrong with a call, for the model. */
export class WrongCallError extends Error {}

/** The request that a call comes to; throws WrongCallError. */
export function requestOfCall({ name, arguments: given, invalid }: RequestedCall, now: Date, timeZone: string): TaskRequest {
  if (!Object.hasOwn(taskFunctions, name)) throw new WrongCallError(`There is no function ${JSON.stringify(name.slice(0, 100))}. Functions: ${Object.keys(taskFunctions).join(', ')}.`);
  if (invalid !== null || given === null) throw new WrongCallError('The arguments are no JSON object.');
  const dueAt = (words: string, field: string): Date => {
    const found = resolveDue(words, now, timeZone);
    if (!found) throw new WrongCallError(`${field}: no day or time is meant by ${JSON.stringify(words)}.`);
    return found.dueAt;
  };
  const read = <S extends z.ZodType>(schema: S): z.output<S> => {
    const result = schema.safeParse(given);
    if (!result.success) throw new WrongCallError(`The arguments do not fit: ${z.prettifyError(result.error)}`);
    return result.data;
  };
  const wantedOf = ({ notes, priority, due, tags }: { notes?: string | undefined; priority?: Wanted['priority']; due?: string | undefined; tags?: string[] | undefined }): Wanted => ({
    ...(notes !== undefined && { notes }),
    ...(priority && { priority }),
    ...(due !== undefined && { dueAt: dueAt(due, 'due').toISOString() }),
    ...(tags && { tags }),
  });
  const matchOf = ({ task, tag, dueOn, withStatus, all }: z.output<typeof taskFunctions.delete_task.parameters>): Match => ({
    ...anyTask,
    text: task ?? null,
    tag: tag ?? null,
    due: dueOn === undefined ? null : dayOf(dueAt(dueOn, 'dueOn'), timeZone),
    status: withStatus ?? null,
    all,
  });
  switch (name as keyof typeof taskFunctions) {
    case 'create_task': {
      const { title, ...rest } = read(taskFunctions.create_task.parameters);
      return { operation: 'create', confidence: 1, wanted: { title, ...wantedOf(rest) }, match: anyTask };
    }
    case 'find_tasks': {
      const { overdue, ...rest } = read(taskFunctions.find_tasks.parameters);
      return { operation: 'query', confidence: 1, wanted: {}, match: { ...matchOf(rest), overdue } };
    }
    case 'update_task': {
      const { newTitle, status, ...rest } = read(taskFunctions.update_task.parameters);
      return { operation: 'update', confidence: 1, wanted: { ...(newTitle && { title: newTitle }), ...(status && { status }), ...wantedOf(rest) }, match: matchOf(rest) };
    }
    case 'delete_task':
      return { operation: 'delete', confidence: 1, wanted: {}, match: matchOf(read(taskFunctions.delete_task.parameters)) };
  }
}
