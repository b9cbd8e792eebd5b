// A request as a model understands it: the functions that it may call, made of the fields of a task, and what their arguments
// come to. The same schemas are shown to the model and used to check what it sends.
import { z } from 'zod';
import type { RequestedCall } from '../models/ask.ts';
import { UserError } from '../platform/errors.ts';
import { taskFields } from './fields.ts';
import { resolveDue } from './english/dates.ts';
import { resolvePeriod, type Period } from './english/period.ts';
import { anyTask, type Match, type TaskRequest, type Wanted } from './request.ts';

const due = z.string().max(200).describe('When it must be done, in the time zone of the user: ISO 8601 without an offset, such as "2026-12-24T18:00", or the words of the user.');
/** What a model may say of a task beside its title. */
export const changes = { notes: taskFields.notes.optional(), priority: taskFields.priority.optional(), due: due.optional(), tags: taskFields.tags.optional() };
/** How a model says which tasks are meant. */
export const which = {
  task: z.string().max(500).describe('Words of the title by which the task is found, as the user said them.').optional(),
  tag: z.string().max(50).describe('Only tasks with this label.').optional(),
  dueOn: due.describe('Only tasks that are due on this day, or in this time: "friday", "next week", "before 2026-12-24".').optional(),
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
export class WrongCallError extends UserError {
  constructor(message: string) {
    super('VALIDATION_FAILED', message);
  }
}

/** The moment that words mean in the user's time zone; throws WrongCallError. */
export function momentOf(words: string, now: Date, timeZone: string): Date {
  const found = resolveDue(words, now, timeZone);
  if (!found) throw new WrongCallError(`due: no day or time is meant by ${JSON.stringify(words)}.`);
  return found.dueAt;
}

function periodOf(words: string, now: Date, timeZone: string): Period {
  const found = resolvePeriod(words, now, timeZone);
  if (!found) throw new WrongCallError(`dueOn: no day or time is meant by ${JSON.stringify(words)}.`);
  return found;
}

/** What the arguments that are `changes` come to. */
export function wantedOf({ notes, priority, due, tags }: z.output<z.ZodObject<typeof changes>>, now: Date, timeZone: string): Wanted {
  return {
    ...(notes !== undefined && { notes }),
    ...(priority && { priority }),
    ...(due !== undefined && { dueAt: momentOf(due, now, timeZone).toISOString() }),
    ...(tags && { tags }),
  };
}

/** The tasks that the arguments in `which` mean. */
export function matchOfWords({ task, tag, dueOn, withStatus, all }: z.output<z.ZodObject<typeof which>>, now: Date, timeZone: string): Match {
  return {
    ...anyTask,
    text: task ?? null,
    tag: tag ?? null,
    due: dueOn === undefined ? null : periodOf(dueOn, now, timeZone),
    status: withStatus ?? null,
    all,
  };
}

/** The request that a call comes to; throws WrongCallError. */
export function requestOfCall({ name, arguments: given, invalid }: RequestedCall, now: Date, timeZone: string): TaskRequest {
  if (!Object.hasOwn(taskFunctions, name)) throw new WrongCallError(`There is no function ${JSON.stringify(name.slice(0, 100))}. Functions: ${Object.keys(taskFunctions).join(', ')}.`);
  if (invalid !== null || given === null) throw new WrongCallError('The arguments are no JSON object.');
  const read = <S extends z.ZodType>(schema: S): z.output<S> => {
    const result = schema.safeParse(given);
    if (!result.success) throw new WrongCallError(`The arguments do not fit: ${z.prettifyError(result.error)}`);
    return result.data;
  };
  const matchOf = (given: z.output<typeof taskFunctions.delete_task.parameters>): Match => matchOfWords(given, now, timeZone);
  switch (name as keyof typeof taskFunctions) {
    case 'create_task': {
      const { title, ...rest } = read(taskFunctions.create_task.parameters);
      return { operation: 'create', confidence: 1, wanted: { title, ...wantedOf(rest, now, timeZone) }, match: anyTask };
    }
    case 'find_tasks': {
      const { overdue, ...rest } = read(taskFunctions.find_tasks.parameters);
      return { operation: 'query', confidence: 1, wanted: {}, match: { ...matchOf(rest), overdue } };
    }
    case 'update_task': {
      const { newTitle, status, ...rest } = read(taskFunctions.update_task.parameters);
      return { operation: 'update', confidence: 1, wanted: { ...(newTitle && { title: newTitle }), ...(status && { status }), ...wantedOf(rest, now, timeZone) }, match: matchOf(rest) };
    }
    case 'delete_task':
      return { operation: 'delete', confidence: 1, wanted: {}, match: matchOf(read(taskFunctions.delete_task.parameters)) };
  }
}
