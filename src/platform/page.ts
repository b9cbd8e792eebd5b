// Cursor pagination (keyset): stable while rows come and go, and as cheap on the last page as on the first.
import type { Kysely, RawBuilder, SelectQueryBuilder } from 'kysely';
import { sql } from './database.ts';
import { ValidationError } from './errors.ts';

/** Arguments of a connection; `first` or `last` 1–100, 20 when absent. */
export interface PageArgs {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

export interface Page<Node> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  /** Counted only when asked for. */
  readonly totalCount: () => number | Promise<number>;
}

/** One term of an order; the last term must be unique. `value` gives what `by` gives in SQL, as JSON. */
export interface OrderTerm<Row> {
  readonly by: RawBuilder<unknown>;
  readonly direction: 'asc' | 'desc';
  readonly value: (row: Row) => string | number;
}

/** The page of `query` that `args` ask for; throws VALIDATION_FAILED for a bad size or cursor. */
export async function paginate<DB, TB extends keyof DB, Row extends object>(
  query: SelectQueryBuilder<DB, TB, Row>,
  order: readonly OrderTerm<Row>[],
  args: PageArgs,
): Promise<Page<Row>> {
  const window = readWindow(args);
  const rows = await refusingCursors(args, () => windowed(query, order, args, window).execute());
  return toPage(rows as Row[], order, args, window, async () => {
    const counted = query.clearSelect().clearOrderBy().select(sql<number>`count(*)::int`.as('count') as never);
    return ((await counted.executeTakeFirst()) as { count: number } | undefined)?.count ?? 0;
  });
}

/**
 * The page of each parent in one statement: `query` without a condition on the parent, `parent` the column that names it.
 * One page per id, in the order of `ids`.
 */
export async function paginateEach<DB, TB extends keyof DB, Row extends object>(
  db: Kysely<DB>,
  ids: readonly string[],
  query: SelectQueryBuilder<DB, TB, Row>,
  parent: RawBuilder<unknown>,
  order: readonly OrderTerm<Row>[],
  args: PageArgs,
): Promise<Page<Row>[]> {
  const window = readWindow(args);
  const own = query.where(sql<boolean>`${parent} = parent.id`);
  const page = windowed(own, order, args, window).select(sql<string>`parent.id`.as('parentId') as never);
  const parents = sql<{ id: string }>`unnest(${sql.val(ids)}::uuid[])`.as<'parent'>(sql`parent(id)`);
  const joined = (db as unknown as Kysely<Record<string, Record<string, unknown>>>)
    .selectFrom(parents)
    .innerJoinLateral(() => page.as('page') as never, (join) => join.onTrue())
    .selectAll('page' as never);
  const rows = await refusingCursors(args, () => joined.execute());
  const byParent = Map.groupBy(rows as unknown as (Row & { parentId: string })[], (row) => row.parentId);
  let counts: Promise<Map<string, number>> | null = null;
  const count = async (id: string): Promise<number> => {
    counts ??= query
      .clearSelect()
      .clearOrderBy()
      .select([sql<string>`${parent}`.as('id') as never, sql<number>`count(*)::int`.as('count') as never])
      .where(sql<boolean>`${parent} = any(${sql.val(ids)}::uuid[])`)
      .groupBy(parent as never)
      .execute()
      .then((found) => new Map((found as unknown as { id: string; count: number }[]).map((row) => [row.id, row.count])));
    return (await counts).get(id) ?? 0;
  };
  return ids.map((id) => toPage<Row>(byParent.get(id) ?? [], order, args, window, () => count(id)));
}

/** A page of rows that are all at hand, e.g. of a list without an order in SQL. */
export function pageOf<Row>(rows: readonly Row[], cursorOf: (row: Row) => string, args: PageArgs): Page<Row> {
  const { size, backward } = readWindow(args);
  const at = (cursor: string | null | undefined, name: string): number => {
    if (!cursor) return -1;
    const index = rows.findIndex((row) => cursorOf(row) === cursor);
    if (index < 0) throw new ValidationError(`"${name}" is not a cursor of this list.`, [name], 'cursor');
    return index;
  };
  const start = at(args.after, 'after') + 1;
  const before = at(args.before, 'before');
  const end = before < 0 ? rows.length : before;
  const from = backward ? Math.max(start, end - size) : start;
  const to = backward ? end : Math.min(end, start + size);
  const edges = rows.slice(from, to).map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: to < rows.length,
      hasPreviousPage: from > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => rows.length,
  };
}

