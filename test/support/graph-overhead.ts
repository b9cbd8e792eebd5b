// What our graphs cost beside LangGraph's own: four nodes that do nearly nothing, once built of a definition and run by
// runGraph, once written by hand with LangGraph's StateGraph and invoked. Both give the same state; with a checkpointer both
// keep it after every step. What a node really does comes on top of both.
import { Annotation, END, MemorySaver, START, StateGraph } from '@langchain/langgraph';
import { buildGraph } from '../../src/graph/build.ts';
import { runGraph } from '../../src/graph/run.ts';
import { initialState } from '../../src/graph/state.ts';
import { define, openScope, registry } from '../graph/support.ts';
import { percentile } from './answers.ts';

/** The nodes of each graph. */
export const nodeCount = 4;

export interface Overhead {
  /** Medians in milliseconds of one run. */
  readonly ours: number;
  readonly theirs: number;
  /** Of the medians. */
  readonly ratio: number;
}

const passages = [{ n: 1, chunkId: 'c0' }, { n: 2, chunkId: 'c1' }];

const built = buildGraph(
  define({ find: { type: 'finder', config: { find: 2 } }, classify: 'classifier', act: 'actor', say: 'echo' }, ['start -> find', 'find -> classify', 'classify -> act', 'act -> say', 'say -> end']),
  registry,
);

const State = Annotation.Root({
  question: Annotation<string>(),
  passages: Annotation<typeof passages>(),
  values: Annotation<Record<string, string>>({ reducer: (known, change) => ({ ...known, ...change }), default: () => ({}) }),
});

function byHand() {
  const parts: string[] = [];
  return new StateGraph(State)
    .addNode('find', () => Promise.resolve({ passages }))
    .addNode('classify', () => Promise.resolve({ values: { intent: 'create' } }))
    .addNode('act', ({ values }) => Promise.resolve({ values: { done: `did ${values['intent']}` } }))
    .addNode('say', async () => {
      parts.push('.');
      return {};
    })
    .addEdge(START, 'find')
    .addEdge('find', 'classify')
    .addEdge('classify', 'act')
    .addEdge('act', 'say')
    .addEdge('say', END);
}

/** Measures in turn, so that whatever else the machine does meets both; `rounds` of `runs` each, after two that warm up. */
export async function measureOverhead({ rounds, runs, checkpoints }: { rounds: number; runs: number; checkpoints: boolean }): Promise<Overhead> {
  const samples = { ours: [] as number[], theirs: [] as number[] };
  for (let round = -2; round < rounds; round++) {
    // A saver of its own for each round: one in memory keeps all that it was ever given.
    const saver = checkpoints ? new MemorySaver() : undefined;
    const compiled = byHand().compile(saver ? { checkpointer: saver } : {});
    const ours = async (index: number): Promise<void> => {
      const state = await runGraph(built, initialState('q'), openScope(), saver ? { checkpointer: saver, threadId: `ours ${index}` } : {});
      if (state.values['done'] !== 'did create') throw new Error('Our graph did not do its work.');
    };
    const theirs = async (index: number): Promise<void> => {
      const state = await compiled.invoke({ question: 'q', passages: [], values: {} }, saver ? { configurable: { thread_id: `theirs ${index}` } } : {});
      if (state.values['done'] !== 'did create') throw new Error("LangGraph's graph did not do its work.");
    };
    const taken = { ours: 0, theirs: 0 };
    for (let index = 0; index < runs; index++) {
      const both = [['ours', ours], ['theirs', theirs]] as const;
      // Who comes second finds the memory that the first has left.
      for (const [whose, run] of index % 2 === 0 ? both : both.toReversed()) {
        const start = performance.now();
        await run(index);
        taken[whose] += performance.now() - start;
      }
    }
    if (round < 0) continue;
    samples.ours.push(taken.ours / runs);
    samples.theirs.push(taken.theirs / runs);
  }
  const [ours, theirs] = [percentile(samples.ours, 50), percentile(samples.theirs, 50)];
  return { ours, theirs, ratio: ours / theirs };
}
