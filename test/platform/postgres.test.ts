// How a process opens PostgreSQL: starts at the same time, and connections that are few, cut or paused.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outputNode } from '../../src/agent/output-node.ts';
import { createApp } from '../../src/app.ts';
import type { NodeType } from '../../src/graph/node.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { lockStart } from '../../src/platform/start-lock.ts';
import { createTestApp } from '../support/app.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { launch } from '../support/program.ts';

describe('a start', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.close());

  const configOf = (databaseUrl: string) => loadConfig({ NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'fatal', DATABASE_URL: databaseUrl });

  it('at the same time as two others makes what is missing once, and all three come up', async () => {
    const config = configOf(await postgres.createDatabase('three'));
    const apps = await Promise.all([createApp(config), createApp(config), createApp(config)]);
    const migrated = apps.map((app) => app.migrated.length).sort((a, b) => a - b);
    expect(migrated).toEqual([0, 0, expect.any(Number)]);
    expect(migrated[2]).toBeGreaterThan(0);
    for (const app of apps) {
      expect(await app.database.ping()).toBeGreaterThan(0);
      await app.close();
    }
  });

  it('goes on where another was killed in the middle of its own', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-start-'));
    // In the first statements, between the migrations and what the libraries bring, and in that.
    const halfway = ["select 1 from pg_locks where locktype = 'advisory'", "select 1 from pg_tables where tablename = 'profile'", "select 1 from pg_namespace where nspname = 'pgboss'"];
    for (const [index, condition] of halfway.entries()) {
      const databaseUrl = await postgres.createDatabase(`halfway${index}`);
      const observer = new pg.Client({ connectionString: databaseUrl });
      await observer.connect();
      const first = launch({ cwd: folder, env: { NODE_ENV: 'test', PORT: '0', DATABASE_URL: databaseUrl } });
      while ((await observer.query(condition)).rows.length === 0) await sleep(1);
      const others = Promise.all([createApp(configOf(databaseUrl)), createApp(configOf(databaseUrl))]);
      first.child.kill('SIGKILL');
      // A test that is late finds it ready: then there is nothing left to go on with, and all come up just the same.
      expect(await first.ending).toMatchObject({ signal: 'SIGKILL' });
      for (const app of await others) {
        expect(await app.database.migrate()).toEqual([]);
        await app.close();
      }
      await observer.end();
    }
    await rm(folder, { recursive: true, force: true });
  });

  it('that another holds up for too long says so, and one that failed holds nobody up', async () => {
    const config = configOf(await postgres.createDatabase('held'));
    const unlock = await lockStart(config);
    await expect(lockStart(config, 200)).rejects.toMatchObject({ name: 'StartupError', why: expect.stringContaining('more than 0.2 seconds') });
    await unlock();
    await expect(createApp(config, { nodeTypes: [outputNode as unknown as NodeType] })).rejects.toThrow('output');
    await (await lockStart(config))();
  });
});

describe('connections', () => {
  let postgres: TestPostgres;
  let admin: pg.Client;
  let databaseUrl: string;
  beforeAll(async () => {
    postgres = await startPostgres();
    databaseUrl = await postgres.createDatabase('connections');
    admin = new pg.Client({ connectionString: databaseUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await postgres?.close();
  });

  it('that are all in use are waited for, but not for ever', async () => {
    const parley = await createTestApp({ DATABASE_URL: databaseUrl, DATABASE_POOL_SIZE: '2', DATABASE_TIMEOUT_SECONDS: '1' });
    const ada = await parley.signUp();
    const held = await Promise.all([parley.app.database.pool!.connect(), parley.app.database.pool!.connect()]);
    const refused = await ada.request('{ profiles { totalCount } }');
    expect(refused.errors).toMatchObject([{ extensions: { code: 'TIMEOUT' }, message: expect.stringContaining('Try again') }]);
    const waiting = ada.ask('{ profiles { totalCount } }');
    for (const client of held) client.release();
    expect(await waiting).toEqual({ profiles: { totalCount: 2 } });
    await parley.close();
  });

  it('that the server cuts, idle or in use, end nothing but what was using them', async () => {
    const parley = await createTestApp({ DATABASE_URL: databaseUrl });
    const ada = await parley.signUp();
    const name = `parley ${parley.app.config.instanceId}`;
    for (let round = 0; round < 3; round++) {
      const asking = Promise.all(Array.from({ length: 20 }, () => ada.request('{ profiles { totalCount } }')));
      const { rows } = await admin.query('select pg_terminate_backend(pid) as cut from pg_stat_activity where application_name = $1', [name]);
      expect(rows.length).toBeGreaterThan(0);
      for (const { data, errors } of await asking) {
        if (errors) expect(errors).toMatchObject([{ extensions: { code: 'PROVIDER_UNAVAILABLE' } }]);
        else expect(data).toEqual({ profiles: { totalCount: 2 } });
      }
      await expect.poll(async () => (await ada.request('{ profiles { totalCount } }')).data).toEqual({ profiles: { totalCount: 2 } });
    }
    await parley.close();
  });

  it('of a process that is paused in a transaction give up their locks before its lease ends', async () => {
    const parley = await createTestApp({ DATABASE_URL: databaseUrl, RUN_LEASE_SECONDS: '6' });
    const paused = await parley.app.database.pool!.connect();
    const lost = new Promise((resolve) => paused.once('error', resolve));
    await paused.query('begin');
    const since = await paused.query('select pg_advisory_xact_lock(4711), clock_timestamp() as at');
    const until = await admin.query('select pg_advisory_lock(4711), clock_timestamp() as at');
    // In the server's time, as the lease is.
    expect(until.rows[0].at - since.rows[0].at).toBeLessThan(6_000);
    await admin.query('select pg_advisory_unlock(4711)');
    await lost;
    await expect(paused.query('commit')).rejects.toThrow();
    paused.release(true);
    expect(await parley.app.database.ping()).toBeGreaterThan(0);
    await parley.close();
  });
});
