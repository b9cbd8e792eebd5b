import { describe, expect, it } from 'vitest';
import { latest } from '../../src/platform/latest.ts';

async function open() {
  let offer: (key: string, state: string) => void = () => undefined;
  let closed = 0;
  const states = await latest<string>(async (given) => {
    offer = given;
    return async () => void closed++;
  });
  return { states, offer: (key: string, state: string) => offer(key, state), closed: () => closed };
}

describe('a subscription to newest states', () => {
  it('gives a slow reader each thing\'s newest state once, in the order of the changes', async () => {
    const { states, offer } = await open();
    offer('a', 'a1');
    offer('b', 'b1');
    offer('a', 'a2');
    expect([(await states.next()).value, (await states.next()).value]).toEqual(['b1', 'a2']);
    const waiting = states.next();
    offer('c', 'c1');
    expect((await waiting).value).toBe('c1');
  });

  it('stops listening when it is closed before anything was read, and only once', async () => {
    const { states, closed } = await open();
    await states.return?.();
    await states.return?.();
    expect(closed()).toBe(1);
    expect(await states.next()).toEqual({ value: undefined, done: true });
  });

  it('ends a reader that waits when it is closed', async () => {
    const { states, offer } = await open();
    const waiting = states.next();
    await states.return?.();
    expect((await waiting).done).toBe(true);
    offer('a', 'late');
    expect((await states.next()).done).toBe(true);
  });
});
