// Valid definitions of any shape: a trunk from start to end, with jumps ahead and bounded loops back, of the product's own
// node types with configurations of any kind and a small one that says its mark. `walk` tells which way a run must take.
import fc from 'fast-check';
import { conditionNode } from '../../src/agent/condition-node.ts';
import { outputNode } from '../../src/agent/output-node.ts';
import { promptNode } from '../../src/agent/prompt-node.ts';
import type { GraphDefinition, GraphEdge, GraphNode } from '../../src/graph/definition.ts';
import type { NodeType } from '../../src/graph/node.ts';
import type { RunScope } from '../../src/graph/scope.ts';
import { defaultSettings } from '../../src/profiles/defaults.ts';
import { retrievalNode } from '../../src/search/retrieval-node.ts';
import { openScope, registryWith, type TestScope } from './support.ts';

export interface RandomGraph {
  readonly definition: GraphDefinition;
  /** The ids of the nodes in the order in which a run visits them. */
  readonly walk: readonly string[];
}

/** The node types that random graphs are made of, and the small ones. */
export const randomRegistry = registryWith(...([retrievalNode, promptNode, outputNode, conditionNode] as unknown as NodeType[]));

/** A scope for runs of random graphs: no documents can be found, and the model says the system message again. */
export function randomScope(): TestScope {
  const scope = openScope();
  const settings = { ...defaultSettings, profileId: 'p', modelId: 'm', fallbackModelIds: [], timeZone: 'UTC', systemPrompt: 'Answer.' };
  const log = { error: () => undefined, warn: () => undefined };
  const ask: RunScope['models']['ask'] = ({ messages }, hooks) => {
    hooks.text(messages[0]!.text);
    return Promise.resolve({ modelId: 'm', text: messages[0]!.text, finish: 'STOP', toolCalls: [] });
  };
  return Object.assign(scope, { settings, ctx: { log } as unknown as RunScope['ctx'], models: { ask } as RunScope['models'] });
}

interface Jump {
  readonly from: number;
  readonly by: number;
  readonly taken: boolean;
}

type Part = Pick<GraphNode, 'type' | 'config'>;

const text = fc.string({ maxLength: 20 }).filter((written) => !written.includes('{{'));
const config = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.option(fc.record(shape, { requiredKeys: [], noNullPrototype: true }), { nil: undefined });
const retrieval = config({
  searchMode: fc.constantFrom('SEMANTIC', 'KEYWORD', 'HYBRID'),
  topK: fc.integer({ min: 1, max: 50 }),
  minScore: fc.double({ min: 0, max: 1, noNaN: true }),
  rerank: fc.boolean(),
  maxContextTokens: fc.integer({ min: 100, max: 200_000 }),
  mode: fc.constantFrom('OFF', 'AUTO', 'ALWAYS'),
});
const placeholder = fc.constantFrom('{{systemPrompt}}', '{{ question }}', '{{date}}', '{{timeZone}}');
const prompt = config({ maxHistoryTokens: fc.nat(200_000), template: fc.array(fc.oneof(text, placeholder), { maxLength: 4 }).map((parts) => parts.join(' ')) });
/** Cases that do not hold, before the one that does: the branch is always "go". */
const condition = fc
  .array(fc.record({ when: fc.constantFrom('!question', 'passages.length > 9', 'values == 1', 'false || question == "\\"x\\""'), value: fc.string({ minLength: 1, maxLength: 9 }) }, { noNullPrototype: true }), { maxLength: 3 })
  .map((cases) => ({ cases: [...cases, { when: 'question.length > 0', value: 'go' }], otherwise: 'stay' }));
const part: fc.Arbitrary<Part> = fc.oneof(
  config({ mark: fc.string({ maxLength: 5 }) }).map((given) => ({ type: 'echo', config: given })),
  retrieval.map((given) => ({ type: 'retrieval', config: given })),
  prompt.map((given) => ({ type: 'prompt', config: given })),
  condition.map((given) => ({ type: 'condition', config: given })),
  fc.constant({ type: 'output' }),
);

/** Graphs of up to `max` nodes; loops go round once or twice. */
export function graphs(max = 12): fc.Arbitrary<RandomGraph> {
  const jump = fc.record<Jump>({ from: fc.nat(max - 1), by: fc.integer({ min: 1, max }), taken: fc.boolean() });
  return fc
    .record({
      parts: fc.array(part, { minLength: 1, maxLength: max, size: 'max' }),
      jumps: fc.array(jump, { maxLength: 6 }),
      loops: fc.uniqueArray(fc.record({ at: fc.nat(max - 1), back: fc.nat(3), rounds: fc.integer({ min: 1, max: 3 }) }), { selector: ({ at }) => at, maxLength: 2 }),
    })
    .map(({ parts, jumps, loops }) => grow(parts, jumps.filter(({ from }) => from < parts.length), loops.filter(({ at }) => at < parts.length)));
}

