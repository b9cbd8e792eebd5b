// How accounts are asked: the viewer, workspaces and members, and the mutations that sign in and out.
import { attempt, builder, connection, decodeId, describedEnum, encodeId, forwardArgs, onlyUuids, payload, PermissionEnum, RateLimitObject } from '../builder.ts';
import type { Context, Role, Viewer } from '../context.ts';
import type { RateLimitName } from '../platform/config.ts';
import { kysely, sql } from '../platform/database.ts';
import { subjectOf, type LimitStatus } from '../platform/limits.ts';
import { paginate } from '../platform/page.ts';
import { AuthSession, Member, User, Workspace } from './entity.ts';
import { scoped } from './scoped.ts';
import * as accounts from './service.ts';

export const RoleEnum = describedEnum<Record<Role, string>>('Role', 'What a member is in a workspace; each includes the rights of those after it.', {
  OWNER: 'May also make and unmake owners; a workspace has at least one.',
  ADMIN: 'May also see and change the configuration, and members.',
  EDITOR: 'May also change profiles and documents.',
  MEMBER: 'May also chat and keep tasks.',
  VIEWER: 'May see profiles and documents.',
});

/** A user; visible to the members of their workspaces. */
export const UserNode = builder.loadableNodeRef('User', {
  id: { resolve: (user) => user.id },
  sort: (user: User) => user.id,
  load: async (ids: string[], ctx: Context): Promise<User[]> =>
    !ctx.viewer ? [] : (scoped(ctx, Member).select(User).innerJoin('user', 'user.id', 'member.userId').selectAll('user').where('user.id', 'in', onlyUuids(ids)).execute() as Promise<User[]>),
});
UserNode.implement({
  description: 'Somebody who can sign in; visible to the members of their workspaces.',
  fields: (t) => ({
    email: t.exposeString('email', { description: 'E-mail address, in lower case.' }),
    name: t.exposeString('name', { description: 'Name to show.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When they registered.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When their data last changed.' }),
  }),
});

const WorkspaceMember = builder.objectRef<Member>('WorkspaceMember').implement({
  description: "A user's place in a workspace.",
  fields: (t) => ({
    user: t.field({ type: UserNode, description: 'Who.', resolve: (member) => member.userId }),
    role: t.expose('role', { type: RoleEnum, description: 'What they are.' }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'Since when.' }),
  }),
});
const WorkspaceMemberConnection = connection('WorkspaceMember', WorkspaceMember, 'members');

/** A workspace of the viewer. */
export const WorkspaceNode = builder.loadableNodeRef('Workspace', {
  id: { resolve: (workspace) => workspace.id },
  sort: (workspace: Workspace) => workspace.id,
  load: async (ids: string[], ctx: Context): Promise<Workspace[]> =>
    ctx.viewer ? ((await workspacesOf(ctx, ctx.viewer).where('workspace.id', 'in', onlyUuids(ids)).execute()) as Workspace[]) : [],
});
WorkspaceNode.implement({
  description: 'What is shared by its members and by nobody else: profiles, documents, chats, tasks.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name to show.' }),
    slug: t.exposeString('slug', { description: 'Unique name for addresses.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    members: t.field({
      type: WorkspaceMemberConnection,
      args: forwardArgs(t.arg),
      description: 'Its members, in the order of joining. Only of the workspace that the viewer is signed in to.',
      resolve: (workspace, args, ctx) =>
        paginate(
          scoped(ctx, Member).select().selectAll().where('workspaceId', '=', workspace.id) as never,
          [
            { by: sql.ref('member.joinedAt'), direction: 'asc', value: (row: Member) => row.joinedAt.toISOString() },
            { by: sql.ref('member.userId'), direction: 'asc', value: (row: Member) => row.userId },
          ],
          args,
        ),
    }),
  }),
});

const AuthSessionNode = builder.loadableNodeRef('AuthSession', {
  id: { resolve: (session) => session.id },
  sort: (session: AuthSession) => session.id,
  load: async (ids: string[], ctx: Context): Promise<AuthSession[]> =>
    ctx.viewer ? ((await devicesOf(ctx, ctx.viewer).where('id', 'in', onlyUuids(ids)).execute()) as AuthSession[]) : [],
});
AuthSessionNode.implement({
  description: 'A device that the viewer is signed in on.',
  fields: (t) => ({
    userAgent: t.exposeString('userAgent', { nullable: true, description: 'How the device named itself when it signed in.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it signed in.' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'When it last refreshed its tokens.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it is signed out unless it refreshes before.' }),
    current: t.boolean({ description: 'Whether it is the one that asks.', resolve: (session, _args, ctx) => session.id === ctx.viewer?.authSessionId }),
  }),
});

