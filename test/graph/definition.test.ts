import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildGraph, createGraphs } from '../../src/graph/build.ts';
import { graphDefinition, MAX_EDGES, MAX_NODES, type GraphDefinition } from '../../src/graph/definition.ts';
import { InvalidGraphError, type DefinitionFault } from '../../src/graph/errors.ts';
import { mermaid } from '../../src/graph/mermaid.ts';
import { createRegistry, defineNode } from '../../src/graph/node.ts';
import { validateDefinition } from '../../src/graph/validate.ts';
import { brokenGraphs, graphs, randomRegistry } from './random-graphs.ts';
import { define, echo, registry, registryWith } from './support.ts';

const line = define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> b', 'b -> end']);

it('a line from start to end is valid, with the defaults of its node types', () => {
  expect(validateDefinition(line, registry)).toEqual([]);
  expect(validateDefinition(graphDefinition.parse(JSON.parse(JSON.stringify(line))), registry)).toEqual([]);
});

describe('a definition is refused with the path of the fault', () => {
  const faulty: [string, GraphDefinition, string, string][] = [
    ['an unknown type', define({ a: 'wizard' }, ['start -> a', 'a -> end']), 'nodes.0.type', 'enum'],
    ['a wrong config', define({ a: { type: 'echo', config: { mark: 3 } } }, ['start -> a', 'a -> end']), 'nodes.0.config.mark', 'invalid_type'],
    ['a config that is no object', define({ a: { type: 'echo', config: 'x' } }, ['start -> a', 'a -> end']), 'nodes.0.config', 'invalid_type'],
    ['a reserved id', define({ end: 'echo' }, ['start -> end']), 'nodes.0.id', 'reserved'],
    ['an id with a colon', define({ 'a:b': 'echo' }, ['start -> a:b', 'a:b -> end']), 'nodes.0.id', 'pattern'],
    ['an id twice', { ...line, nodes: [...line.nodes, line.nodes[0]!] }, 'nodes.2.id', 'unique'],
    ['an edge from nowhere', define({ a: 'echo' }, ['start -> a', 'a -> end', 'ghost -> a']), 'edges.2.from', 'exists'],
    ['an edge to nowhere', define({ a: 'echo' }, ['start -> a', 'a -> end', 'a -> ghost if question']), 'edges.2.to', 'exists'],
    ['an edge out of the end', define({ a: 'echo' }, ['start -> a', 'a -> end', 'end -> a']), 'edges.2.from', 'reserved'],
    ['an edge into the start', define({ a: 'echo' }, ['start -> a', 'a -> end', 'a -> start if question']), 'edges.2.to', 'reserved'],
    ['a condition that cannot be read', define({ a: 'echo' }, ['start -> a', 'a -> end', 'a -> a if 1 +']), 'edges.2.condition', 'syntax'],
    ['a condition on what the state does not have', define({ a: 'echo' }, ['start -> a', 'a -> end', 'a -> end if answer']), 'edges.2.condition', 'exists'],
    ['a condition on a value that nobody gives', define({ a: 'classifier' }, ['start -> a', 'a -> end', 'a -> end if values.intnet']), 'edges.2.condition', 'exists'],
    ['no start', define({ a: 'echo' }, ['a -> end']), 'edges', 'start'],
    ['two ways at once', define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> b', 'b -> end', 'a -> end']), 'edges.3', 'ambiguous'],
    ['no way when no condition holds', define({ a: 'echo' }, ['start -> a', 'a -> end if question']), 'edges.1.condition', 'default'],
    ['a node that cannot be reached', define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> end', 'b -> end']), 'nodes.1', 'reachable'],
    ['a node that leads nowhere', define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> end', 'a -> b if question']), 'nodes.1', 'end'],
    ['a loop without a way out', define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> b', 'b -> a']), 'nodes.0', 'end'],
    ['a loop without a bound', define({ a: 'echo', b: 'echo' }, ['start -> a', 'a -> b', 'b -> a if question', 'b -> end']), 'nodes.0', 'cycle'],
    ['an input that nobody gives', define({ a: 'echo', b: 'actor' }, ['start -> a', 'a -> b', 'b -> end']), 'nodes.1', 'input'],
    ['an input given on one way only', define({ a: 'echo', c: 'classifier', b: 'actor' }, ['start -> a', 'a -> c if question', 'a -> b', 'c -> b', 'b -> end']), 'nodes.2', 'input'],
    ['no node', define({}, ['start -> end']), 'nodes', 'minItems'],
    ['too many nodes', define(Object.fromEntries(Array.from({ length: MAX_NODES + 1 }, (_, n) => [`n${n}`, 'echo'])), []), 'nodes', 'maxItems'],
    ['too many edges', define({ a: 'echo' }, Array.from({ length: MAX_EDGES + 1 }, () => 'a -> end')), 'edges', 'maxItems'],
  ];
  it.each(faulty)('%s', (_, definition, path, constraint) => {
    expect(told(validateDefinition(definition, registry))).toContain(`${path} ${constraint}`);
  });

  it('an input of another form than the one that is given', () => {
    const wants = (type: string, intent: z.ZodType) =>
      defineNode({ type, description: '', config: z.object({}), input: z.object({ intent }), output: z.object({}), process: () => Promise.resolve({}) });
    const types = registryWith(wants('number', z.number()), wants('both', z.union([z.number(), z.string()])), wants('choice', z.enum(['create', 'drop'])));
    const check = (type: string) => told(validateDefinition(define({ a: 'classifier', b: type }, ['start -> a', 'a -> b', 'b -> end']), types));
    expect(check('number')).toEqual(['nodes.1 input']);
    expect(check('both')).toEqual([]);
    expect(check('choice')).toEqual([]);
  });
});

it('a loop is allowed when every way round it passes a node with a bound', () => {
  const bound = { type: 'counter', config: { maxSteps: 3 } };
  const edges = ['start -> a', 'a -> b', 'b -> c', 'c -> a if values.count < 3', 'b -> a if values.count < 2', 'c -> end'];
  expect(validateDefinition(define({ a: bound, b: 'echo', c: 'echo' }, edges), registry)).toEqual([]);
  expect(told(validateDefinition(define({ a: 'counter', b: 'echo', c: bound }, edges), registry))).toEqual(['nodes.0 cycle']);
});

it('all faults of one kind come at once, each also as a validation error below the given path', () => {
  const broken = define({ 'a b': 'wizard', c: { type: 'echo', config: { mark: 1, maxSteps: 0 } } }, ['start -> c', 'c -> x']);
  const faults = validateDefinition(broken, registry);
  expect(told(faults)).toEqual(['nodes.0.id pattern', 'nodes.0.type enum', 'nodes.1.config.mark invalid_type', 'nodes.1.config.maxSteps minimum', 'edges.1.to exists']);
  const error = new InvalidGraphError(faults, ['graph']);
  expect(error.errors[0]).toMatchObject({ code: 'VALIDATION_FAILED', field: ['graph', 'nodes', '0', 'id'], constraint: 'pattern' });
  expect(() => buildGraph(broken, registry)).toThrow(InvalidGraphError);
});

it('any graph grown by the rules is valid', () => {
  fc.assert(fc.property(graphs(), ({ definition }) => void expect(validateDefinition(definition, randomRegistry)).toEqual([])), { numRuns: 500 });
});

it('any graph that is then broken in one place is refused there, whatever is wrong with it', () => {
  const types = registryOfBroken();
  const met = new Set<string>();
  fc.assert(
    fc.property(brokenGraphs(), ({ broken, fault }) => {
      const faults = told(validateDefinition(broken, types));
      expect(faults).toContain(fault);
      expect(() => buildGraph(broken, types)).toThrow(InvalidGraphError);
      met.add(fault.split(' ')[1]!);
    }),
    { numRuns: 500 },
  );
  expect([...met].sort()).toEqual([
    'ambiguous', 'cycle', 'default', 'end', 'enum', 'exists', 'input', 'invalid_type', 'maxItems', 'maximum', 'minItems', 'pattern', 'reachable', 'reserved', 'start', 'syntax', 'unique',
  ]);
});

it('equal definitions share one graph, and the least recently used is let go', () => {
  const cache = createGraphs(registry, { max: 2 });
  const other = (mark: string) => define({ a: { type: 'echo', config: { mark } } }, ['start -> a', 'a -> end']);
  const first = cache.build(other('1'));
  expect(cache.build(structuredClone(other('1')))).toBe(first);
  cache.build(other('2'));
  cache.build(other('3'));
  expect(cache.build(other('1'))).not.toBe(first);
});

describe('a registry', () => {
  it('publishes the JSON Schemas of its types', () => {
    const { type, configSchema, inputSchema, outputSchema } = registry.descriptions.find((description) => description.type === 'counter')!;
    expect({ type, config: Object.keys(configSchema.properties!), input: inputSchema.required, output: outputSchema.required }).toEqual({
      type: 'counter',
      config: ['maxSteps'],
      input: undefined,
      output: ['count'],
    });
    expect(registry.descriptions.map((description) => description.type)).toEqual(['actor', 'classifier', 'counter', 'echo', 'finder']);
  });

  it('refuses a type twice, a schema without JSON form, and an output that the state cannot hold', () => {
    const giving = (output: z.ZodObject) => ({ ...echo, type: 'odd', output }) as typeof echo;
    expect(() => createRegistry([echo, echo])).toThrow(/"echo" is defined twice/);
    expect(() => createRegistry([giving(z.object({ at: z.date() }))])).toThrow(/output schema of the node type "odd"/);
    expect(() => createRegistry([giving(z.object({ passages: z.array(z.string()) }))])).toThrow(/writes "passages"/);
    expect(() => createRegistry([giving(z.object({ steps: z.record(z.string(), z.int()) }))])).toThrow(/may not write "steps"/);
  });
});

describe('the flowchart of a definition', () => {
  it('shows nodes, edges and conditions', () => {
    expect(mermaid(define({ a: 'echo', b: 'finder' }, ['start -> a', 'a -> b if values.x == "<y>"', 'a -> end', 'b -> end']))).toBe(
      [
        'flowchart TD',
        '  first(["start"])',
        '  n0["a<br/>echo"]',
        '  n1["b<br/>finder"]',
        '  last(["end"])',
        '  first --> n0',
        '  n0 -->|"values.x == #34;#60;y#62;#34;"| n1',
        '  n0 --> last',
        '  n1 --> last',
        '',
      ].join('\n'),
    );
  });

  it('keeps every line in Mermaid’s grammar, whatever the ids and conditions say', () => {
    const grammar = /^(flowchart TD|  (first|last)\(\["\w+"\]\)|  n\d+\["[^"\n<>]*<br\/>[^"\n<>]*"\]|  \w+ -->(\|"[^"\n<>|]*"\|)? \w+|)$/;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (id, condition) => {
        const drawn = mermaid({ name: '', version: 1, nodes: [{ id, type: condition }], edges: [{ from: 'start', to: id, condition }] });
        for (const row of drawn.split('\n')) expect(row).toMatch(grammar);
      }),
    );
  });
});

/** With a type that gives a count as text, which the counter does not take. */
function registryOfBroken() {
  const teller = defineNode({ type: 'teller', description: '', config: z.object({}), input: z.object({}), output: z.object({ count: z.string() }), process: () => Promise.resolve({ count: '1' }) });
  return createRegistry([...randomRegistry.descriptions.map(({ type }) => randomRegistry.get(type)!), teller]);
}

function told(faults: readonly DefinitionFault[]): string[] {
  return faults.map(({ path, constraint }) => `${path.join('.')} ${constraint}`);
}
