// What is stored of tasks.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import { User, Workspace } from '../accounts/entity.ts';

export const taskStatuses = ['OPEN', 'IN_PROGRESS', 'DONE', 'CANCELLED'] as const;
export type TaskStatus = (typeof taskStatuses)[number];
/** From the least urgent to the most. */
export const taskPriorities = ['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const;
export type TaskPriority = (typeof taskPriorities)[number];

/** Something to do, of one person in one workspace. */
const TaskSchema = defineEntity({
  name: 'Task',
  uniques: [{ properties: ['workspaceId', 'ownerId', 'idempotencyKey'] }],
  indexes: [{ properties: ['workspaceId', 'updatedAt'] }],
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    ownerId: () => p.manyToOne(User).mapToPk().joinColumn('owner_id').deleteRule('cascade').index(),
    title: p.text(),
    notes: p.text().nullable(),
    status: p.text().$type<TaskStatus>(),
    priority: p.text().$type<TaskPriority>(),
    dueAt: p.datetime().nullable(),
    tags: p.array(),
    /** When it became DONE; null in any other status. */
    completedAt: p.datetime().nullable(),
    /** The assistant's run that changed it last; null when a person did. */
    lastRunId: p.uuid().nullable(),
    idempotencyKey: p.text().nullable(),
    /** SHA-256 of what it was made of: the same key with something else is a conflict. */
    requestHash: p.text(),
    createdAt: p.datetime().onCreate(() => new Date()),
    /** Later with every change. */
    updatedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class Task extends TaskSchema.class {}
TaskSchema.setClass(Task);

/** A task that is gone, for a while: lists on other instances may not have heard of it. */
const DeletedTaskSchema = defineEntity({
  name: 'DeletedTask',
  indexes: [{ properties: ['workspaceId', 'deletedAt'] }],
  properties: {
    id: p.uuid().primary(),
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').deleteRule('cascade'),
    ownerId: () => p.manyToOne(User).mapToPk().joinColumn('owner_id').deleteRule('cascade').index(),
    /** The assistant's run that deleted it; null when a person did. */
    runId: p.uuid().nullable(),
    deletedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class DeletedTask extends DeletedTaskSchema.class {}
DeletedTaskSchema.setClass(DeletedTask);
