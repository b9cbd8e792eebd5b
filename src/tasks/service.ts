// What can be done with tasks. A task is its owner's alone: for everybody else, whatever their role, it does not exist.
//
// Each change comes in two forms: for clients, who get a transaction of its own and are told afterwards, and (insertTask,
// changeTask, removeTask) within a transaction of the caller's, who announces the change once that is committed.
import { createHash, randomUUIDv7 } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { encodeId } from '../builder.ts';
import { permit, transactional, type Context, type Viewer } from '../context.ts';
import { kysely, sql } from '../platform/database.ts';
import { ConflictError, NotFoundError, validate } from '../platform/errors.ts';
import { idempotencyKey } from '../platform/idempotency.ts';
import { paginate, type OrderTerm, type Page, type PageArgs } from '../platform/page.ts';
import { text } from '../profiles/settings.ts';
import { announceTask, changeOf, type TaskChange } from './changes.ts';
import { DeletedTask, Task, taskPriorities, type TaskPriority, type TaskStatus } from './entity.ts';
import { moment, newTask, taskPatch } from './fields.ts';

export interface NewTask {
  readonly title: string;
  readonly notes?: string | null | undefined;
  /** NORMAL when absent. */
  readonly priority?: TaskPriority | null | undefined;
  /** Text is ISO 8601 with an offset. */
  readonly dueAt?: Date | string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  /** The same key makes one task, however often it is sent. */
  readonly idempotencyKey?: string | null | undefined;
}

/** What is absent stays; null removes notes, due date and tags, and is refused elsewhere. */
export interface TaskPatch {
  readonly title?: string | null | undefined;
  readonly notes?: string | null | undefined;
  readonly status?: TaskStatus | null | undefined;
  readonly priority?: TaskPriority | null | undefined;
  readonly dueAt?: Date | string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
}

/** Each given condition narrows. */
export interface TaskFilter {
  readonly status?: readonly TaskStatus[] | null | undefined;
  readonly priority?: readonly TaskPriority[] | null | undefined;
  /** Exclusive; what has no due date is left out. */
  readonly dueBefore?: Date | null | undefined;
  readonly tag?: string | null | undefined;
  /** In title or notes; upper and lower case are alike. */
  readonly text?: string | null | undefined;
}

export interface TaskList extends PageArgs {
  readonly filterBy?: TaskFilter | null | undefined;
  readonly orderBy?: { readonly field: 'CREATED_AT' | 'DUE_AT' | 'PRIORITY'; readonly direction: 'ASC' | 'DESC' } | null | undefined;
}

/** A task after a change (of a deleted one: before), and what is to be announced once that is committed; null when nothing changed. */
export interface Changed {
  readonly task: Task;
  readonly change: TaskChange | null;
}

/** A deleted task is remembered for so long, for lists on instances that look at the rows once a second. */
const deletedMs = 3_600_000;

/** Makes a task; throws CONFLICT when the idempotency key made another one. */
export async function createTask(ctx: Context, input: NewTask): Promise<Task> {
  const viewer = permit(ctx, 'TASK');
  return await changing(ctx, (tx) => insertTask(tx, viewer, input));
}

/** Changes a task; throws NotFoundError. */
export async function updateTask(ctx: Context, id: string, patch: TaskPatch): Promise<Task> {
  const viewer = permit(ctx, 'TASK');
  return await changing(ctx, (tx) => changeTask(tx, viewer, id, patch));
}

/** Deletes a task; throws NotFoundError. */
export async function deleteTask(ctx: Context, id: string): Promise<void> {
  const viewer = permit(ctx, 'TASK');
  await changing(ctx, (tx) => removeTask(tx, viewer, id));
}

/** createTask within the caller's transaction, for `viewer`, who has TASK; `runId` names the assistant's run that asks for it. */
export async function insertTask(tx: Context, viewer: Viewer, input: NewTask, runId: string | null = null): Promise<Changed> {
  const { title, notes, priority, dueAt = null, tags } = validate(newTask, input);
  const key = input.idempotencyKey == null ? null : validate(idempotencyKey, input.idempotencyKey, ['idempotencyKey']);
  const content = { title, notes: notes || null, priority: priority ?? 'NORMAL', dueAt, tags: tags ?? [] };
  const requestHash = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  for (;;) {
    const now = new Date();
    // Waits for whoever uses the same key at this moment, without an error that would end the caller's transaction.
    const made = await kysely(tx.em, Task)
      .insertInto('task')
      .values({ ...content, id: randomUUIDv7(), workspaceId: viewer.workspaceId, ownerId: viewer.userId, status: 'OPEN', lastRunId: runId, idempotencyKey: key, requestHash, createdAt: now, updatedAt: now } as never)
      .onConflict((conflict) => conflict.columns(['workspaceId', 'ownerId', 'idempotencyKey']).doNothing())
      .returningAll()
      .executeTakeFirst();
    if (made) return { task: made as Task, change: changeOf('CREATED', made as Task, runId) };
    const existing = await ownTasks(tx, viewer).selectAll().where('idempotencyKey', '=', key).executeTakeFirst();
    // It was deleted in between: then there is room for this one.
    if (!existing) continue;
    if (existing.requestHash !== requestHash) {
      throw new ConflictError('This idempotency key made another task. Use a new key for each task.', ['idempotencyKey'], { type: 'Task', id: existing.id });
    }
    return { task: existing as Task, change: null };
  }
}

/**
 * updateTask within the caller's transaction; the task stays locked until that ends. A patch that follows from what the task is,
 * as where tags are added, is a function of it, so that no change of somebody else's in between is lost.
 */
