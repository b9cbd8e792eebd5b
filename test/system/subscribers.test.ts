// What readers feel while as many others have stopped reading, and what streams leave behind.
import { expect, it } from 'vitest';
import { measureCrowd, type Round } from '../support/crowd.ts';
import { soak, soakMs } from '../support/soak.ts';

it(`${soak(1000)} subscribers who have stopped reading take little memory and no time from ${soak(1000)} who read`, { timeout: soakMs(90_000) }, async () => {
  const isSoak = process.env['SOAK'] === '1';
  const count = soak(1000);
  const { without, with: together } = await measureCrowd({ count, rounds: isSoak ? 9 : 3, sessions: 2, pieces: isSoak ? 40 : 20, pauseMs: isSoak ? 200 : 50, warmUpMs: isSoak ? 5_000 : 2_200 });
  const rounds = [...without, ...together];
  expect(rounds.flatMap(({ faults }) => faults)).toEqual([]);
  expect(rounds.map(({ readers }) => readers)).toEqual(rounds.map(() => count));
  expect(together.map(({ paused }) => paused)).toEqual(together.map(() => count));
  const figures = (of: readonly Round[]): { medianMs: number; p99Ms: number } => ({ medianMs: median(of.map(({ medianMs }) => medianMs)), p99Ms: median(of.map(({ p99Ms }) => p99Ms)) });
  const alone = figures(without);
  const shared = figures(together);
  // The first round is one without them: from then on the process keeps what it once took.
  const addedMb = Math.max(...together.map(({ memoryMb }) => memoryMb)) - (without[0] as Round).memoryMb;
  console.info(`${count} readers, medians of ${without.length} rounds each: alone ${JSON.stringify(alone)}, with ${count} paused ${JSON.stringify(shared)} and at most ${Math.round(addedMb)} MB more than before them`);
  expect(addedMb).toBeLessThan(300);
  // A few rounds of a few milliseconds on a busy machine differ by more than what is promised for the whole count.
  expect(shared.medianMs).toBeLessThan(isSoak ? alone.medianMs * 1.2 : alone.medianMs * 1.5 + 10);
  expect(shared.p99Ms).toBeLessThan(isSoak ? alone.p99Ms * 2 : alone.p99Ms * 2 + 50);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
