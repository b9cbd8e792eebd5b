// The fields of a task, once: what the service accepts, and what a model reads as the JSON Schema of its tools
// (`z.toJSONSchema(…, { io: 'input' })`).
import { z } from 'zod';
import { text } from '../profiles/settings.ts';
import { taskPriorities, taskStatuses } from './entity.ts';

/** Years of four digits, which every client and both databases read alike. */
const [earliest, latest] = [new Date('1900-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')];
const notNull = (name: string) => (issue: { readonly input?: unknown }) => (issue.input === null ? `The ${name} cannot be null; leave it out to keep it as it is.` : undefined);

/** A point in time, as a Date or as text in ISO 8601 with its offset from UTC. */
export const moment = z.preprocess(
  (given) => (given instanceof Date ? (Number.isNaN(+given) ? 'no date' : given.toISOString()) : given),
  z.iso
    .datetime({ offset: true, error: 'A date and time is written as "2026-12-24T18:00:00Z" or with an offset, such as "2026-12-24T19:00:00+01:00", in the years 1900 to 9999.' })
    .transform((given) => new Date(given))
    .refine((given) => given >= earliest && given <= latest, { error: 'The date lies outside of the years 1900 to 9999.', params: { constraint: 'range' } }),
);
/** A label of a task. */
export const tag = text('tag', 50).trim().min(1, 'A tag is empty.');

export const taskFields = {
  title: text('title', 500).trim().min(1, 'The title is empty.').describe('What is to be done, in a few words, e.g. "Call the dentist".'),
  notes: text('notes', 10_000).describe('Details that do not belong in the title.'),
  status: z.enum(taskStatuses, { error: notNull('status') }).describe('OPEN: not begun. IN_PROGRESS: begun. DONE: finished. CANCELLED: given up.'),
  priority: z.enum(taskPriorities, { error: notNull('priority') }).describe('How important it is; NORMAL unless somebody said otherwise.'),
  dueAt: moment.describe('When it must be done: ISO 8601 with the offset from UTC, e.g. "2026-12-24T18:00:00+01:00".'),
  tags: z
    .array(tag)
    .max(20, 'A task has at most 20 tags.')
    .transform((given) => [...new Set(given)])
    .describe('Labels to find it by, at most 20, e.g. ["home", "phone"].'),
};

/** What a task is made of. */
export const newTask = z.object({
  title: taskFields.title,
  notes: taskFields.notes.nullish(),
  priority: taskFields.priority.nullish(),
  dueAt: taskFields.dueAt.nullish(),
  tags: taskFields.tags.nullish(),
});

/** What changes of a task: what is absent stays; null removes notes, due date and tags. */
export const taskPatch = z.object({
  title: taskFields.title.optional(),
  notes: taskFields.notes.nullish(),
  status: taskFields.status.optional(),
  priority: taskFields.priority.optional(),
  dueAt: taskFields.dueAt.nullish(),
  tags: taskFields.tags.nullish(),
});