export const ViewerObject = builder.objectRef<Viewer>('Viewer').implement({
  description: 'The signed-in user in the workspace of the access token.',
  fields: (t) => ({
    user: t.field({ type: UserNode, description: 'Who.', resolve: (viewer) => viewer.userId }),
    workspace: t.field({ type: WorkspaceNode, description: 'The workspace of this access token.', resolve: (viewer) => viewer.workspaceId }),
    workspaces: t.field({
      type: [WorkspaceNode],
      description: 'All workspaces of the user; switch with refreshTokens or login.',
      resolve: (viewer, _args, ctx) => workspacesOf(ctx, viewer).orderBy('member.joinedAt').execute() as Promise<Workspace[]>,
    }),
    role: t.expose('role', { type: RoleEnum, description: 'What the user is in this workspace.' }),
    permissions: t.field({ type: [PermissionEnum], description: 'What the role may do.', resolve: (viewer) => [...viewer.permissions] }),
    devices: t.field({
      type: [AuthSessionNode],
      description: 'Where the user is signed in, newest first.',
      resolve: (viewer, _args, ctx) => devicesOf(ctx, viewer).orderBy('createdAt', 'desc').execute() as Promise<AuthSession[]>,
    }),
    rateLimits: t.field({
      type: [RateLimitObject],
      description: 'Where the user stands in each limit that counts users; a limit that is off is left out.',
      resolve: (_viewer, _args, ctx) => standing(ctx, ['send_message', 'chat_events', 'messages', 'test_provider', 'default_hour', 'default_day']),
    }),
  }),
});

builder.queryFields((t) => ({
  viewer: t.field({ type: ViewerObject, nullable: true, description: 'Who asks; null for a guest.', resolve: (_root, _args, ctx) => ctx.viewer }),
  rateLimit: t.field({
    type: RateLimitObject,
    nullable: true,
    description: 'Where the user, or the address of a guest, stands in the limit of all that has none of its own: the hour or the day, whichever leaves less. Null when both are off.',
    resolve: async (_root, _args, ctx) => (await standing(ctx, ['default_hour', 'default_day'])).sort((a, b) => a.remaining - b.remaining)[0] ?? null,
  }),
}));

const AuthTokens = builder.objectRef<accounts.Tokens>('AuthTokens').implement({
  description: 'A pair of tokens: the access token goes with every request, the refresh token buys the next pair, once.',
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'Send as "authorization: Bearer …" or as `authorization` in connection_init.' }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', { type: 'DateTime', description: 'When it ends.' }),
    refreshToken: t.exposeString('refreshToken', { description: 'Works once; using it twice ends the sign-in.' }),
    refreshTokenExpiresAt: t.expose('refreshTokenExpiresAt', { type: 'DateTime', description: 'When the sign-in ends unless refreshed.' }),
  }),
});

