// Watching rows that other processes change.
import { expect, it } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { defineWatch } from '../../src/platform/watch.ts';

const log = await createLog(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'silent' }));
const onServer = () => ({ database: { kind: 'postgresql' }, log }) as const;
const intervalMs = 10;

/** A watch that writes down its looks: who was there at each. */
function define(onLook: (looks: number) => void = () => undefined) {
  const looks: string[][] = [];
  let opened = 0;
  const watch = defineWatch<{ database: { kind: 'pglite' | 'postgresql' }; log: typeof log }, string>({
    what: 'things',
    intervalMs,
    open() {
      opened++;
      return async (listeners) => {
        looks.push([...listeners]);
        onLook(looks.length);
      };
    },
  });
  return { looks, watch, opened: () => opened };
}

it('looks once per interval, for all that watch together', async () => {
  const { looks, watch, opened } = define();
  const app = onServer();
  const ends = ['a', 'b', 'c'].map((name) => watch(app, name));
  await expect.poll(() => looks.length).toBeGreaterThan(2);
  expect(opened()).toBe(1);
  expect(looks[0]).toEqual(['a', 'b', 'c']);
  ends[1]?.();
  const before = looks.length;
  await expect.poll(() => looks.length).toBeGreaterThan(before);
  expect(looks.at(-1)).toEqual(['a', 'c']);
});

it('ends with the last listener, and begins anew with the next', async () => {
  const { looks, watch, opened } = define();
  const app = onServer();
  const end = watch(app, 'a');
  await expect.poll(() => looks.length).toBeGreaterThan(0);
  end();
  const other = define();
  other.watch(app, 'other');
  const before = looks.length;
  await expect.poll(() => other.looks.length).toBeGreaterThan(3);
  expect(looks).toHaveLength(before);
  watch(app, 'b');
  await expect.poll(() => looks.at(-1)).toEqual(['b']);
  expect(opened()).toBe(2);
});

it('looks again after a look that failed', async () => {
  const { looks, watch } = define((count) => {
    if (count === 1) throw new Error('the database is away');
  });
  watch(onServer(), 'a');
  await expect.poll(() => looks.length).toBeGreaterThan(1);
});

it('does not look on the embedded database, which has one process', async () => {
  const { watch, opened } = define();
  watch({ database: { kind: 'pglite' }, log }, 'a')();
  expect(opened()).toBe(0);
});
