// Changes of a list, by messages and from the rows.
import { expect, it } from 'vitest';
import { createLocalBus, topic } from '../../src/platform/bus.ts';
import { defineChanges, stateOf, type Change, type ChangedRow, type ChangeKind } from '../../src/platform/changes.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLog } from '../../src/platform/log.ts';

interface Thing extends Change {
  readonly id: string;
  readonly from: 'message' | 'row';
}

const log = await createLog(loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'silent' }));
const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));

/** A list that is followed: what it has told, and how to send a message or put a row before it. */
async function follow({ concerns = () => true }: { concerns?: (change: Thing) => boolean } = {}) {
  const things = topic<Thing>('things');
  const bus = createLocalBus((error) => expect.unreachable(String(error)));
  let rows: ChangedRow[] = [];
  const looked: (() => void)[] = [];
  const changes = defineChanges({
    what: 'things',
    topic: things,
    idOf: (change: Thing) => change.id,
    async recent() {
      for (const resolve of looked.splice(0)) setImmediate(resolve);
      return rows;
    },
    changeOf: ({ id }, kind, state): Thing => ({ kind, id, state, from: 'row' }),
  });
  const iterator = await changes({ database: { kind: 'postgresql' }, log, bus }, 'w', concerns);
  const told: string[] = [];
  const reading = (async () => {
    for await (const { from, kind, id, state } of iterator) told.push(`${from} ${kind} ${id} ${state.slice(17, 19)}`);
  })();
  const message = async (kind: ChangeKind, id: string, second: number): Promise<void> => {
    bus.publish(things, 'w', { kind, id, state: stateOf(kind, at(second)), from: 'message' });
    // Until the reader has it.
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** The rows as they are from now on; resolves after the next look at them. */
  const look = async (found: Partial<ChangedRow>[]): Promise<void> => {
    rows = found.map((row) => ({ id: 'a', workspaceId: 'w', isNew: false, isDeleted: false, updatedAt: at(0), ...row }));
    await new Promise<void>((resolve) => looked.push(resolve));
  };
  const stop = async (): Promise<void> => {
    await iterator.return?.();
    await reading;
  };
  return { told, message, look, stop };
}

it('are told once, whichever is heard of first', async () => {
  const { told, message, look, stop } = await follow();
  await message('CREATED', 'a', 1);
  await look([{ isNew: true, updatedAt: at(1) }]);
  await look([{ isNew: true, updatedAt: at(2) }, { id: 'b', isNew: true, updatedAt: at(2) }]);
  await message('UPDATED', 'a', 2);
  await message('CREATED', 'b', 2);
  await message('UPDATED', 'b', 3);
  await stop();
  expect(told).toEqual(['message CREATED a 01', 'row UPDATED a 02', 'row CREATED b 02', 'message UPDATED b 03']);
});

it('end with the deletion, whatever is heard of late', async () => {
  const { told, message, look, stop } = await follow();
  await message('DELETED', 'a', 1);
  await look([{ updatedAt: at(2) }, { id: 'b', isDeleted: true, updatedAt: at(2) }]);
  await message('UPDATED', 'b', 3);
  await message('DELETED', 'b', 3);
  await stop();
  expect(told).toEqual(['message DELETED a ', 'row DELETED b ']);
});

it('are told to those whom they concern, of their workspace', async () => {
  const { told, message, look, stop } = await follow({ concerns: ({ id }) => id === 'b' });
  await message('UPDATED', 'a', 1);
  await message('UPDATED', 'b', 1);
  await look([{ updatedAt: at(2) }, { id: 'b', updatedAt: at(2) }, { id: 'b', workspaceId: 'other', updatedAt: at(3) }]);
  await stop();
  expect(told).toEqual(['message UPDATED b 01', 'row UPDATED b 02']);
});
