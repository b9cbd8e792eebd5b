import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kysely, sql } from '../../src/platform/database.ts';
import { refreshStatistics } from '../../src/search/statistics.ts';
import { createTestApp, type TestApp } from '../support/app.ts';

let parley: TestApp;
beforeAll(async () => {
  parley = await createTestApp();
});
afterAll(() => parley.close());

describe('the statistics of the embedded database', () => {
  it('are taken once there is much to search, and again when there is twice as much', async () => {
    const known = async () => {
      const { rows } = await sql<{ rows: number }>`select reltuples::float8 as rows from pg_class where relname = 'posting'`.execute(kysely(parley.app.database.fork()));
      return (rows[0]?.rows ?? -1) >= 0;
    };
    expect(await refreshStatistics(parley.app, 10)).toBe(false);
    expect(await known()).toBe(false);
    expect(await refreshStatistics(parley.app, 1_000)).toBe(true);
    expect(await known()).toBe(true);
    expect(await refreshStatistics(parley.app, 1_999)).toBe(false);
    expect(await refreshStatistics(parley.app, 2_000)).toBe(true);
  });

  it('are left to a server that takes them itself', async () => {
    expect(await refreshStatistics({ ...parley.app, database: { ...parley.app.database, kind: 'postgresql' } }, 100_000)).toBe(false);
  });
});
