// Valid definitions of any shape: a trunk from start to end, with jumps ahead and bounded loops back. Each node says
// its mark, so that a run shows its way; `walk` tells which way that must be.
import fc from 'fast-check';
import type { GraphDefinition, GraphEdge } from '../../src/graph/definition.ts';

export interface RandomGraph {
  readonly definition: GraphDefinition;
  /** The marks in the order in which a run says them. */
  readonly walk: readonly string[];
}

interface Jump {
  readonly from: number;
  readonly by: number;
  readonly taken: boolean;
}

/** Graphs of up to `max` nodes; loops go round once or twice. */
export function graphs(max = 12): fc.Arbitrary<RandomGraph> {
  const jump = fc.record<Jump>({ from: fc.nat(max - 1), by: fc.integer({ min: 1, max }), taken: fc.boolean() });
  return fc
    .record({
      length: fc.integer({ min: 1, max }),
      jumps: fc.array(jump, { maxLength: 6 }),
      loops: fc.uniqueArray(fc.record({ at: fc.nat(max - 1), back: fc.nat(3), rounds: fc.integer({ min: 1, max: 3 }) }), { selector: ({ at }) => at, maxLength: 2 }),
    })
    .map(({ length, jumps, loops }) => grow(length, jumps.filter(({ from }) => from < length), loops.filter(({ at }) => at < length)));
}

function grow(length: number, jumps: readonly Jump[], loops: readonly { at: number; back: number; rounds: number }[]): RandomGraph {
  const name = (index: number): string => (index < length ? `n${index}` : 'end');
  const edges: (GraphEdge & { holds: (visits: number) => boolean; target: number; at: number })[] = [];
  for (const { at, back, rounds } of loops) {
    const target = Math.max(0, at - back);
    edges.push({ from: name(at), to: name(target), condition: `steps.n${at} < ${rounds}`, holds: (visits) => visits < rounds, target, at });
  }
  for (const { from, by, taken } of jumps) {
    const target = Math.min(from + by, length);
    edges.push({ from: name(from), to: name(target), condition: taken ? 'question.length > 0' : '!question', holds: () => taken, target, at: from });
  }
  const trunk = Array.from({ length }, (_, at) => ({ from: name(at), to: name(at + 1), holds: () => true, target: at + 1, at }));
  const bounded = new Set(loops.map(({ at }) => at));
  // A loop around a loop visits the inner bound once per outer round.
  const nodes = Array.from({ length }, (_, at) => ({ id: name(at), type: 'echo', config: { mark: `${at} `, ...(bounded.has(at) ? { maxSteps: 20 } : {}) } }));
  const all = [...edges, ...trunk];
  return {
    definition: { name: 'random', version: 1, nodes, edges: [{ from: 'start', to: 'n0' }, ...all.map(({ from, to, ...rest }) => ('condition' in rest ? { from, to, condition: rest.condition! } : { from, to }))] },
    walk: walk(length, all),
  };
}

function walk(length: number, edges: readonly { at: number; target: number; holds: (visits: number) => boolean }[]): string[] {
  const visits = new Map<number, number>();
  const marks: string[] = [];
  for (let at = 0; at < length; ) {
    marks.push(`${at} `);
    visits.set(at, (visits.get(at) ?? 0) + 1);
    at = edges.find((edge) => edge.at === at && edge.holds(visits.get(at)!))!.target;
  }
  return marks;
}
