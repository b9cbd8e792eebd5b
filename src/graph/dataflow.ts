// What reaches a node: for every key of the state, who may have written it last on some way from the start. A key
// that may still be absent, or that somebody writes in another shape than the node takes, is a fault of the graph.
// This is the textbook analysis of reaching definitions.
import { parseCondition, pathsOf } from './condition.ts';
import { START, type GraphDefinition } from './definition.ts';
import type { DefinitionFault } from './errors.ts';
import { fits, shapeOf, type JsonSchema } from './fit.ts';
import { stateSchemas, type NodeRegistry, type NodeTypeDescription } from './node.ts';
import { isStateKey } from './state.ts';
import { waysOf } from './topology.ts';

/** Who wrote a key, and in which shape; a null schema means that nobody has. */
interface Origin {
  readonly by: string;
  readonly schema: JsonSchema | null;
}
type Origins = ReadonlyMap<string, ReadonlySet<Origin>>;

/** Faults of input and output in a definition whose types, configs and shape are right. */
export function dataFaults(definition: GraphDefinition, registry: NodeRegistry): readonly DefinitionFault[] {
  const types = new Map(definition.nodes.map((node) => [node.id, registry.describe(node.type)!]));
  const { before, after } = flow(definition, types);
  const inputs = definition.nodes.flatMap((node, index) => {
    const { properties = {}, required = [] } = types.get(node.id)!.inputSchema;
    return Object.entries(properties).flatMap(([key, taken]): DefinitionFault[] => {
      const message = misfit(key, taken, required.includes(key), before.get(node.id)!);
      return message === null ? [] : [{ path: ['nodes', index], constraint: 'input', message: `Node "${node.id}" needs "${key}", ${message}` }];
    });
  });
  return [...inputs, ...conditionFaults(definition, after)];
}

function misfit(key: string, taken: JsonSchema, required: boolean, origins: Origins): string | null {
  for (const { by, schema } of origins.get(key) ?? []) {
    if (schema === null) {
      if (required) return 'but there is a way to it on which no node gives it.';
    } else if (!fits(schema, taken)) {
      const giver = by === START ? 'the run starts with' : `node "${by}" gives`;
      return `which takes ${shapeOf(taken)}, but ${giver} ${shapeOf(schema)}${shapeOf(schema) === shapeOf(taken) ? ' of another form' : ''}.`;
    }
  }
  return null;
}

/** A misspelt `values.…` would never hold and never be noticed. */
function conditionFaults({ edges }: GraphDefinition, after: ReadonlyMap<string, Origins>): readonly DefinitionFault[] {
  return edges.flatMap(({ from, condition }, index): DefinitionFault[] => {
    if (condition == null) return [];
    const origins = after.get(from)!;
    return pathsOf(parseCondition(condition)).flatMap(({ names: [root, key] }): DefinitionFault[] => {
      if (root !== 'values' || key === undefined) return [];
      const given = [...(origins.get(key) ?? [])].some(({ schema }) => schema !== null);
      if (given) return [];
      return [{ path: ['edges', index, 'condition'], constraint: 'exists', message: `No node before this edge gives "values.${key}".` }];
    });
  });
}

function flow(definition: GraphDefinition, types: ReadonlyMap<string, NodeTypeDescription>): { before: Map<string, Origins>; after: Map<string, Origins> } {
  const ways = waysOf(definition);
  const keys = new Set(Object.keys(stateSchemas));
  for (const { inputSchema, outputSchema } of types.values()) {
    for (const key of [...Object.keys(inputSchema.properties ?? {}), ...Object.keys(outputSchema.properties ?? {})]) keys.add(key);
  }
  for (const { condition } of definition.edges) {
    for (const { names } of condition == null ? [] : pathsOf(parseCondition(condition))) if (names[0] === 'values' && names[1]) keys.add(names[1]);
  }
  const initial: Origins = new Map([...keys].map((key) => [key, new Set([{ by: START, schema: stateSchemas[key] ?? null }])]));
  const writes = new Map([...types].map(([id, type]) => [id, writesOf(id, type, keys)]));
  const before = new Map<string, Origins>();
  const after = new Map<string, Origins>([[START, initial]]);
  const queue = [START];
  for (const at of queue) {
    for (const to of ways.get(at)!) {
      const write = writes.get(to);
      if (!write) continue;
      const known = before.get(to);
      const joined = join(known, after.get(at)!);
      if (known && size(known) === size(joined)) continue;
      before.set(to, joined);
      after.set(to, new Map([...joined].map(([key, origins]) => [key, applied(origins, write.get(key))])));
      queue.push(to);
    }
  }
  return { before, after };
}

interface Write {
  readonly origin: Origin;
  readonly always: boolean;
}

/** An output named `values` is a record of anything, so it may give every key that the state does not name. */
function writesOf(id: string, { outputSchema }: NodeTypeDescription, keys: ReadonlySet<string>): ReadonlyMap<string, Write> {
  const { properties = {}, required = [] } = outputSchema;
  const writes = new Map<string, Write>();
  if (Object.hasOwn(properties, 'values')) {
    for (const key of keys) if (!isStateKey(key)) writes.set(key, { origin: { by: id, schema: {} }, always: true });
  }
  for (const [key, schema] of Object.entries(properties)) {
    if (key !== 'values') writes.set(key, { origin: { by: id, schema }, always: required.includes(key) });
  }
  return writes;
}

function applied(origins: ReadonlySet<Origin>, write: Write | undefined): ReadonlySet<Origin> {
  if (!write) return origins;
  return write.always ? new Set([write.origin]) : new Set([...origins, write.origin]);
}

function join(known: Origins | undefined, arriving: Origins): Origins {
  if (!known) return arriving;
  return new Map([...known].map(([key, origins]) => [key, new Set([...origins, ...arriving.get(key)!])]));
}

function size(origins: Origins): number {
  let total = 0;
  for (const set of origins.values()) total += set.size;
  return total;
}
