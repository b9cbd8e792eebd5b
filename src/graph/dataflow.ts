// What reaches a node: for every key of the state, who may have written it last on some way from the start. A key
// that may still be absent, or that somebody writes in another shape than the node takes, is a fault of the graph.
// This is the textbook analysis of reaching definitions: each write is followed along the edges until the next one.
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

interface Write {
  readonly origin: Origin;
  /** Whether the node writes the key at every visit. */
  readonly always: boolean;
}

/** Faults of input and output in a definition whose types, configs and shape are right. */
export function dataFaults(definition: GraphDefinition, registry: NodeRegistry): readonly DefinitionFault[] {
  const types = new Map(definition.nodes.map((node) => [node.id, registry.describe(node.type)!]));
  const keys = keysOf(definition, types);
  const writes = new Map([[START, initialWrites(keys)], ...[...types].map(([id, type]) => [id, writesOf(id, type, keys)] as const)]);
  const reaching = reachingWrites(definition, writes);
  const inputs = definition.nodes.flatMap((node, index) => {
    const { properties = {}, required = [] } = types.get(node.id)!.inputSchema;
    return Object.entries(properties).flatMap(([key, taken]): DefinitionFault[] => {
      const message = misfit(taken, required.includes(key), reaching.get(node.id)?.get(key) ?? []);
      return message === null ? [] : [{ path: ['nodes', index], constraint: 'input', message: `Node "${node.id}" needs "${key}", ${message}` }];
    });
  });
  return [...inputs, ...conditionFaults(definition, (id, key) => [...(reaching.get(id)?.get(key) ?? []), writes.get(id)!.get(key)?.origin])];
}

function misfit(taken: JsonSchema, required: boolean, origins: readonly Origin[]): string | null {
  for (const { by, schema } of origins) {
    if (schema === null) {
      if (required) return 'but there is a way to it on which no node gives it.';
    } else if (!fits(schema, taken)) {
      const giver = by === START ? 'the run starts with' : `node "${by}" gives`;
      const [given, wanted] = [shapeOf(schema), shapeOf(taken)];
      return `which takes ${wanted}, but ${giver} ${given}${given === wanted ? ' of another form' : ''}.`;
    }
  }
  return null;
}

/** A misspelt `values.…` would never hold and never be noticed. */
function conditionFaults({ edges }: GraphDefinition, writersOf: (id: string, key: string) => readonly (Origin | undefined)[]): readonly DefinitionFault[] {
  return edges.flatMap(({ from, condition }, index) =>
    valuesRead(condition).flatMap((key): DefinitionFault[] => {
      if (writersOf(from, key).some((origin) => origin?.schema != null)) return [];
      return [{ path: ['edges', index, 'condition'], constraint: 'exists', message: `No node before this edge gives "values.${key}".` }];
    }),
  );
}

function valuesRead(condition: string | null | undefined): readonly string[] {
  if (condition == null) return [];
  const read = pathsOf(parseCondition(condition)).flatMap(({ names: [root, key] }) => (root === 'values' && key !== undefined ? [key] : []));
  return [...new Set(read)];
}

function reachingWrites(
  definition: GraphDefinition,
  writes: ReadonlyMap<string, ReadonlyMap<string, Write>>,
): ReadonlyMap<string, ReadonlyMap<string, readonly Origin[]>> {
  const ways = waysOf(definition);
  const reaching = new Map([...ways.keys()].map((id) => [id, new Map<string, Origin[]>()]));
  for (const [writer, written] of writes) {
    for (const [key, { origin }] of written) {
      const seen = new Set(ways.get(writer));
      for (const id of seen) {
        const origins = reaching.get(id)!;
        const known = origins.get(key);
        if (known) known.push(origin);
        else origins.set(key, [origin]);
        if (writes.get(id)?.get(key)?.always) continue;
        for (const to of ways.get(id)!) seen.add(to);
      }
    }
  }
  return reaching;
}

function keysOf({ edges }: GraphDefinition, types: ReadonlyMap<string, NodeTypeDescription>): ReadonlySet<string> {
  const keys = new Set(Object.keys(stateSchemas));
  for (const { inputSchema, outputSchema } of types.values()) {
    for (const key of [...Object.keys(inputSchema.properties ?? {}), ...Object.keys(outputSchema.properties ?? {})]) keys.add(key);
  }
  for (const { condition } of edges) for (const key of valuesRead(condition)) keys.add(key);
  return keys;
}

function initialWrites(keys: ReadonlySet<string>): ReadonlyMap<string, Write> {
  return new Map([...keys].map((key) => [key, { origin: { by: START, schema: stateSchemas[key] ?? null }, always: true }]));
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
