import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, password, type TestApp } from './support/app.ts';

let parley: TestApp;
beforeAll(async () => {
  parley = await createTestApp();
});
afterAll(() => parley.close());

const REGISTER = 'mutation ($input: RegisterInput!) { register(input: $input) { user { id email } tokens { accessToken } userErrors { __typename code field message ... on ValidationError { constraint } } } }';
const LOGIN = 'mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken } userErrors { code message } } }';
const REFRESH = 'mutation ($input: RefreshTokensInput!) { refreshTokens(input: $input) { tokens { accessToken refreshToken } userErrors { code } } }';

describe('register', () => {
  it('gives a user, a workspace that they own, and tokens', async () => {
    const ada = await parley.signUp('Ada');
    const { viewer } = await ada.ask('{ viewer { user { name email } role permissions workspace { name members { totalCount nodes { role user { name } } } } devices { current } } }');
    expect(viewer.user).toEqual({ name: 'Ada', email: ada.email });
    expect(viewer.role).toBe('OWNER');
    expect(viewer.permissions).toContain('MEMBER_ADMIN');
    expect(viewer.workspace.members).toEqual({ totalCount: 1, nodes: [{ role: 'OWNER', user: { name: 'Ada' } }] });
    expect(viewer.devices).toEqual([{ current: true }]);
  });

  it('answers one error for each rule that a password breaks', async () => {
    const { data } = await parley.request(REGISTER, { input: { email: 'weak@example.test', password: 'short', name: 'W' } });
    expect(data.register.user).toBeNull();
    expect(data.register.userErrors.map((error: { constraint: string }) => error.constraint).sort()).toEqual(['digit', 'minLength', 'special', 'uppercase']);
    expect(data.register.userErrors.every((error: { field: string[]; code: string }) => error.field.join() === 'password' && error.code === 'VALIDATION_FAILED')).toBe(true);
  });

  it('refuses an address that is registered, whatever its case', async () => {
    const ada = await parley.signUp();
    const { data } = await parley.request(REGISTER, { input: { email: ada.email.toUpperCase(), password, name: 'Again' } });
    expect(data.register.userErrors).toMatchObject([{ __typename: 'ConflictError', code: 'ALREADY_EXISTS', field: ['email'] }]);
  });

  it('lets exactly one of many simultaneous registrations of an address win', async () => {
    const input = { email: 'race@example.test', password, name: 'Race' };
    const answers = await Promise.all(Array.from({ length: 8 }, () => parley.request(REGISTER, { input })));
    const codes = answers.map((answer) => answer.data.register.userErrors[0]?.code ?? 'OK').sort();
    expect(codes).toEqual([...Array(7).fill('ALREADY_EXISTS'), 'OK']);
  });
});

describe('login', () => {
  it('answers unknown addresses and wrong passwords alike', async () => {
    const ada = await parley.signUp();
    const wrong = await parley.request(LOGIN, { input: { email: ada.email, password: 'Wrong-pass-w0rd!' } });
    const unknown = await parley.request(LOGIN, { input: { email: 'nobody@example.test', password } });
    expect(wrong.data.login.userErrors[0].code).toBe('INVALID_CREDENTIALS');
    expect(wrong.data).toEqual(unknown.data);
  });

  it('goes to the workspace used last, or to the one that is named', async () => {
    const owner = await parley.signUp('Owner');
    const guest = await parley.signUpInto(owner, 'MEMBER');
    const again = await parley.request(LOGIN, { input: { email: guest.email, password } });
    const { data } = await parley.request('{ viewer { workspace { id } workspaces { id } } }', {}, again.data.login.tokens.accessToken);
    expect(data.viewer.workspace.id).toBe(owner.workspaceId);
    expect(data.viewer.workspaces).toHaveLength(2);
    const stranger = await parley.signUp();
    const foreign = await parley.request(LOGIN, { input: { email: guest.email, password, workspaceId: stranger.workspaceId } });
    expect(foreign.data.login.userErrors[0].code).toBe('NOT_FOUND');
  });
});

