// A scope that keeps what it is told, and node types that do small things one can look at.
import { z } from 'zod';
import type { Context } from '../../src/context.ts';
import { createRegistry, defineNode, type NodeType } from '../../src/graph/node.ts';
import type { GraphDefinition } from '../../src/graph/definition.ts';
import { stopToAsk } from '../../src/graph/run.ts';
import type { RunPart, RunScope, StepPart } from '../../src/graph/scope.ts';
import type { Json } from '../../src/graph/state.ts';

export interface TestScope extends RunScope {
  readonly parts: RunPart[];
  readonly control: AbortController;
  /** The steps so far, e.g. "a RUNNING". */
  steps(): string[];
  text(): string;
}

/** The nodes here read nothing from the context and the settings but the model's name. `answers` are what people say, by the questions' keys. */
export function openScope(runId = 'run', answers: Readonly<Record<string, Json>> = {}): TestScope {
  const parts: RunPart[] = [];
  const control = new AbortController();
  return {
    runId,
    ctx: {} as Context,
    models: {} as RunScope['models'],
    settings: { modelId: `model of ${runId}` } as RunScope['settings'],
    control,
    signal: control.signal,
    parts,
    history: () => Promise.resolve([]),
    node: '',
    visit: '',
    answer: () => '',
    said: () => [],
    ask: (question) => Promise.resolve(answers[question.key] ?? stopToAsk(question)),
    written: () => ({ blockIndex: 0, offset: 0, citations: 0 }),
    emit: (part) => void parts.push(part),
    once: () => Promise.reject(new Error('No effects here.')),
    steps: () => parts.filter((part): part is StepPart => part.type === 'step').map(({ node, status }) => `${node} ${status}`),
    text: () => parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  };
}

/** Passes the question on and says its own mark. */
export const echo = defineNode({
  type: 'echo',
  description: 'Says its mark.',
  config: z.object({ mark: z.string().default('.'), maxSteps: z.int().positive().optional() }),
  input: z.object({ question: z.string() }),
  output: z.object({}),
  async process(_, { mark }, run) {
    run.emit({ type: 'text', text: mark });
    return {};
  },
});

/** Counts its visits in `values.count`. */
export const counter = defineNode({
  type: 'counter',
  description: 'Counts.',
  config: z.object({ maxSteps: z.int().positive().optional() }),
  input: z.object({ count: z.int().default(0) }),
  output: z.object({ count: z.int() }),
  process: ({ count }) => Promise.resolve({ count: count + 1 }),
});

/** Finds as many passages as it is told to. */
export const finder = defineNode({
  type: 'finder',
  description: 'Finds passages.',
  config: z.object({ find: z.int().nonnegative().default(1) }),
  input: z.object({ question: z.string() }),
  output: z.object({ passages: z.array(z.object({ n: z.int(), chunkId: z.string() })) }),
  process: (_, { find }) => Promise.resolve({ passages: Array.from({ length: find }, (_, index) => ({ n: index + 1, chunkId: `c${index}` })) }),
});

/** Reads an intent that somebody must have found. */
export const classifier = defineNode({
  type: 'classifier',
  description: 'Finds the intent.',
  config: z.object({ intent: z.string().default('create') }),
  input: z.object({ question: z.string() }),
  output: z.object({ intent: z.string() }),
  process: (_, { intent }) => Promise.resolve({ intent }),
});

export const actor = defineNode({
  type: 'actor',
  description: 'Acts on the intent.',
  config: z.object({}),
  input: z.object({ intent: z.string() }),
  output: z.object({ done: z.string() }),
  process: ({ intent }) => Promise.resolve({ done: `did ${intent}` }),
});

export const registry = createRegistry([echo, counter, finder, classifier, actor]);

/** A registry with these types beside the small ones. */
export function registryWith(...types: NodeType[]): ReturnType<typeof createRegistry> {
  return createRegistry([echo, counter, finder, classifier, actor, ...types]);
}

/** A definition from "id:type" names and "from -> to [if condition]" lines. */
export function define(nodes: Record<string, string | { type: string; config: unknown }>, edges: readonly string[]): GraphDefinition {
  return {
    name: 'test',
    version: 1,
    nodes: Object.entries(nodes).map(([id, node]) => (typeof node === 'string' ? { id, type: node } : { id, ...node })),
    edges: edges.map((line) => {
      const [way = '', condition] = line.split(' if ');
      const [from = '', to = ''] = way.split(' -> ');
      return { from, to, ...(condition === undefined ? {} : { condition }) };
    }),
  };
}
