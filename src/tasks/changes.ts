// Changes of tasks, as they are told to their owners: what a change is, and how it is heard of.
import { permit, type App, type Context } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { defineChanges, stateOf, type Change, type ChangeKind } from '../platform/changes.ts';
import { kysely, sql } from '../platform/database.ts';
import { DeletedTask, Task } from './entity.ts';

/** A change of a task. */
export interface TaskChange extends Change {
  readonly taskId: string;
  readonly ownerId: string;
  readonly workspaceId: string;
  /** The assistant's run that made it; null when a person did. */
  readonly runId: string | null;
}

/** Keyed by workspace. */
const taskChanged = topic<TaskChange>('tasks.changes');

const followTasks = defineChanges({
  what: 'tasks',
  topic: taskChanged,
  idOf: (change) => change.taskId,
  recent: recentTasks,
  changeOf: ({ id: taskId, ownerId, workspaceId, runId = null }, kind, state): TaskChange => ({ kind, taskId, ownerId, workspaceId, runId, state }),
});

/** What is to be announced of a task, as it is after the change or was before its deletion. */
export function changeOf(kind: ChangeKind, { id: taskId, ownerId, workspaceId, updatedAt }: Task, runId: string | null): TaskChange {
  return { kind, taskId, ownerId, workspaceId, runId, state: stateOf(kind, updatedAt) };
}

/** Tells the owner's lists of a change that is committed; null is none. */
export function announceTask(app: App, change: TaskChange | null): void {
  if (change) app.bus.publish(taskChanged, change.workspaceId, change);
}

/** Every change of the viewer's tasks; a slow reader gets each task's newest. */
export async function taskChanges(ctx: Context): Promise<AsyncIterableIterator<TaskChange>> {
  const { userId, workspaceId } = permit(ctx, 'TASK');
  return await followTasks(ctx.app, workspaceId, (change) => change.ownerId === userId);
}

async function recentTasks(app: App, workspaceIds: readonly string[], seconds: number) {
  const recently = sql<Date>`now() - make_interval(secs => ${seconds})`;
  const db = kysely(app.database.fork(), Task, DeletedTask);
  return await db
    .selectFrom('task')
    .select((eb) => ['id', 'workspaceId', 'ownerId', 'lastRunId as runId', 'updatedAt', eb('createdAt', '>', recently).$castTo<boolean>().as('isNew'), sql<boolean>`false`.as('isDeleted')])
    .where('workspaceId', 'in', [...workspaceIds])
    .where('updatedAt', '>', recently)
    .unionAll(
      db
        .selectFrom('deleted_task')
        .select(['id', 'workspaceId', 'ownerId', 'runId', 'deletedAt as updatedAt', sql<boolean>`false`.as('isNew'), sql<boolean>`true`.as('isDeleted')])
        .where('workspaceId', 'in', [...workspaceIds])
        .where('deletedAt', '>', recently),
    )
    .execute();
}
