// How tasks are asked and changed.
import { DeletePayload, UserNode } from '../accounts/schema.ts';
import { attempt, builder, ChangeKindEnum, connection, decodeId, describedEnum, encodeId, forwardArgs, onlyUuids, OrderDirectionEnum, payload, rowId } from '../builder.ts';
import { permit, type Context } from '../context.ts';
import { taskChanges, type TaskChange } from './changes.ts';
import type { Task, TaskPriority, TaskStatus } from './entity.ts';
import * as tasks from './service.ts';

const TaskStatusEnum = describedEnum<Record<TaskStatus, string>>('TaskStatus', 'How far a task is.', {
  OPEN: 'Not begun.',
  IN_PROGRESS: 'Begun.',
  DONE: 'Finished; `completedAt` says when.',
  CANCELLED: 'Given up.',
});
const TaskPriorityEnum = describedEnum<Record<TaskPriority, string>>('TaskPriority', 'How important a task is.', {
  LOW: 'When there is nothing else to do.',
  NORMAL: 'Like most.',
  HIGH: 'Before others.',
  URGENT: 'Before everything else.',
});

/** A task of the viewer. */
export const TaskNode = builder.loadableNodeRef('Task', {
  id: { resolve: (task) => task.id },
  sort: (task: Task) => task.id,
  load: (ids: string[], ctx: Context): Promise<Task[]> => tasks.tasksById(ctx, onlyUuids(ids)),
});
TaskNode.implement({
  description: 'Something to do. Only its owner sees it, whatever the role of others.',
  fields: (t) => ({
    owner: t.field({ type: UserNode, description: 'Whose it is.', resolve: (task) => task.ownerId }),
    title: t.exposeString('title', { description: 'What is to be done, e.g. "Call the dentist".' }),
    notes: t.exposeString('notes', { nullable: true, description: 'Details.' }),
    status: t.expose('status', { type: TaskStatusEnum, description: 'How far it is.' }),
    priority: t.expose('priority', { type: TaskPriorityEnum, description: 'How important it is.' }),
    dueAt: t.expose('dueAt', { type: 'DateTime', nullable: true, description: 'When it must be done; null for no due date.' }),
    tags: t.exposeStringList('tags', { description: 'Labels, e.g. ["home"].' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    completedAt: t.expose('completedAt', { type: 'DateTime', nullable: true, description: 'When it became DONE; null in any other status.' }),
  }),
});
const TaskConnection = connection<Task>('Task', TaskNode as never, 'tasks');

const TaskFilter = builder.inputType('TaskFilter', {
  description: 'Which tasks; each given condition narrows.',
  fields: (t) => ({
    status: t.field({ type: [TaskStatusEnum], description: 'One of these.' }),
    priority: t.field({ type: [TaskPriorityEnum], description: 'One of these.' }),
    dueBefore: t.field({ type: 'DateTime', description: 'Due earlier than this; tasks without a due date are left out.' }),
    tag: t.string({ description: 'Exactly this tag.' }),
    text: t.string({ description: 'Title or notes contain this text, at most 200 characters; upper and lower case are alike.' }),
  }),
});
const TaskOrder = builder.inputType('TaskOrder', {
  description: 'An order of tasks.',
  fields: (t) => ({
    field: t.field({
      type: describedEnum('TaskOrderField', 'What tasks are ordered by.', {
        CREATED_AT: 'By when they were made.',
        DUE_AT: 'By when they must be done; those without a due date come last in both directions.',
        PRIORITY: 'By how important they are: ASC from LOW, DESC from URGENT.',
      }),
      required: true,
      description: 'What to order by.',
    }),
    direction: t.field({ type: OrderDirectionEnum, required: true, description: 'Ascending or descending.' }),
  }),
});

builder.queryFields((t) => ({
  task: t.field({
    type: TaskNode,
    nullable: true,
    args: { id: t.arg.id({ required: true, description: 'Which.' }) },
    description: 'A task of the viewer; null when they have none with this id. Needs TASK.',
    resolve: (_root, { id }, ctx) => {
      permit(ctx, 'TASK');
      return rowId('Task', id);
    },
  }),
  tasks: t.field({
    type: TaskConnection,
    args: {
      ...forwardArgs(t.arg),
      filterBy: t.arg({ type: TaskFilter, description: 'All when absent.' }),
      orderBy: t.arg({ type: TaskOrder, description: 'The newest first when absent.' }),
    },
    description: "The viewer's tasks in this workspace. Needs TASK.",
    resolve: (_root, args, ctx) => tasks.listTasks(ctx, args),
  }),
}));

const CreateTaskInput = builder.inputType('CreateTaskInput', {
  description: 'A new task; its status is OPEN.',
  fields: (t) => ({
    title: t.string({ required: true, description: 'What is to be done, 1–500 characters.' }),
    notes: t.string({ description: 'Details, at most 10,000 characters.' }),
    priority: t.field({ type: TaskPriorityEnum, description: 'How important it is. Default: NORMAL.' }),
    dueAt: t.field({ type: 'DateTime', description: 'When it must be done, in the years 1900 to 9999.' }),
    tags: t.stringList({ description: 'Labels, at most 20 of 1–50 characters; one that is given twice is kept once.' }),
    idempotencyKey: t.string({ description: 'The same key with the same task returns the same task, with another one CONFLICT; at most 200 characters.' }),
  }),
});
const TaskPatch = builder.inputType('TaskPatch', {
  description: 'Changes of a task; what is absent stays. Null removes notes, due date and tags; the others cannot be null.',
  fields: (t) => ({
    title: t.string({ description: 'What is to be done, 1–500 characters.' }),
    notes: t.string({ description: 'Details, at most 10,000 characters; null for none.' }),
    status: t.field({ type: TaskStatusEnum, description: 'How far it is.' }),
    priority: t.field({ type: TaskPriorityEnum, description: 'How important it is.' }),
    dueAt: t.field({ type: 'DateTime', description: 'When it must be done, in the years 1900 to 9999; null for no due date.' }),
    tags: t.stringList({ description: 'All its labels, at most 20 of 1–50 characters; [] or null for none.' }),
  }),
});
const UpdateTaskInput = builder.inputType('UpdateTaskInput', {
  description: 'A task and what changes of it.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which.' }),
    patch: t.field({ type: TaskPatch, required: true, description: 'What changes.' }),
  }),
});
const DeleteTaskInput = builder.inputType('DeleteTaskInput', { description: 'A task to delete.', fields: (t) => ({ id: t.id({ required: true, description: 'Which.' }) }) });

