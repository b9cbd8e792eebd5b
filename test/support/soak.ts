// Long counts: a tenth of them by default, all of them by `npm run soak` (SOAK=1); and randomness that can be repeated.
import { availableParallelism, loadavg } from 'node:os';

/** How often to do what is promised to hold `count` times. */
export function soak(count: number): number {
  return process.env['SOAK'] === '1' ? count : Math.ceil(count / 10);
}

/** A time limit for a test that does `soak(…)` things: `ms` for the tenth, ten times that for all. */
export function soakMs(ms: number): number {
  return process.env['SOAK'] === '1' ? ms * 10 : ms;
}

/**
 * A time limit that is promised on a machine of one's own: `npm run soak` holds to it, up to twice as long while others' work
 * keeps the cores busy. By default it is five times as long, as all else that is tested may run beside: what is shown then is
 * that nothing waits for something of another order.
 */
export function stretched(ms: number): number {
  if (process.env['SOAK'] !== '1') return ms * 5;
  const waiting = (loadavg()[0] as number) / availableParallelism();
  return ms * Math.min(2, Math.max(1, waiting));
}

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32); SEED_OF_TESTS shifts all seeds. */
export function seeded(seed: number): () => number {
  let state = (seed + Number(process.env['SEED_OF_TESTS'] ?? 0)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