function grow(parts: readonly Part[], jumps: readonly Jump[], loops: readonly { at: number; back: number; rounds: number }[]): RandomGraph {
  const { length } = parts;
  const name = (index: number): string => (index < length ? `n${index}` : 'end');
  const bounded = new Set(loops.map(({ at }) => at));
  // A loop around a loop visits the inner bound once per outer round.
  const nodes = parts.map((given, at) => ({ id: name(at), ...(bounded.has(at) ? { type: 'echo', config: { maxSteps: 20 } } : given) }));
  const edges: (GraphEdge & { holds: (visits: number) => boolean; target: number; at: number })[] = [];
  for (const { at, back, rounds } of loops) {
    const target = Math.max(0, at - back);
    edges.push({ from: name(at), to: name(target), condition: `steps.n${at} < ${rounds}`, holds: (visits) => visits < rounds, target, at });
  }
  for (const { from, by, taken } of jumps) {
    const target = Math.min(from + by, length);
    const asked = nodes[from]!.type === 'condition' ? `values.branch == '${taken ? 'go' : 'stay'}'` : taken ? 'question.length > 0' : '!question';
    edges.push({ from: name(from), to: name(target), condition: asked, holds: () => taken, target, at: from });
  }
  const trunk = Array.from({ length }, (_, at) => ({ from: name(at), to: name(at + 1), holds: () => true, target: at + 1, at }));
  const all = [...edges, ...trunk];
  return {
    definition: { name: 'random', version: 1, nodes, edges: [{ from: 'start', to: 'n0' }, ...all.map(({ from, to, ...rest }) => ('condition' in rest ? { from, to, condition: rest.condition! } : { from, to }))] },
    walk: walk(length, all),
  };
}

function walk(length: number, edges: readonly { at: number; target: number; holds: (visits: number) => boolean }[]): string[] {
  const visits = new Map<number, number>();
  const visited: string[] = [];
  for (let at = 0; at < length; ) {
    visited.push(`n${at}`);
    visits.set(at, (visits.get(at) ?? 0) + 1);
    at = edges.find((edge) => edge.at === at && edge.holds(visits.get(at)!))!.target;
  }
  return visited;
}

type Mutable = { -readonly [K in keyof GraphDefinition]: GraphDefinition[K] extends readonly (infer T)[] ? { -readonly [F in keyof T]: T[F] }[] : GraphDefinition[K] };

/** A definition that cannot be built, with the path and the rule that must be told. */
export interface Broken {
  readonly broken: GraphDefinition;
  readonly fault: string;
}