interface Window {
  readonly size: number;
  readonly backward: boolean;
}

function readWindow(args: PageArgs): Window {
  if (args.first != null && args.last != null) throw new ValidationError('Pass either "first" or "last", not both.', ['first'], 'exclusive');
  const name = args.last != null ? 'last' : 'first';
  const size = args.last ?? args.first ?? 20;
  if (size < 1 || size > 100) throw new ValidationError(`"${name}" is ${size}; ask for 1 to 100 at once and page on with cursors.`, [name], 'range');
  return { size, backward: args.last != null };
}

/** `query` ordered, cut to the cursors, and one row longer than the page to know whether there is more. */
function windowed<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  order: readonly OrderTerm<Row>[],
  args: PageArgs,
  { size, backward }: Window,
): SelectQueryBuilder<DB, TB, Row> {
  let cut = query;
  if (args.after) cut = cut.where(beyond(order, decode(args.after, order.length, 'after'), false));
  if (args.before) cut = cut.where(beyond(order, decode(args.before, order.length, 'before'), true));
  for (const term of order) cut = cut.orderBy(term.by as never, (term.direction === 'asc') !== backward ? 'asc' : 'desc');
  return cut.limit(size + 1);
}

/** Strictly after (or before) the values in the order: (a > x) or (a = x and b > y) or … */
function beyond<Row>(order: readonly OrderTerm<Row>[], values: readonly unknown[], backward: boolean): RawBuilder<boolean> {
  const alternatives = order.map((term, index) => {
    const equal = order.slice(0, index).map((earlier, at) => sql`${earlier.by} = ${values[at]}`);
    const operator = (term.direction === 'asc') !== backward ? sql`>` : sql`<`;
    return sql`(${sql.join([...equal, sql`${term.by} ${operator} ${values[index]}`], sql` and `)})`;
  });
  return sql<boolean>`(${sql.join(alternatives, sql` or `)})`;
}

function toPage<Row>(
  rows: readonly Row[],
  order: readonly OrderTerm<Row>[],
  args: PageArgs,
  { size, backward }: Window,
  totalCount: () => Promise<number>,
): Page<Row> {
  const more = rows.length > size;
  const kept = backward ? rows.slice(0, size).reverse() : rows.slice(0, size);
  const edges = kept.map((node) => ({ cursor: encode(order.map((term) => term.value(node))), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: backward ? args.before != null : more,
      hasPreviousPage: backward ? more : args.after != null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount,
  };
}

function encode(values: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

function decode(cursor: string, length: number, name: string): readonly unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const plain = Array.isArray(values) && values.length === length && values.every((value) => ['string', 'number'].includes(typeof value));
    // As text, so that it is the database that reads them, whatever the driver.
    if (plain) return values.map(String);
  } catch {
    // Answered below, like every other text that is not a cursor.
  }
  throw notACursor(name);
}

/** Runs a query; a value that the database cannot read as what it is compared with came from a cursor of another list. */
async function refusingCursors<Row>(args: PageArgs, run: () => Promise<Row>): Promise<Row> {
  try {
    return await run();
  } catch (error) {
    const given = args.after ? 'after' : args.before ? 'before' : null;
    // Class 22 are data exceptions: https://www.postgresql.org/docs/18/errcodes-appendix.html
    if (given && (error as { code?: string }).code?.startsWith('22')) throw notACursor(given);
    throw error;
  }
}

function notACursor(name: string): ValidationError {
  return new ValidationError(`"${name}" is not a cursor of this list. Pass an endCursor or startCursor as it was given.`, [name], 'cursor');
}
