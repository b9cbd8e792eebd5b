// What can be done with accounts: sign up, in and out, keep tokens fresh, change one's own data, and run a workspace's members.
import { LockMode, UniqueConstraintViolationException } from '@mikro-orm/core';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { permit, requireViewer, transactional, type App, type Context, type Role, type Viewer } from '../context.ts';
import { topic } from '../platform/bus.ts';
import { kysely } from '../platform/database.ts';
import { ConflictError, ForbiddenError, GenericError, NotFoundError, unauthenticated, validate, type UserError } from '../platform/errors.ts';
import { AuthSession, Member, User, Workspace } from './entity.ts';
import { accountHooks } from './hooks.ts';
import { hashPassword, newPassword, verifyPassword } from './passwords.ts';
import { mayAssign, permissionsOf } from './policy.ts';
import { scoped } from './scoped.ts';
import { readAccessToken, readRefreshToken, signAccessToken, signRefreshToken, type AccessClaims } from './tokens.ts';

/** Something about a user's access has changed (signed out, role, membership): whoever holds a viewer checks again. */
export const accessChanged = topic<{ readonly userId: string }>('accounts.access');

export interface Tokens {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}
export interface SignedIn {
  readonly user: User;
  readonly tokens: Tokens;
}

/** The name of a person or a workspace: one line. */
export const name = z
  .string()
  .trim()
  .min(1, 'The name is empty.')
  .max(200, 'The name has more than 200 characters.')
  // NUL among them, which the database cannot store.
  .refine((text) => !/\p{Cc}/u.test(text), { error: 'The name has control characters. Write it on one line, without them.', params: { constraint: 'controlCharacters' } });
const email = z.string().trim().toLowerCase().max(254, 'The e-mail address has more than 254 characters.').pipe(z.email('This is not an e-mail address, such as ada@example.org.'));

/** Makes a user with a workspace of their own and signs them in; throws ALREADY_EXISTS for a known address. */
export async function register(ctx: Context, input: { email: string; password: string; name: string }, userAgent: string | null): Promise<SignedIn> {
  const valid = validate(z.object({ email, password: newPassword, name }), input);
  const passwordHash = await hashPassword(valid.password);
  try {
    return await transactional(ctx, async (tx) => {
      const workspace = tx.em.create(Workspace, {
        name: `${valid.name}'s workspace`.slice(0, 200),
        slug: slugOf(valid.name),
        embeddingModelId: ctx.app.models.defaultEmbeddingModelId,
      });
      const user = tx.em.create(User, { email: valid.email, name: valid.name, passwordHash, lastWorkspaceId: workspace.id });
      tx.em.create(Member, { workspaceId: workspace.id, userId: user.id, role: 'OWNER' });
      await accountHooks.workspaceMade?.({ ...tx, workspaceId: workspace.id }, workspace);
      return { user, tokens: await openSession(tx, user, workspace.id, userAgent) };
    });
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) {
      throw new ConflictError(`${valid.email} is registered already. Sign in instead.`, ['email'], null, 'ALREADY_EXISTS');
    }
    throw error;
  }
}

/** Signs a user in on a device; unknown address and wrong password answer alike and take equally long. */
export async function login(ctx: Context, input: { email: string; password: string; workspaceId: string | null }, userAgent: string | null): Promise<SignedIn> {
  const address = email.safeParse(input.email);
  const user = address.success ? await ctx.em.findOne(User, { email: address.data }) : null;
  if (!(await verifyPassword(input.password, user?.passwordHash ?? null)) || !user) {
    ctx.log.warn({ event: 'login', outcome: 'refused', email: input.email.slice(0, 254) }, 'sign-in refused');
    throw new GenericError('INVALID_CREDENTIALS', 'The e-mail address or the password is wrong.');
  }
  const workspaceId = await chooseWorkspace(ctx, user, input.workspaceId);
  ctx.log.info({ event: 'login', outcome: 'accepted', userId: user.id }, 'signed in');
  return await transactional(ctx, async (tx) => {
    await kysely(tx.em, User).updateTable('user').set({ lastWorkspaceId: workspaceId }).where('id', '=', user.id).execute();
    return { user, tokens: await openSession(tx, user, workspaceId, userAgent) };
  });
}

/**
 * Exchanges a refresh token for new tokens, optionally of another workspace. Each works once: a second use means that it
 * was copied, and ends the sign-in with all its tokens.
 */
