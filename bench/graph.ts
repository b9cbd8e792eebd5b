// What a graph of ours costs beside LangGraph's own invoke, in one process and in turn: four nodes that do nearly nothing, so
// that all of it is overhead; without checkpoints, and with LangGraph's MemorySaver under both.
// `npm run bench:graph -- [--rounds 40] [--runs 50]`
import { parseArgs } from 'node:util';
import { measureOverhead, nodeCount } from '../test/support/graph-overhead.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '40' }, runs: { type: 'string', default: '50' } } });
const [rounds, runs] = [Number(values.rounds), Number(values.runs)];
/** What is promised of the ratio. */
const promised = 1.3;

console.info(`${nodeCount} nodes, ${rounds} rounds of ${runs} runs each in turn; medians`);
for (const checkpoints of [false, true]) {
  const { ours, theirs, ratio } = await measureOverhead({ rounds, runs, checkpoints });
  const perStep = ((ours - theirs) / nodeCount) * 1000;
  console.info(
    `${checkpoints ? 'MemorySaver' : 'no checkpoints'}: LangGraph ${theirs.toFixed(3)} ms, ours ${ours.toFixed(3)} ms, ` +
      `ratio ${ratio.toFixed(2)} (promised: at most ${promised}), ${perStep.toFixed(0)} µs more per step`,
  );
}
