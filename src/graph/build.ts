// From a definition to a graph that LangGraph drives. Everything is checked here, once; the result knows no run and
// serves any number of them at the same time.
import { createHash } from 'node:crypto';
import { Annotation, END as LANGGRAPH_END, START as LANGGRAPH_START, StateGraph, type LangGraphRunnableConfig } from '@langchain/langgraph';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { LRUCache } from 'lru-cache';
import { holds, parseCondition } from './condition.ts';
import { END, START, stepCap, type GraphDefinition, type GraphEdge } from './definition.ts';
import { InvalidGraphError, NodeFailedError } from './errors.ts';
import { parseConfig, type NodeRegistry, type RetryRule } from './node.ts';
import type { RunState } from './state.ts';
import { validateDefinition } from './validate.ts';
import { visit, type PlannedNode, type RunContext } from './visit.ts';

/** A graph ready to run, see `runGraph`. */
export interface CompiledGraph {
  readonly definition: GraphDefinition;
  /** More steps than any run of it can take: the bounds of its loops imply it. */
  readonly maxSteps: number;
  /** Whether a node of it changes something outside of its run. */
  readonly hasEffects: boolean;
  /** LangGraph's form of it, keeping its checkpoints there; compiled once per checkpointer. */
  compiled(checkpointer?: BaseCheckpointSaver): Pregel;
}

/** What the runner uses of a compiled LangGraph graph. */
export type Pregel = ReturnType<typeof assemble>;

/** Builds the graph; throws InvalidGraphError with every fault of the definition. */
export function buildGraph(definition: GraphDefinition, registry: NodeRegistry): CompiledGraph {
  const faults = validateDefinition(definition, registry);
  if (faults.length > 0) throw new InvalidGraphError(faults);
  const nodes = definition.nodes.map((node): PlannedNode => {
    const type = registry.get(node.type)!;
    const config = parseConfig(node, registry);
    return { id: node.id, type, config, inputKeys: Object.keys(type.input.shape), cap: type.visits?.(config) ?? stepCap(config) };
  });
  const hasEffects = nodes.some(({ type }) => type.hasEffects === true);
  const kept = new WeakMap<BaseCheckpointSaver, Pregel>();
  let plain: Pregel | null = null;
  return {
    definition,
    maxSteps: nodes.length * (1 + nodes.reduce((sum, { cap }) => sum + (cap ?? 0), 0)) + 1,
    hasEffects,
    compiled(checkpointer) {
      if (!checkpointer) return (plain ??= assemble(definition, nodes));
      const known = kept.get(checkpointer) ?? assemble(definition, nodes, checkpointer);
      kept.set(checkpointer, known);
      return known;
    },
  };
}

/** Builds definitions by the registry and keeps the most recently used graphs: equal definitions share one. */
export interface Graphs {
  readonly registry: NodeRegistry;
  build(definition: GraphDefinition): CompiledGraph;
}

/** Opens a cache of graphs; `max` counts graphs. */
export function createGraphs(registry: NodeRegistry, { max = 200 }: { max?: number } = {}): Graphs {
  const graphs = new LRUCache<string, CompiledGraph>({ max });
  return {
    registry,
    build(definition) {
      const key = createHash('sha256').update(JSON.stringify(definition)).digest('base64');
      const graph = graphs.get(key) ?? buildGraph(definition, registry);
      graphs.set(key, graph);
      return graph;
    },
  };
}

/** Plain channels: LangGraph checks zod states anew at every write, and ours are checked when they are made. */
const channels = Annotation.Root({
  version: Annotation<RunState['version']>(),
  question: Annotation<string>(),
  passages: Annotation<RunState['passages']>(),
  outputMessageId: Annotation<string | null>(),
  steps: Annotation<RunState['steps']>({ reducer: (known, change) => ({ ...known, ...change }), default: () => ({}) }),
  written: Annotation<RunState['written']>(),
  // Its own channel, as it can be large and is stored again with each change of the one that it is in.
  turnStates: Annotation<RunState['turnStates']>({ reducer: (known, change) => ({ ...known, ...change }), default: () => ({}) }),
  values: Annotation<RunState['values']>({ reducer: (known, change) => ({ ...known, ...change }), default: () => ({}) }),
});

type Builder = StateGraph<typeof channels, RunState, Partial<RunState>, string>;

function assemble(definition: GraphDefinition, nodes: readonly PlannedNode[], checkpointer?: BaseCheckpointSaver) {
  // LangGraph's types follow each node's name through the builder; these names are known at run time only.
  const graph = new StateGraph(channels) as unknown as Builder;
  for (const node of nodes) {
    graph.addNode(nameOf(node.id), (state: RunState, config: LangGraphRunnableConfig) => visit(node, state, config.context as RunContext, stepOf(config)), {
      retryPolicy: node.type.retry && retryPolicy(node.type.retry),
    });
  }
  addExits(graph, START, definition.edges);
  for (const node of nodes) addExits(graph, node.id, definition.edges, node);
  return graph.compile({ name: definition.name, ...(checkpointer ? { checkpointer } : {}) });
}

function addExits(graph: Builder, id: string, edges: readonly GraphEdge[], node?: PlannedNode): void {
  const exits = edges.filter(({ from }) => from === id);
  const always = exits.find(({ condition }) => condition == null);
  if (!always) return;
  const otherwise = nameOf(always.to);
  const repeats = node?.type.repeats;
  const choices = [
    ...(repeats ? [{ taken: (state: RunState) => repeats(state, id), to: nameOf(id) }] : []),
    ...exits.flatMap(({ condition, to }) => {
      if (condition == null) return [];
      const parsed = parseCondition(condition);
      return [{ taken: (state: RunState) => holds(parsed, state), to: nameOf(to) }];
    }),
  ];
  if (choices.length === 0) graph.addEdge(nameOf(id) as typeof LANGGRAPH_START, otherwise);
  else {
    const targets = [...new Set([...choices.map(({ to }) => to), otherwise])];
    graph.addConditionalEdges(nameOf(id) as typeof LANGGRAPH_START, (state: RunState) => choices.find(({ taken }) => taken(state))?.to ?? otherwise, targets);
  }
}

/** The number of the step that LangGraph takes: the same when it is taken again after a crash. */
function stepOf({ metadata }: LangGraphRunnableConfig): number {
  return metadata?.['langgraph_step'] as number;
}

/** LangGraph keeps nodes, channels and its own names in one space; with a prefix an id may be anything. */
function nameOf(id: string): string {
  if (id === START) return LANGGRAPH_START;
  return id === END ? LANGGRAPH_END : `node.${id}`;
}

function retryPolicy({ maxAttempts, initialIntervalMs = 500, maxIntervalMs = 30_000, jitter = true }: RetryRule) {
  return {
    maxAttempts,
    initialInterval: initialIntervalMs,
    maxInterval: maxIntervalMs,
    backoffFactor: 2,
    jitter,
    logWarning: false,
    retryOn: (error: unknown) => error instanceof NodeFailedError && error.retryable,
  };
}
