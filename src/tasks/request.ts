// What somebody wants done with tasks, as the assistant's nodes hand it on: small, plain, and complete, so that it can be kept
// with a run and read again after a crash.
import { z } from 'zod';
import type { Json } from '../graph/state.ts';
import { taskPriorities, taskStatuses, type Task } from './entity.ts';
import { dueShift, shifted } from './english/shift.ts';

/** What a task is to have, or what of it is to change; times as ISO 8601 in UTC. */
const wanted = z.object({
  title: z.string().optional(),
  notes: z.string().optional(),
  status: z.enum(taskStatuses).optional(),
  priority: z.enum(taskPriorities).optional(),
  dueAt: z.string().optional(),
  /** In place of `dueAt`: by how much it moves from when it is due. */
  dueShift: dueShift.optional(),
  tags: z.array(z.string()).optional(),
});
export type Wanted = z.output<typeof wanted>;

/** Which tasks are meant. */
const match = z.object({
  /** Words of the title or notes; null for any. */
  text: z.string().nullable(),
  tag: z.string().nullable(),
  /** Due in this time: from, and before; ISO 8601 in UTC. */
  due: z.object({ from: z.string(), before: z.string() }).nullable(),
  status: z.enum(taskStatuses).nullable(),
  overdue: z.boolean(),
  /** Whether all that match are meant, and not one of them. */
  all: z.boolean(),
});
export type Match = z.output<typeof match>;

export const anyTask: Match = { text: null, tag: null, due: null, status: null, overdue: false, all: false };

/** A request as it was understood; `confidence` is 0..1. */
export const taskRequest = z.object({
  operation: z.enum(['create', 'query', 'update', 'delete', 'confirm', 'reject', 'none']),
  confidence: z.number(),
  wanted,
  match,
});
export type TaskRequest = z.output<typeof taskRequest>;

/** What of a task changes then: labels are added to those that it has. */
export function patchOf({ dueShift: shift, tags, ...rest }: Wanted, task: Pick<Task, 'dueAt' | 'tags'>, now: Date, timeZone: string): Omit<Wanted, 'dueShift'> {
  return {
    ...rest,
    ...(shift && { dueAt: shifted(task.dueAt ?? null, shift, now, timeZone).toISOString() }),
    ...(tags && { tags: [...new Set([...task.tags, ...tags])] }),
  };
}

/** A task as the assistant speaks of it. */
export const taskSummary = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(taskStatuses),
  priority: z.enum(taskPriorities),
  dueAt: z.string().nullable(),
  tags: z.array(z.string()),
});
export type TaskSummary = z.output<typeof taskSummary>;

/** UTF-16 units of a title in a summary. */
const longestTitle = 120;

/** A task in short; its id as the API gives it is made by whoever shows it. */
export function summaryOf({ id, title, status, priority, dueAt, tags }: Task): TaskSummary {
  return { id, title: title.length <= longestTitle ? title : `${title.slice(0, longestTitle - 1).toWellFormed()}…`, status, priority, dueAt: dueAt?.toISOString() ?? null, tags: [...tags] };
}

/** A suggestion after something was done. */
export const suggestion = z.object({ kind: z.enum(['NEXT_STEP', 'OVERDUE', 'CLASH']), message: z.string(), taskId: z.string().nullable() });
export type Suggestion = z.output<typeof suggestion>;

/** What was done, or would have been. */
export const taskOutcome = z.object({
  /** READY: it can be done. ASKING: a person is to choose among them. NOT_FOUND: no task matches. SEVERAL: more than one does, and nobody was asked. DECLINED: a person chose not to. UNCLEAR: something is missing. DONE. */
  state: z.enum(['READY', 'ASKING', 'NOT_FOUND', 'SEVERAL', 'DECLINED', 'UNCLEAR', 'DONE']),
  /** The tasks that are meant; after it is done, as they are then. */
  tasks: z.array(taskSummary),
  /** How many there are in all. */
  total: z.int().nonnegative(),
  /** The call that shows it in the answer. */
  callId: z.string().nullable(),
});
export type TaskOutcome = z.output<typeof taskOutcome>;

/** Plain JSON of what is plain. */
export function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** A day and time as people read it, in their zone. */
export function shown(dueAt: string, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZone }).format(new Date(dueAt));
}