/** What goes wrong with a valid definition in one place, chosen by a number. */
const damage: Readonly<Record<string, (graph: Mutable, at: number) => string>> = {
  'unknown type': (graph, at) => node(graph, at, 'nodes.#.type enum', (chosen) => (chosen.type = 'nothing')),
  'config of another shape': (graph, at) => node(graph, at, 'nodes.#.config invalid_type', (chosen) => (chosen.config = [])),
  'nested syntax error': (graph, at) => node(graph, at, 'nodes.#.config.cases.1.when syntax', (chosen) => Object.assign(chosen, { type: 'condition', config: { cases: [{ when: 'question', value: 'x' }, { when: '(question', value: 'y' }], otherwise: 'z' } })),
  'nested type': (graph, at) => node(graph, at, 'nodes.#.config.cases.0.value invalid_type', (chosen) => Object.assign(chosen, { type: 'condition', config: { cases: [{ when: 'question', value: 7 }], otherwise: 'z' } })),
  'value out of range': (graph, at) => node(graph, at, 'nodes.#.config.topK maximum', (chosen) => Object.assign(chosen, { type: 'retrieval', config: { topK: 51 } })),
  'unknown placeholder': (graph, at) => node(graph, at, 'nodes.#.config.template exists', (chosen) => Object.assign(chosen, { type: 'prompt', config: { template: '{{secret}}' } })),
  'duplicate id': (graph, at) => added(graph, graph.nodes[at % graph.nodes.length]!, [], '.id unique'),
  'reserved id': (graph, at) => node(graph, at, 'nodes.#.id reserved', (chosen) => (chosen.id = at % 2 === 0 ? 'start' : 'end')),
  'malformed id': (graph, at) => node(graph, at, 'nodes.#.id pattern', (chosen) => (chosen.id = ['', 'node:x', '1', 'a b', 'x'.repeat(65)][at % 5]!)),
  'edge to nowhere': (graph, at) => edge(graph, at, 'edges.#.to exists', (chosen) => (chosen.to = 'nowhere')),
  'edge from nowhere': (graph) => edgeFrom(graph, 'nowhere', 'end', 'question', '.from exists'),
  'edge into the start': (graph, at) => edge(graph, at, 'edges.#.to reserved', (chosen) => (chosen.to = 'start')),
  'edge out of the end': (graph, at) => edgeFrom(graph, 'end', anyId(graph, at), 'question', '.from reserved'),
  'syntax error': (graph, at) => edge(graph, at, 'edges.#.condition syntax', (chosen) => (chosen.condition = 'values.intent ==')),
  'unknown root': (graph, at) => edge(graph, at, 'edges.#.condition exists', (chosen) => (chosen.condition = 'answer.length > 1')),
  'misspelt value': (graph, at) => edgeFrom(graph, anyId(graph, at), 'end', 'values.intnet', '.condition exists'),
  'misspelt value in a config': (graph, at) => {
    const config = { cases: [{ when: 'question && values.intnet', value: 'x' }], otherwise: 'y' };
    return added(graph, { id: 'extra', type: 'condition', config }, [[anyId(graph, at), 'extra', 'question'], ['extra', 'end']], '.config.cases.0.when exists');
  },
  'no default exit': (graph, at) => {
    const index = graph.edges.findLastIndex(({ from }) => from === anyId(graph, at));
    graph.edges[index]!.condition = 'question';
    return `edges.${index}.condition default`;
  },
  'two default exits': (graph, at) => edgeFrom(graph, anyId(graph, at), 'end', undefined, ' ambiguous'),
  'unreachable node': (graph) => added(graph, { id: 'extra', type: 'echo' }, [['extra', 'end']], ' reachable'),
  'no way to the end': (graph, at) => added(graph, { id: 'extra', type: 'echo' }, [[anyId(graph, at), 'extra', 'question']], ' end'),
  'unbounded loop': (graph, at) => added(graph, { id: 'extra', type: 'echo' }, [[anyId(graph, at), 'extra', 'question'], ['extra', 'extra', 'question'], ['extra', 'end']], ' cycle'),
  'input of another form': (graph, at) => {
    graph.nodes.push({ id: 'teller', type: 'teller' });
    return added(graph, { id: 'extra', type: 'counter' }, [[anyId(graph, at), 'teller', 'question'], ['teller', 'extra'], ['extra', 'end']], ' input');
  },
  'input missing on one way': (graph, at) => {
    graph.nodes.push({ id: 'classify', type: 'classifier' });
    return added(graph, { id: 'extra', type: 'actor' }, [[anyId(graph, at), 'classify', 'question'], ['classify', 'extra'], [anyId(graph, at), 'extra', 'passages'], ['extra', 'end']], ' input');
  },
  'no start': (graph) => {
    graph.edges.splice(0, 1);
    return 'edges start';
  },
  'no node': (graph) => {
    graph.nodes.length = 0;
    return 'nodes minItems';
  },
  'too many nodes': (graph) => {
    graph.nodes = Array.from({ length: 51 }, (_, index) => ({ id: `x${index}`, type: 'echo' }));
    return 'nodes maxItems';
  },
  'too many edges': (graph) => {
    graph.edges = Array.from({ length: 201 }, () => graph.edges[0]!);
    return 'edges maxItems';
  },
};

/** Ways in which a definition can be broken. */
export const damages: readonly string[] = Object.keys(damage);

/** Random definitions, each broken in one way. */
export function brokenGraphs(): fc.Arbitrary<Broken> {
  return fc.tuple(graphs(), fc.constantFrom(...damages), fc.nat()).map(([{ definition }, kind, at]) => {
    const broken = structuredClone(definition) as Mutable;
    const fault = damage[kind]!(broken, at);
    return { broken, fault };
  });
}

function anyId({ nodes }: Mutable, at: number): string {
  // What was added beside the grown nodes has no number.
  const grown = nodes.filter(({ id }) => /^n\d+$/.test(id));
  return grown[at % grown.length]!.id;
}

function node({ nodes }: Mutable, at: number, fault: string, change: (chosen: Mutable['nodes'][number]) => void): string {
  const index = at % nodes.length;
  change(nodes[index]!);
  return fault.replace('#', String(index));
}

function edge({ edges }: Mutable, at: number, fault: string, change: (chosen: Mutable['edges'][number]) => void): string {
  const index = at % edges.length;
  change(edges[index]!);
  return fault.replace('#', String(index));
}

function edgeFrom({ edges }: Mutable, from: string, to: string, condition: string | undefined, fault: string): string {
  edges.push({ from, to, ...(condition !== undefined && { condition }) });
  return `edges.${edges.length - 1}${fault}`;
}

/** Adds a node with edges to and from it; the fault is told of the node. */
function added(graph: Mutable, extra: GraphNode, edges: readonly (readonly [from: string, to: string, condition?: string])[], fault: string): string {
  graph.nodes.push({ ...extra });
  for (const [from, to, condition] of edges) edgeFrom(graph, from, to, condition, '');
  return `nodes.${graph.nodes.length - 1}${fault}`;
}