const TaskPayload = payload<{ task: Task }>('TaskPayload', 'Answer of every mutation that changes a task.', (t) => ({
  task: t.field({ type: TaskNode, nullable: true, description: 'The task as changed.', resolve: (answer) => answer.task as never }),
}));

builder.mutationFields((t) => ({
  createTask: t.field({
    type: TaskPayload,
    args: { input: t.arg({ type: CreateTaskInput, required: true, description: 'The new task.' }) },
    description: 'Makes a task of the viewer. Needs TASK.',
    resolve: (_root, { input }, ctx) => attempt(async () => ({ task: await tasks.createTask(ctx, input) })),
  }),
  updateTask: t.field({
    type: TaskPayload,
    args: { input: t.arg({ type: UpdateTaskInput, required: true, description: 'What changes.' }) },
    description: 'Changes a task of the viewer. Needs TASK.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'TASK');
        return { task: await tasks.updateTask(ctx, decodeId('Task', input.id), input.patch) };
      }),
  }),
  deleteTask: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: DeleteTaskInput, required: true, description: 'Which.' }) },
    description: 'Deletes a task of the viewer. Needs TASK.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'TASK');
        await tasks.deleteTask(ctx, decodeId('Task', input.id));
        return { deletedId: input.id };
      }),
  }),
}));

const TaskChangeObject = builder.objectRef<TaskChange>('TaskChange').implement({
  description: 'A change of a task.',
  fields: (t) => ({
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'What happened.' }),
    taskId: t.id({ description: 'Which.', resolve: (change) => encodeId('Task', change.taskId) }),
    task: t.field({ type: TaskNode, nullable: true, description: 'The task as it is now; null when it is gone.', resolve: (change) => (change.kind === 'DELETED' ? null : change.taskId) }),
    runId: t.id({ nullable: true, description: "The assistant's run that made the change; null when a person did.", resolve: (change) => change.runId && encodeId('Run', change.runId) }),
  }),
});

builder.subscriptionFields((t) => ({
  taskChanged: t.field({
    type: TaskChangeObject,
    description: "The viewer's tasks as they are made, changed or deleted, by themselves on any device or by the assistant. Does not resume: refetch after a reconnect. Needs TASK.",
    subscribe: (_root, _args, ctx) => taskChanges(ctx),
    resolve: (change) => change,
  }),
}));