describe('refreshTokens', () => {
  it('exchanges a refresh token once, and a second use ends the sign-in with all its tokens', async () => {
    const ada = await parley.signUp();
    const first = await parley.request(REFRESH, { input: { refreshToken: ada.refreshToken } });
    const fresh = first.data.refreshTokens.tokens;
    expect((await parley.request('{ viewer { role } }', {}, fresh.accessToken)).data.viewer.role).toBe('OWNER');
    const reused = await parley.request(REFRESH, { input: { refreshToken: ada.refreshToken } });
    expect(reused.data.refreshTokens).toEqual({ tokens: null, userErrors: [{ code: 'UNAUTHENTICATED' }] });
    const family = await parley.request(REFRESH, { input: { refreshToken: fresh.refreshToken } });
    expect(family.data.refreshTokens.userErrors[0].code).toBe('UNAUTHENTICATED');
    const access = await parley.request('{ viewer { role } }', {}, fresh.accessToken);
    expect(access.status).toBe(401);
    expect(access.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  it('refuses an access token in its place, and garbage', async () => {
    const ada = await parley.signUp();
    for (const refreshToken of [ada.accessToken, 'garbage', '']) {
      const { data } = await parley.request(REFRESH, { input: { refreshToken } });
      expect(data.refreshTokens.userErrors[0].code).toBe('UNAUTHENTICATED');
    }
  });
});

describe('logout', () => {
  it('ends this sign-in only, or every one', async () => {
    const ada = await parley.signUp();
    const phone = (await parley.request(LOGIN, { input: { email: ada.email, password } })).data.login.tokens.accessToken;
    const LOGOUT = 'mutation ($everywhere: Boolean) { logout(input: { everywhere: $everywhere }) { revokedSessionIds } }';
    const here = await ada.ask(LOGOUT, { everywhere: false });
    expect(here.logout.revokedSessionIds).toHaveLength(1);
    expect((await ada.request('{ viewer { role } }')).status).toBe(401);
    expect((await parley.request('{ viewer { role } }', {}, phone)).data.viewer.role).toBe('OWNER');
    const tablet = (await parley.request(LOGIN, { input: { email: ada.email, password } })).data.login.tokens.accessToken;
    await parley.request(LOGOUT, { everywhere: true }, tablet);
    expect((await parley.request('{ viewer { role } }', {}, phone)).status).toBe(401);
  });
});

describe('changePassword', () => {
  it('needs the current password, then ends every other sign-in', async () => {
    const ada = await parley.signUp();
    const other = (await parley.request(LOGIN, { input: { email: ada.email, password } })).data.login.tokens.accessToken;
    const CHANGE = 'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { tokens { accessToken refreshToken } userErrors { code field } } }';
    const wrong = await ada.ask(CHANGE, { input: { currentPassword: 'Wrong-pass-w0rd!', newPassword: 'An0ther-password!' } });
    expect(wrong.changePassword.userErrors).toEqual([{ code: 'INVALID_CREDENTIALS', field: ['currentPassword'] }]);
    const done = await ada.ask(CHANGE, { input: { currentPassword: password, newPassword: 'An0ther-password!' } });
    expect((await parley.request('{ viewer { role } }', {}, other)).status).toBe(401);
    expect((await parley.request('{ viewer { role } }', {}, done.changePassword.tokens.accessToken)).data.viewer.role).toBe('OWNER');
    expect((await parley.request(LOGIN, { input: { email: ada.email, password } })).data.login.userErrors[0].code).toBe('INVALID_CREDENTIALS');
  });
});

describe('members', () => {
  const ADD = 'mutation ($input: AddMemberInput!) { addMember(input: $input) { member { role user { email } } userErrors { __typename code field } } }';
  const SET = 'mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { member { role } userErrors { __typename code } } }';
  const REMOVE = 'mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { deletedId userErrors { __typename code } } }';

  it('are added, promoted and removed by admins, and by nobody below', async () => {
    const owner = await parley.signUp('Owner');
    const admin = await parley.signUpInto(owner, 'ADMIN');
    const viewer = await parley.signUpInto(owner, 'VIEWER');
    const newcomer = await parley.signUp('New');
    expect((await viewer.ask(ADD, { input: { email: newcomer.email, role: 'VIEWER' } })).addMember.userErrors[0]).toMatchObject({ __typename: 'ForbiddenError', code: 'FORBIDDEN' });
    expect((await admin.ask(ADD, { input: { email: newcomer.email, role: 'OWNER' } })).addMember.userErrors[0].code).toBe('FORBIDDEN');
    expect((await admin.ask(ADD, { input: { email: newcomer.email, role: 'MEMBER' } })).addMember.member).toEqual({ role: 'MEMBER', user: { email: newcomer.email } });
    expect((await admin.ask(ADD, { input: { email: newcomer.email, role: 'MEMBER' } })).addMember.userErrors[0].code).toBe('ALREADY_EXISTS');
    expect((await admin.ask(ADD, { input: { email: 'nobody@example.test', role: 'MEMBER' } })).addMember.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: ['email'] });
    expect((await admin.ask(SET, { input: { userId: newcomer.id, role: 'EDITOR' } })).setMemberRole.member.role).toBe('EDITOR');
    expect((await admin.ask(SET, { input: { userId: owner.id, role: 'VIEWER' } })).setMemberRole.userErrors[0].code).toBe('FORBIDDEN');
    expect((await admin.ask(REMOVE, { input: { userId: newcomer.id } })).removeMember.deletedId).toBe(newcomer.id);
    expect((await viewer.request('{ viewer { role } }')).data.viewer.role).toBe('VIEWER');
  });

  it('keep at least one owner, also when two owners leave at once', async () => {
    const owner = await parley.signUp('Owner');
    expect((await owner.ask(REMOVE, { input: { userId: owner.id } })).removeMember.userErrors[0].code).toBe('CONFLICT');
    const second = await parley.signUpInto(owner, 'OWNER');
    const both = await Promise.all([owner.ask(REMOVE, { input: { userId: owner.id } }), second.ask(REMOVE, { input: { userId: second.id } })]);
    expect(both.flatMap((answer) => answer.removeMember.userErrors.map((error: { code: string }) => error.code))).toEqual(['CONFLICT']);
  });

  it('lose access with the membership', async () => {
    const owner = await parley.signUp('Owner');
    const member = await parley.signUpInto(owner, 'MEMBER');
    await owner.ask(REMOVE, { input: { userId: member.id } });
    expect((await member.request('{ viewer { role } }')).status).toBe(401);
  });
});

describe('another workspace', () => {
  it('answers like something that does not exist', async () => {
    const ada = await parley.signUp();
    const eve = await parley.signUp('Eve');
    for (const id of [ada.id, ada.workspaceId]) expect((await eve.ask('query ($id: ID!) { node(id: $id) { id } }', { id })).node).toBeNull();
    const { nodes } = await eve.ask('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [ada.id, eve.id, 'garbage', 'VXNlcjpub3QtYS11dWlk'] });
    expect(nodes).toEqual([null, { id: eve.id }, null, null]);
    const role = await eve.ask('mutation ($input: SetMemberRoleInput!) { setMemberRole(input: $input) { userErrors { code } } }', { input: { userId: ada.id, role: 'VIEWER' } });
    expect(role.setMemberRole.userErrors[0].code).toBe('NOT_FOUND');
  });

  it('shows nothing to a guest', async () => {
    expect((await parley.request('{ viewer { role } }')).data.viewer).toBeNull();
    const answer = await parley.request('{ providers { name } }');
    expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });
});
