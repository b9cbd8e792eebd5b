// What the store of checkpoints promises, on both kinds of database.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { uuid6, type BaseCheckpointSaver, type Checkpoint } from '@langchain/langgraph-checkpoint';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { entities } from '../../src/entities.ts';
import { buildGraph } from '../../src/graph/build.ts';
import { defineNode } from '../../src/graph/node.ts';
import { lastWritten, runGraph } from '../../src/graph/run.ts';
import { initialState } from '../../src/graph/state.ts';
import { checkpointSchema, openCheckpoints } from '../../src/platform/checkpoints.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { kysely, openDatabase, sql, type Database, type EntityManager } from '../../src/platform/database.ts';
import { define, openScope, registryWith } from '../graph/support.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());

describe.each([
  ['PGlite', async () => null],
  ['PostgreSQL', () => postgres.createDatabase('checkpoints')],
])('checkpoints on %s', (_title, address) => {
  let database: Database;
  let saver: BaseCheckpointSaver;
  beforeAll(async () => {
    database = await openDatabase({
      config: { ...loadConfig({ NODE_ENV: 'test' }), databaseUrl: await address(), databasePoolSize: 4 },
      folder: null,
      entities,
      migrations: fileURLToPath(new URL('../../migrations', import.meta.url)),
    });
    saver = await openCheckpoints(database);
    await run('create table effect (label text primary key)');
  });
  afterAll(() => database.close());

  const run = (text: string, em: EntityManager = database.fork()) => sql.raw(text).execute(kysely(em)).then(({ rows }) => rows as Record<string, unknown>[]);

  it('come back as they were put, the newest of a thread first', async () => {
    const thread = randomUUID();
    const first = await put(saver, thread, { step: 1, text: 'Größe "1"', list: [1, null, { a: [] }] });
    const second = await put(saver, thread, { step: 2, text: '', list: [] }, first);
    await saver.putWrites({ configurable: { thread_id: thread, checkpoint_ns: '', checkpoint_id: second } }, [['text', 'pending']], 'task');

    const newest = await saver.getTuple(of(thread));
    expect(newest?.checkpoint.id).toBe(second);
    expect(newest?.checkpoint.channel_values).toEqual({ step: 2, text: '', list: [] });
    expect(newest?.pendingWrites).toEqual([['task', 'text', 'pending']]);
    expect(newest?.parentConfig?.configurable).toMatchObject({ checkpoint_id: first });
    expect((await saver.getTuple({ configurable: { thread_id: thread, checkpoint_id: first } }))?.checkpoint.channel_values).toEqual({ step: 1, text: 'Größe "1"', list: [1, null, { a: [] }] });
    expect(await idsOf(saver, thread)).toEqual([second, first]);
    expect(await saver.getTuple(of(randomUUID()))).toBeUndefined();
  });

  it('tell how much of an answer stood, also when its node ended and the process died before the next checkpoint', async () => {
    const thread = randomUUID();
    expect(await lastWritten(saver, thread)).toBeNull();
    const at = (offset: number) => ({ blockIndex: 0, offset, citations: 0 });
    const id = await put(saver, thread, { written: at(5) });
    expect(await lastWritten(saver, thread)).toEqual(at(5));
    await saver.putWrites({ configurable: { thread_id: thread, checkpoint_ns: '', checkpoint_id: id } }, [['values', {}], ['written', at(9)]], 'task');
    expect(await lastWritten(saver, thread)).toEqual(at(9));
  });

  it('of a thread that is deleted are gone from every table, and those of others stay', async () => {
    const [gone, stays] = [randomUUID(), randomUUID()];
    for (const thread of [gone, stays]) {
      const id = await put(saver, thread, { step: 1 });
      await saver.putWrites({ configurable: { thread_id: thread, checkpoint_ns: '', checkpoint_id: id } }, [['text', 'pending']], 'task');
    }
    await saver.deleteThread(gone);
    expect(await saver.getTuple(of(gone))).toBeUndefined();
    for (const table of ['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']) {
      const count = (thread: string) => run(`select count(*)::int as count from ${checkpointSchema}.${table} where thread_id = '${thread}'`);
      expect([table, await count(gone), await count(stays)]).toEqual([table, [{ count: 0 }], [{ count: 1 }]]);
    }
    await saver.deleteThread(gone);
  });

  it('of twenty threads at once are kept beside transactions of others, and neither is rolled back with the other', async () => {
    const threads = Array.from({ length: 20 }, () => randomUUID());
    const refusedPut = (thread: string) => expect(put(saver, thread, { step: 0 }, undefined, 'no id may hold \0')).rejects.toThrow();
    const effect = (label: string, fails: boolean) =>
      database.fork().transactional(async (em) => {
        await run(`insert into effect values ('${label}')`, em as EntityManager);
        await run('select 1', em as EntityManager);
        if (fails) throw new Error('rolled back');
      });
    await Promise.all(
      threads.flatMap((thread, index) => [
        (async () => {
          let parent: string | undefined;
          for (let step = 1; step <= 5; step++) {
            parent = await put(saver, thread, { step, text: `${thread} ${step}` }, parent);
            if (index % 4 === 0) await refusedPut(thread);
          }
        })(),
        effect(`kept ${index}`, false),
        expect(effect(`lost ${index}`, true)).rejects.toThrow('rolled back'),
      ]),
    );
    for (const thread of threads) {
      expect(await idsOf(saver, thread)).toHaveLength(5);
      expect((await saver.getTuple(of(thread)))?.checkpoint.channel_values).toEqual({ step: 5, text: `${thread} 5` });
    }
    expect((await run('select label from effect')).map(({ label }) => label).sort()).toEqual(threads.map((_, index) => `kept ${index}`).sort());
  });

  it.each(['sync', 'async'] as const)('let a run that was stopped midway go on elsewhere after its last finished node (%s)', async (durability) => {
    const graph = () => buildGraph(define({ first: 'counter', second: 'counter', third: 'stopping', fourth: 'counter' }, ['start -> first', 'first -> second', 'second -> third', 'third -> fourth', 'fourth -> end']), registryWith(stopping));
    const threadId = randomUUID();
    const stopped = openScope('stopped');
    const stops = expect(runGraph(graph(), initialState('q'), stopped, { checkpointer: saver, threadId, durability, settle: async () => ({ blockIndex: 0, offset: 7, citations: 0 }) })).rejects.toThrow('killed');
    await vi.waitFor(async () => expect((await saver.getTuple(of(threadId)))?.checkpoint.channel_values['values']).toEqual({ count: 2 }), 20_000);
    await vi.waitFor(() => expect(stopped.text()).toBe('Here.'), 20_000);
    stopped.control.abort(new Error('killed'));
    await stops;
    expect(stopped.steps()).toEqual(['first RUNNING', 'first SUCCEEDED', 'second RUNNING', 'second SUCCEEDED', 'third RUNNING', 'third CANCELLED']);

    const elsewhere = await openCheckpoints(database);
    expect(await lastWritten(elsewhere, threadId)).toEqual({ blockIndex: 0, offset: 7, citations: 0 });
    const goesOn = openScope('goes on');
    const state = await runGraph(graph(), initialState('another question'), goesOn, { checkpointer: elsewhere, threadId });
    expect(goesOn.steps()).toEqual(['third RUNNING', 'third SUCCEEDED', 'fourth RUNNING', 'fourth SUCCEEDED']);
    expect(state).toMatchObject({ question: 'q', values: { count: 3 } });
    expect((await runGraph(graph(), initialState('q'), openScope(), { checkpointer: saver, threadId })).values).toEqual(state.values);
  });

  it('do not show in the difference between the entities and the tables', async () => {
    await run('drop table if exists effect');
    await database.migrate();
    expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
    expect(await run(`select count(*)::int as count from ${checkpointSchema}.checkpoint_migrations`)).toEqual([{ count: 5 }]);
  });
});