export async function changeTask(tx: Context, viewer: Viewer, id: string, patch: TaskPatch | ((task: Task) => TaskPatch), runId: string | null = null): Promise<Changed> {
  const read = (given: TaskPatch) => validate(taskPatch, given, ['patch']);
  const ready = typeof patch === 'function' ? patch : read(patch);
  const task = await lockTask(tx, viewer, id);
  const { notes, tags, ...rest } = typeof ready === 'function' ? read(ready(task)) : ready;
  const wanted = { ...rest, ...(notes !== undefined && { notes: notes || null }), ...(tags !== undefined && { tags: tags ?? [] }) };
  const differing = Object.entries(wanted).filter(([name, value]) => value !== undefined && !isDeepStrictEqual(value, task[name as keyof Task]));
  if (differing.length === 0) return { task, change: null };
  // Later than before, whatever the clocks of instances say: lists know a change by its time.
  const updatedAt = new Date(Math.max(Date.now(), +task.updatedAt + 1));
  const changes: Partial<Task> = Object.fromEntries(differing);
  const changed = (await scoped(tx, Task)
    .update()
    .set({ ...changes, ...(changes.status && { completedAt: changes.status === 'DONE' ? updatedAt : null }), lastRunId: runId, updatedAt })
    .where('id', '=', task.id)
    .returningAll()
    .executeTakeFirstOrThrow()) as Task;
  return { task: changed, change: changeOf('UPDATED', changed, runId) };
}

/** deleteTask within the caller's transaction. */
export async function removeTask(tx: Context, viewer: Viewer, id: string, runId: string | null = null): Promise<Changed> {
  const task = await lockTask(tx, viewer, id);
  const deletedAt = new Date();
  await scoped(tx, Task).delete().where('id', '=', task.id).execute();
  await scoped(tx, DeletedTask).delete().where('ownerId', '=', viewer.userId).where('deletedAt', '<', new Date(+deletedAt - deletedMs)).execute();
  await kysely(tx.em, DeletedTask).insertInto('deleted_task').values({ id: task.id, workspaceId: task.workspaceId, ownerId: task.ownerId, runId, deletedAt } as never).execute();
  return { task, change: changeOf('DELETED', task, runId) };
}

/** A page of the viewer's tasks, newest first when no order is given. */
export async function listTasks(ctx: Context, list: TaskList): Promise<Page<Task>> {
  const viewer = permit(ctx, 'TASK');
  const { dueBefore, tag, text: wanted } = validate(filter, list.filterBy ?? {}, ['filterBy']);
  const { status, priority } = list.filterBy ?? {};
  let query = ownTasks(ctx, viewer).selectAll('task');
  if (status) query = query.where(sql<boolean>`${sql.ref('task.status')} = any(${sql.val([...status])}::text[])`);
  if (priority) query = query.where(sql<boolean>`${sql.ref('task.priority')} = any(${sql.val([...priority])}::text[])`);
  if (dueBefore) query = query.where('task.dueAt', '<', dueBefore);
  if (tag) query = query.where(sql<boolean>`${tag} = any(${sql.ref('task.tags')})`);
  if (wanted) {
    const holds = (column: string) => sql<boolean>`strpos(lower(${sql.ref(column)}), lower(${wanted})) > 0`;
    query = query.where((eb) => eb.or([holds('task.title'), holds('task.notes')]));
  }
  const direction = list.orderBy?.direction === 'ASC' ? 'asc' : 'desc';
  const order = [terms(direction)[list.orderBy?.field ?? 'CREATED_AT'], { by: sql.ref('task.id'), direction, value: (row: Task) => row.id } as const];
  return (await paginate(query as never, order as never, list)) as Page<Task>;
}

/** Those of the viewer's tasks that have these ids, in any order; none for whoever may not keep tasks. */
export async function tasksById(ctx: Context, ids: readonly string[]): Promise<Task[]> {
  const { viewer } = ctx;
  if (!viewer?.permissions.has('TASK')) return [];
  return (await ownTasks(ctx, viewer).selectAll().where('id', 'in', [...ids]).execute()) as Task[];
}

const filter = z.object({
  dueBefore: moment.nullish(),
  tag: text('tag', 50).trim().nullish(),
  text: text('text to look for', 200).nullish(),
});

type Direction = OrderTerm<Task>['direction'];
const terms = (direction: Direction) => {
  // What has no due date comes last, whatever the direction.
  const never = direction === 'asc' ? 'infinity' : '-infinity';
  return {
    CREATED_AT: { by: sql.ref('task.createdAt'), direction, value: (row: Task) => row.createdAt.toISOString() },
    DUE_AT: { by: sql`coalesce(${sql.ref('task.dueAt')}, ${sql.lit(never)}::timestamptz)`, direction, value: (row: Task) => row.dueAt?.toISOString() ?? never },
    PRIORITY: { by: sql`array_position(array[${sql.join(taskPriorities.map((priority) => sql.lit(priority)))}], ${sql.ref('task.priority')})`, direction, value: (row: Task) => taskPriorities.indexOf(row.priority) + 1 },
  } as const;
};

/** The viewer's own tasks. */
function ownTasks(ctx: Context, viewer: Viewer) {
  return scoped(ctx, Task).select().where('task.ownerId', '=', viewer.userId);
}

/** A task of the viewer, for change; throws NotFoundError. */
async function lockTask(tx: Context, viewer: Viewer, id: string): Promise<Task> {
  const task = await ownTasks(tx, viewer).selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!task) throw new NotFoundError('Task', encodeId('Task', id));
  return task as Task;
}

/** Makes a change in a transaction of its own and announces it. */
async function changing(ctx: Context, work: (tx: Context) => Promise<Changed>): Promise<Task> {
  const { task, change } = await transactional(ctx, work);
  announceTask(ctx.app, change);
  return task;
}