const signedIn = { user: 'The user.', tokens: 'Tokens of this device.' };
const RegisterPayload = payload<accounts.SignedIn>('RegisterPayload', 'Answer of register.', (t) => ({
  user: t.field({ type: UserNode, nullable: true, description: signedIn.user, resolve: (answer) => answer.user as never }),
  tokens: t.field({ type: AuthTokens, nullable: true, description: signedIn.tokens, resolve: (answer) => answer.tokens }),
}));
const LoginPayload = payload<accounts.SignedIn>('LoginPayload', 'Answer of login.', (t) => ({
  user: t.field({ type: UserNode, nullable: true, description: signedIn.user, resolve: (answer) => answer.user as never }),
  tokens: t.field({ type: AuthTokens, nullable: true, description: signedIn.tokens, resolve: (answer) => answer.tokens }),
}));
const RefreshTokensPayload = payload<{ tokens: accounts.Tokens }>('RefreshTokensPayload', 'Answer of refreshTokens.', (t) => ({
  tokens: t.field({ type: AuthTokens, nullable: true, description: 'The new pair.', resolve: (answer) => answer.tokens }),
}));
const ChangePasswordPayload = payload<{ tokens: accounts.Tokens }>('ChangePasswordPayload', 'Answer of changePassword.', (t) => ({
  tokens: t.field({ type: AuthTokens, nullable: true, description: 'The new pair of this device.', resolve: (answer) => answer.tokens }),
}));
const LogoutPayload = payload<{ revokedSessionIds: string[] }>('LogoutPayload', 'Answer of logout.', (t) => ({
  revokedSessionIds: t.idList({ description: 'The sign-ins that ended.', resolve: (answer) => (answer.revokedSessionIds ?? []).map((id) => encodeId('AuthSession', id)) }),
}));
const UpdateViewerPayload = payload<{ user: User }>('UpdateViewerPayload', 'Answer of updateViewer.', (t) => ({
  user: t.field({ type: UserNode, nullable: true, description: 'The user as changed.', resolve: (answer) => answer.user as never }),
}));
const MemberPayload = payload<{ member: Member }>('MemberPayload', 'Answer of addMember and setMemberRole.', (t) => ({
  member: t.field({ type: WorkspaceMember, nullable: true, description: 'The member as changed.', resolve: (answer) => answer.member }),
}));
/** Answer of every deletion. */
export const DeletePayload = payload<{ deletedId: string }>('DeletePayload', 'Answer of every deletion.', (t) => ({
  deletedId: t.id({ nullable: true, description: 'What is gone, for caches; null when nothing was deleted.', resolve: (answer) => answer.deletedId }),
}));

const RegisterInput = builder.inputType('RegisterInput', {
  description: 'A new user.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'E-mail address; case does not matter.' }),
    password: t.string({ required: true, description: 'At least 8 characters with upper case, lower case, digit and special character.' }),
    name: t.string({ required: true, description: 'Name to show, at most 200 characters.' }),
  }),
});
const LoginInput = builder.inputType('LoginInput', {
  description: 'Credentials.',
  fields: (t) => ({
    email: t.string({ required: true, description: 'E-mail address.' }),
    password: t.string({ required: true, description: 'Password.' }),
    workspaceId: t.id({ description: 'Defaults to the workspace used last.' }),
  }),
});
const RefreshTokensInput = builder.inputType('RefreshTokensInput', {
  description: 'A refresh token.',
  fields: (t) => ({
    refreshToken: t.string({ required: true, description: 'The newest one of this device.' }),
    workspaceId: t.id({ description: 'Switches the workspace.' }),
  }),
});
const LogoutInput = builder.inputType('LogoutInput', {
  description: 'How far to sign out.',
  fields: (t) => ({ everywhere: t.boolean({ defaultValue: false, description: 'Every device instead of this one.' }) }),
});
const UpdateViewerInput = builder.inputType('UpdateViewerInput', {
  description: "Changes of the viewer's own data; absent fields stay.",
  fields: (t) => ({ name: t.string({ description: 'Name to show.' }) }),
});
const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'The old and the new password.',
  fields: (t) => ({
    currentPassword: t.string({ required: true, description: 'The password so far.' }),
    newPassword: t.string({ required: true, description: 'By the same rules as in register.' }),
  }),
});
const AddMemberInput = builder.inputType('AddMemberInput', {
  description: "Adds a registered user to the viewer's workspace by e-mail.",
  fields: (t) => ({
    email: t.string({ required: true, description: 'Address they registered with.' }),
    role: t.field({ type: RoleEnum, required: true, description: 'What they become.' }),
  }),
});
const SetMemberRoleInput = builder.inputType('SetMemberRoleInput', {
  description: 'Gives a member another role.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'Who.' }),
    role: t.field({ type: RoleEnum, required: true, description: 'What they become.' }),
  }),
});
const RemoveMemberInput = builder.inputType('RemoveMemberInput', {
  description: 'Takes a member out of the workspace.',
  fields: (t) => ({ userId: t.id({ required: true, description: 'Who; oneself to leave.' }) }),
});

