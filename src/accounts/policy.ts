// Who may do what: roles and their permissions, in one table. Services assert with `permit` (context.ts).
import type { Role } from '../context.ts';
import type { Permission } from '../platform/errors.ts';

const viewer: readonly Permission[] = ['PROFILE_READ', 'DOCUMENT_READ'];
const member: readonly Permission[] = [...viewer, 'CHAT', 'TASK'];
const editor: readonly Permission[] = [...member, 'PROFILE_WRITE', 'DOCUMENT_WRITE'];
const admin: readonly Permission[] = [...editor, 'CONFIG_READ', 'CONFIG_WRITE', 'MEMBER_ADMIN'];

const table: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  VIEWER: new Set(viewer),
  MEMBER: new Set(member),
  EDITOR: new Set(editor),
  ADMIN: new Set(admin),
  OWNER: new Set(admin),
};

/** What a role may do. */
export function permissionsOf(role: Role): ReadonlySet<Permission> {
  return table[role];
}

/** Whether somebody of role `actor` may give or take the role `target`: only owners make and unmake owners. */
export function mayAssign(actor: Role, target: Role): boolean {
  return actor === 'OWNER' || (actor === 'ADMIN' && target !== 'OWNER');
}
