// The clock of one call, and what it leaves behind.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limitTime } from '../../src/models/calls.ts';
import { CallTimedOutError } from '../../src/models/failures.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<never>(() => undefined);

describe('a time limit', () => {
  it('ends what it races at its time, and no sooner', async () => {
    const limit = limitTime(1_000, new AbortController().signal);
    const raced = limit.race(never).catch((error: unknown) => error);
    vi.advanceTimersByTime(999);
    expect(limit.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await raced).toBeInstanceOf(CallTimedOutError);
    await expect(limit.race(never)).rejects.toBeInstanceOf(CallTimedOutError);
  });

  it('begins anew each time it is extended', () => {
    const limit = limitTime(1_000, new AbortController().signal);
    for (const ms of [500, 500, 2_000, 500]) {
      limit.extend(ms);
      vi.advanceTimersByTime(ms - 1);
    }
    expect(limit.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(limit.signal.aborted).toBe(true);
  });

  it('ends with the reason of whoever asked', async () => {
    const controller = new AbortController();
    const limit = limitTime(1_000, controller.signal);
    const raced = limit.race(never);
    controller.abort('enough');
    await expect(raced).rejects.toBe('enough');
    await expect(limitTime(1_000, controller.signal).race(never)).rejects.toBe('enough');
  });

  it('leaves no timer behind and closes what still runs', () => {
    const limit = limitTime(1_000, new AbortController().signal);
    limit.extend(500);
    limit.extend(500);
    limit.end();
    expect(vi.getTimerCount()).toBe(0);
    expect(limit.signal.aborted).toBe(true);
  });

  it('gives what it races when that is in time, also when it fails', async () => {
    const limit = limitTime(1_000, new AbortController().signal);
    expect(await limit.race(Promise.resolve('yes'))).toBe('yes');
    await expect(limit.race(Promise.reject(new Error('no')))).rejects.toThrow('no');
    limit.end();
  });
});
