// What is stored of accounts: users, workspaces, who belongs where, and the devices they are signed in on.
import { defineEntity, p } from '@mikro-orm/core';
import { randomUUIDv7 } from 'node:crypto';
import type { Role } from '../context.ts';

const UserSchema = defineEntity({
  name: 'User',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    /** Lower case. */
    email: p.text().unique(),
    name: p.text(),
    /** argon2id in PHC form. */
    passwordHash: p.text(),
    /** Where the next sign-in goes when it names no workspace. */
    lastWorkspaceId: p.uuid().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    updatedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class User extends UserSchema.class {}
UserSchema.setClass(User);

const WorkspaceSchema = defineEntity({
  name: 'Workspace',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    name: p.text(),
    slug: p.text().unique(),
    defaultProfileId: p.uuid().nullable(),
    /** A model's id in the catalog, e.g. "offline:bm25-hash". */
    embeddingModelId: p.text(),
    /** Why documents are not yet embedded by it, safe to show; null while that goes well. */
    embeddingError: p.text().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
  },
});
export class Workspace extends WorkspaceSchema.class {}
WorkspaceSchema.setClass(Workspace);

const MemberSchema = defineEntity({
  name: 'Member',
  properties: {
    workspaceId: () => p.manyToOne(Workspace).mapToPk().joinColumn('workspace_id').primary().deleteRule('cascade'),
    userId: () => p.manyToOne(User).mapToPk().joinColumn('user_id').primary().deleteRule('cascade').index(),
    role: p.text().$type<Role>(),
    joinedAt: p.datetime().onCreate(() => new Date()),
  },
});
export class Member extends MemberSchema.class {}
MemberSchema.setClass(Member);

/** A device's sign-in. Its refresh tokens are numbered by `generation`; only the newest is good. */
const AuthSessionSchema = defineEntity({
  name: 'AuthSession',
  properties: {
    id: p.uuid().primary().onCreate(() => randomUUIDv7()),
    userId: () => p.manyToOne(User).mapToPk().joinColumn('user_id').deleteRule('cascade').index(),
    workspaceId: p.uuid(),
    userAgent: p.text().nullable(),
    generation: p.integer(),
    createdAt: p.datetime().onCreate(() => new Date()),
    lastSeenAt: p.datetime().onCreate(() => new Date()),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
  },
});
export class AuthSession extends AuthSessionSchema.class {}
AuthSessionSchema.setClass(AuthSession);
