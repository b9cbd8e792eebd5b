import { expect, it } from 'vitest';
import { measureOverhead } from '../support/graph-overhead.ts';

// 1.3 is promised and `npm run bench:graph` measures it (1.2). Here others use the machine, so only a graph that costs far
// more is found: the two run in turn, and the median of the rounds counts.
it.each([false, true])('a graph costs little more than one that is written for LangGraph by hand (with checkpoints: %s)', async (checkpoints) => {
  const { ratio } = await measureOverhead({ rounds: 15, runs: 10, checkpoints });
  expect(ratio).toBeLessThan(2);
}, 120_000);