/** Says something the first time, and waits then until it is stopped. */
const stopping = defineNode({
  type: 'stopping',
  description: 'Stops the first run.',
  config: z.object({}),
  input: z.object({}),
  output: z.object({}),
  async process(_input, _config, run) {
    if (run.runId !== 'stopped') return {};
    run.emit({ type: 'text', text: 'Here.' });
    await new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason as Error)));
    return {};
  },
});

const of = (thread: string) => ({ configurable: { thread_id: thread } });

/** Puts a checkpoint with these values; returns its id. */
async function put(saver: BaseCheckpointSaver, thread: string, values: Record<string, unknown>, parent?: string, id: string = uuid6(1)): Promise<string> {
  const versions = Object.fromEntries(Object.keys(values).map((key) => [key, id.length + (parent ? Number(values['step']) : 1)]));
  const checkpoint: Checkpoint = { v: 4, id, ts: new Date().toISOString(), channel_values: values, channel_versions: versions, versions_seen: {} };
  const config = { configurable: { thread_id: thread, checkpoint_ns: '', ...(parent !== undefined && { checkpoint_id: parent }) } };
  await saver.put(config, checkpoint, { source: 'loop', step: 1, parents: {} }, versions);
  return id;
}

async function idsOf(saver: BaseCheckpointSaver, thread: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { checkpoint } of saver.list(of(thread))) ids.push(checkpoint.id);
  return ids;
}