builder.mutationFields((t) => ({
  register: t.field({
    type: RegisterPayload,
    args: { input: t.arg({ type: RegisterInput, required: true, description: 'Who.' }) },
    description: 'Makes a user with a workspace of their own, signed in.',
    resolve: (_root, { input }, ctx) => attempt(() => accounts.register(ctx, input, userAgentOf(ctx))),
  }),
  login: t.field({
    type: LoginPayload,
    args: { input: t.arg({ type: LoginInput, required: true, description: 'Credentials.' }) },
    description: 'Signs in on this device.',
    resolve: (_root, { input }, ctx) => attempt(() => accounts.login(ctx, { ...input, workspaceId: workspaceIdOf(input.workspaceId) }, userAgentOf(ctx))),
  }),
  refreshTokens: t.field({
    type: RefreshTokensPayload,
    args: { input: t.arg({ type: RefreshTokensInput, required: true, description: 'The refresh token.' }) },
    description: 'Buys the next pair of tokens. A token that is used twice ends its sign-in.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => ({ tokens: await accounts.refreshTokens(ctx, { ...input, workspaceId: workspaceIdOf(input.workspaceId) }) })),
  }),
  logout: t.field({
    type: LogoutPayload,
    args: { input: t.arg({ type: LogoutInput, required: true, description: 'How far.' }) },
    description: 'Ends this sign-in or all of them.',
    resolve: (_root, { input }, ctx) => attempt(async () => ({ revokedSessionIds: await accounts.logout(ctx, input.everywhere ?? false) })),
  }),
  updateViewer: t.field({
    type: UpdateViewerPayload,
    args: { input: t.arg({ type: UpdateViewerInput, required: true, description: 'Changes.' }) },
    description: "Changes the viewer's own data.",
    resolve: (_root, { input }, ctx) => attempt(async () => ({ user: await accounts.updateViewer(ctx, { name: input.name ?? null }) })),
  }),
  changePassword: t.field({
    type: ChangePasswordPayload,
    args: { input: t.arg({ type: ChangePasswordInput, required: true, description: 'Old and new.' }) },
    description: 'Changes the password and ends every other sign-in.',
    resolve: (_root, { input }, ctx) => attempt(async () => ({ tokens: await accounts.changePassword(ctx, input) })),
  }),
  addMember: t.field({
    type: MemberPayload,
    args: { input: t.arg({ type: AddMemberInput, required: true, description: 'Who and as what.' }) },
    description: "Adds a registered user to the viewer's workspace. Needs MEMBER_ADMIN.",
    resolve: (_root, { input }, ctx) => attempt(async () => ({ member: await accounts.addMember(ctx, input) })),
  }),
  setMemberRole: t.field({
    type: MemberPayload,
    args: { input: t.arg({ type: SetMemberRoleInput, required: true, description: 'Who and what.' }) },
    description: 'Gives a member another role. Needs MEMBER_ADMIN.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => ({ member: await accounts.setMemberRole(ctx, { role: input.role, userId: decodeId('User', input.userId, ['userId']) }) })),
  }),
  removeMember: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: RemoveMemberInput, required: true, description: 'Who.' }) },
    description: 'Takes a member out of the workspace. Needs MEMBER_ADMIN, except for oneself.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        await accounts.removeMember(ctx, { userId: decodeId('User', input.userId, ['userId']) });
        return { deletedId: input.userId };
      }),
  }),
}));

function workspacesOf(ctx: Context, viewer: Viewer) {
  return kysely(ctx.em, Workspace, Member)
    .selectFrom('workspace')
    .innerJoin('member', 'member.workspaceId', 'workspace.id')
    .selectAll('workspace')
    .where('member.userId', '=', viewer.userId);
}

function devicesOf(ctx: Context, viewer: Viewer) {
  return kysely(ctx.em, AuthSession)
    .selectFrom('auth_session')
    .selectAll()
    .where('userId', '=', viewer.userId)
    .where('revokedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`now()`);
}

async function standing({ app, viewer, address }: Context, names: readonly RateLimitName[]): Promise<LimitStatus[]> {
  const each = await Promise.all(names.map((name) => app.limits.status(name, subjectOf(name, viewer?.userId ?? null, address))));
  return each.filter((status) => status !== null);
}

function workspaceIdOf(id: string | null | undefined): string | null {
  return id == null ? null : decodeId('Workspace', id, ['workspaceId']);
}

function userAgentOf(ctx: Context): string | null {
  return (ctx as Context & { request?: Request }).request?.headers.get('user-agent') ?? null;
}