export async function refreshTokens(ctx: Context, input: { refreshToken: string; workspaceId: string | null }): Promise<Tokens> {
  const claims = await readRefreshToken(ctx.app, input.refreshToken);
  const outcome = await transactional(ctx, async (tx) => {
    const session = await tx.em.findOne(AuthSession, { id: claims.authSessionId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!session || session.revokedAt || session.expiresAt <= new Date()) return null;
    if (session.generation !== claims.generation) {
      session.revokedAt = new Date();
      return { reusedBy: session.userId };
    }
    const user = await tx.em.findOneOrFail(User, { id: session.userId });
    session.workspaceId = await chooseWorkspace(tx, user, input.workspaceId ?? session.workspaceId);
    session.generation += 1;
    session.lastSeenAt = new Date();
    session.expiresAt = inSeconds(ctx.app.config.refreshTokenSeconds);
    user.lastWorkspaceId = session.workspaceId;
    return { tokens: await tokensOf(ctx.app, session) };
  });
  if (outcome?.tokens) return outcome.tokens;
  if (outcome?.reusedBy) {
    ctx.log.warn({ event: 'refresh', outcome: 'reused', userId: outcome.reusedBy, authSessionId: claims.authSessionId }, 'a refresh token was used twice');
    ctx.app.bus.publish(accessChanged, outcome.reusedBy, { userId: outcome.reusedBy });
  }
  throw unauthenticated('This refresh token was used or revoked before. Sign in again.');
}

/** Signs out of this device, or of every device; returns the ended sign-ins. */
export async function logout(ctx: Context, everywhere: boolean): Promise<string[]> {
  const viewer = requireViewer(ctx);
  return await revokeSessions(ctx, viewer.userId, everywhere ? {} : { only: viewer.authSessionId });
}

/** Changes the viewer's own data. */
export async function updateViewer(ctx: Context, input: { name: string | null }): Promise<User> {
  const viewer = requireViewer(ctx);
  const user = await ctx.em.findOneOrFail(User, { id: viewer.userId });
  if (input.name !== null) user.name = validate(name, input.name, ['name']);
  user.updatedAt = new Date();
  await ctx.em.flush();
  return user;
}

/** Changes the password, ends every other sign-in, and returns new tokens for this one. */
export async function changePassword(ctx: Context, input: { currentPassword: string; newPassword: string }): Promise<Tokens> {
  const viewer = requireViewer(ctx);
  const password = validate(newPassword, input.newPassword, ['newPassword']);
  const user = await ctx.em.findOneOrFail(User, { id: viewer.userId });
  if (!(await verifyPassword(input.currentPassword, user.passwordHash))) {
    throw new GenericError('INVALID_CREDENTIALS', 'The current password is wrong.', ['currentPassword']);
  }
  const passwordHash = await hashPassword(password);
  const tokens = await transactional(ctx, async (tx) => {
    await kysely(tx.em, User).updateTable('user').set({ passwordHash, updatedAt: new Date() }).where('id', '=', user.id).execute();
    const session = await tx.em.findOneOrFail(AuthSession, { id: viewer.authSessionId });
    session.generation += 1;
    return await tokensOf(ctx.app, session);
  });
  await revokeSessions(ctx, user.id, { except: viewer.authSessionId });
  return tokens;
}

/** The viewer behind an access token; throws UNAUTHENTICATED when the sign-in has ended or the membership is gone. */
export async function authenticate(app: App, token: string): Promise<Viewer> {
  return await viewerOf(app, await readAccessToken(app, token));
}

/** The viewer as they are now; throws UNAUTHENTICATED when the sign-in has ended or the membership is gone. */
export async function viewerOf(app: App, claims: AccessClaims): Promise<Viewer> {
  const { userId, workspaceId, authSessionId, expiresAt } = claims;
  const row = await kysely(app.database.fork(), AuthSession, Member)
    .selectFrom('auth_session')
    .innerJoin('member', (join) => join.onRef('member.userId', '=', 'auth_session.userId').on('member.workspaceId', '=', workspaceId))
    .select('member.role')
    .where('auth_session.id', '=', authSessionId)
    .where('auth_session.userId', '=', userId)
    .where('auth_session.revokedAt', 'is', null)
    .executeTakeFirst();
  if (!row) throw accessEnded();
  return { userId, workspaceId, authSessionId, expiresAt, role: row.role, permissions: permissionsOf(row.role) };
}

/** What somebody is told whose sign-in has ended, or whose membership is gone. */
export function accessEnded(): UserError {
  return unauthenticated('You were signed out, or are no longer a member of this workspace. Sign in again.');
}

/** A member as a viewer, for work on their behalf after their request; throws UNAUTHENTICATED when they are none any more. */
export async function memberViewer(app: App, userId: string, workspaceId: string): Promise<Viewer> {
  const member = await kysely(app.database.fork(), Member).selectFrom('member').select('role').where('userId', '=', userId).where('workspaceId', '=', workspaceId).executeTakeFirst();
  if (!member) throw unauthenticated('The member who asked has left the workspace.');
  return { userId, workspaceId, authSessionId: '', role: member.role, permissions: permissionsOf(member.role), expiresAt: new Date(8.64e15) };
}

/** Adds a registered user to the workspace by e-mail address. */
export async function addMember(ctx: Context, input: { email: string; role: Role }): Promise<Member> {
  const viewer = permit(ctx, 'MEMBER_ADMIN');
  assertAssignable(viewer, input.role);
  const address = validate(email, input.email, ['email']);
  const user = await ctx.em.findOne(User, { email: address });
  if (!user) throw new NotFoundError('User', null, ['email']);
  const member = ctx.em.create(Member, { workspaceId: viewer.workspaceId, userId: user.id, role: input.role });
  try {
    await ctx.em.flush();
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error;
    throw new ConflictError(`${address} is a member already. Change the role with setMemberRole.`, ['email'], { type: 'User', id: user.id }, 'ALREADY_EXISTS');
  }
  return member;
}

/** Gives a member another role; the last owner keeps theirs. */
export async function setMemberRole(ctx: Context, input: { userId: string; role: Role }): Promise<Member> {
  const viewer = permit(ctx, 'MEMBER_ADMIN');
  assertAssignable(viewer, input.role);
  const member = await transactional(ctx, async (tx) => {
    const found = await lockMember(tx, input.userId);
    assertAssignable(viewer, found.role);
    if (found.role === 'OWNER' && input.role !== 'OWNER') await assertAnotherOwner(tx, found);
    found.role = input.role;
    return found;
  });
  ctx.app.bus.publish(accessChanged, input.userId, { userId: input.userId });
  return member;
}

/** Takes a member out of the workspace; everybody may take themselves out, except the last owner. */
export async function removeMember(ctx: Context, input: { userId: string }): Promise<string> {
  const viewer = requireViewer(ctx);
  if (input.userId !== viewer.userId) permit(ctx, 'MEMBER_ADMIN');
  await transactional(ctx, async (tx) => {
    const found = await lockMember(tx, input.userId);
    if (found.userId !== viewer.userId) assertAssignable(viewer, found.role);
    if (found.role === 'OWNER') await assertAnotherOwner(tx, found);
    tx.em.remove(found);
  });
  ctx.app.bus.publish(accessChanged, input.userId, { userId: input.userId });
  return input.userId;
}

async function openSession(tx: Context, user: User, workspaceId: string, userAgent: string | null): Promise<Tokens> {
  const session = tx.em.create(AuthSession, {
    userId: user.id,
    workspaceId,
    userAgent: userAgent?.slice(0, 500) ?? null,
    generation: 1,
    expiresAt: inSeconds(tx.app.config.refreshTokenSeconds),
  });
  await tx.em.flush();
  return await tokensOf(tx.app, session);
}

async function tokensOf(app: App, session: AuthSession): Promise<Tokens> {
  const { id: authSessionId, userId, workspaceId, generation, expiresAt } = session;
  const access = await signAccessToken(app, { userId, workspaceId, authSessionId });
  return {
    accessToken: access.token,
    accessTokenExpiresAt: access.expiresAt,
    refreshToken: await signRefreshToken(app, { authSessionId, generation }, expiresAt),
    refreshTokenExpiresAt: expiresAt,
  };
}

/** The wanted workspace, else the one used last, else the oldest membership. */
async function chooseWorkspace(ctx: Context, user: User, wanted: string | null): Promise<string> {
  const memberships = await ctx.em.find(Member, { userId: user.id }, { orderBy: { joinedAt: 'asc' } });
  const ids = memberships.map((membership) => membership.workspaceId);
  if (wanted !== null && !ids.includes(wanted)) throw new NotFoundError('Workspace', null, ['workspaceId']);
  const chosen = wanted ?? (user.lastWorkspaceId && ids.includes(user.lastWorkspaceId) ? user.lastWorkspaceId : ids[0]);
  if (!chosen) throw new GenericError('FORBIDDEN', 'You are not a member of any workspace. Ask an owner to add you.');
  return chosen;
}

async function revokeSessions(ctx: Context, userId: string, which: { only?: string; except?: string }): Promise<string[]> {
  let query = kysely(ctx.em, AuthSession)
    .updateTable('auth_session')
    .set({ revokedAt: new Date() })
    .where('userId', '=', userId)
    .where('revokedAt', 'is', null);
  if (which.only) query = query.where('id', '=', which.only);
  if (which.except) query = query.where('id', '!=', which.except);
  const ended = await query.returning('id').execute();
  ctx.app.bus.publish(accessChanged, userId, { userId });
  return ended.map((session) => session.id);
}

async function lockMember(tx: Context, userId: string): Promise<Member> {
  const member = await scoped(tx, Member).findOne({ userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (!member) throw new NotFoundError('User', null, ['userId']);
  return member;
}

async function assertAnotherOwner(tx: Context, owner: Member): Promise<void> {
  // Locks all owners, so that two of them cannot leave at once.
  const owners = await scoped(tx, Member).select().select('member.userId').where('role', '=', 'OWNER').forUpdate().execute();
  if (owners.every((other) => other.userId === owner.userId)) {
    throw new ConflictError('This is the last owner of the workspace. Make somebody else an owner first.', ['userId']);
  }
}

function assertAssignable(viewer: Viewer, role: Role): void {
  if (!mayAssign(viewer.role, role)) throw new ForbiddenError('MEMBER_ADMIN');
}

function inSeconds(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000);
}

function slugOf(text: string): string {
  const words = text.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 40);
  return `${words || 'workspace'}-${randomBytes(4).toString('hex')}`;
}
