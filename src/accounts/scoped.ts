// Tenancy in one place: every query of a workspace's rows starts here, so that it cannot forget the workspace.
// An id of another workspace finds nothing, exactly like an id that does not exist.
import type { EntityName, FilterQuery, FindOneOptions, FindOptions } from '@mikro-orm/core';
import type { DeleteQueryBuilder, DeleteResult, SelectQueryBuilder, UpdateQueryBuilder, UpdateResult } from 'kysely';
import type { Context } from '../context.ts';
import { kysely, type AnyEntityClass, type TableOf, type Tables } from '../platform/database.ts';
import { unauthenticated } from '../platform/errors.ts';

/** An entity whose rows belong to a workspace. */
export type ScopedEntity = AnyEntityClass & (abstract new (...args: never[]) => { workspaceId: string });
type Row<E extends AnyEntityClass> = InstanceType<E>;
type Table<E, DB> = TableOf<E> & keyof DB;

/** The rows of one entity in the context's workspace. */
export interface Scope<E extends ScopedEntity> {
  /** Managed entities, for changes through the unit of work. */
  find(where: FilterQuery<Row<E>>, options?: FindOptions<Row<E>>): Promise<Row<E>[]>;
  findOne(where: FilterQuery<Row<E>>, options?: FindOneOptions<Row<E>>): Promise<Row<E> | null>;
  /** A Kysely query over plain rows; `joins` are the entities that it will join. */
  select<const J extends readonly AnyEntityClass[]>(...joins: J): SelectQueryBuilder<Tables<E | J[number]>, Table<E, Tables<E | J[number]>>, object>;
  update(): UpdateQueryBuilder<Tables<E>, Table<E, Tables<E>>, Table<E, Tables<E>>, UpdateResult>;
  delete(): DeleteQueryBuilder<Tables<E>, Table<E, Tables<E>>, DeleteResult>;
}

/** The rows of `entity` that belong to the context's workspace; throws UNAUTHENTICATED for a guest. */
export function scoped<E extends ScopedEntity>(ctx: Context, entity: E): Scope<E> {
  const { workspaceId } = ctx;
  if (!workspaceId) throw unauthenticated();
  const name = entity as unknown as EntityName<Row<E>>;
  const table = ctx.app.database.orm.getMetadata().get(name as never).tableName;
  const column = `${table}.workspaceId`;
  // The generic table's name is beyond what Kysely's types can follow; callers get the precise ones above.
  const db = kysely(ctx.em, entity) as any; // eslint-disable-line -- see above
  return {
    find: (where, options) => ctx.em.find(name, { $and: [where, { workspaceId }] } as never, options as never) as Promise<Row<E>[]>,
    findOne: (where, options) => ctx.em.findOne(name, { $and: [where, { workspaceId }] } as never, options as never) as Promise<Row<E> | null>,
    select: () => db.selectFrom(table).where(column, '=', workspaceId),
    update: () => db.updateTable(table).where(column, '=', workspaceId),
    delete: () => db.deleteFrom(table).where(column, '=', workspaceId),
  };
}
