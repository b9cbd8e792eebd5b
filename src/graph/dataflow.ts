// What reaches a node: for every key of the state, who may have written it last on some way from the start. A key
// that may still be absent, or that somebody writes in another shape than the node takes, is a fault of the graph.
// This is the textbook analysis of reaching definitions: each write is followed along the edges until the next one.
import { parseCondition, valuesRead } from './condition.ts';
import { START, type GraphDefinition } from './definition.ts';
import type { DefinitionFault } from './errors.ts';
import { fits, shapeOf, type JsonSchema } from './fit.ts';
import { parseConfig, stateSchemas, type NodeRegistry, type NodeTypeDescription } from './node.ts';
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

/** A key of `values` that a condition or a configuration names. */
interface Named {
  readonly key: string;
  /** The node that reads it, or that the edge leaves. */
  readonly at: string;
  readonly path: readonly (string | number)[];
  readonly whose: 'edge' | 'node';
}

/** Faults of input and output in a definition whose types, configs and shape are right. */
export function dataFaults(definition: GraphDefinition, registry: NodeRegistry): readonly DefinitionFault[] {
  const types = new Map(definition.nodes.map((node) => [node.id, registry.describe(node.type)!]));
  const named = [...namedByNodes(definition, registry), ...namedByEdges(definition)];
  const keys = keysOf(named, types);
  const writes = new Map([[START, initialWrites(keys)], ...[...types].map(([id, type]) => [id, writesOf(id, type, keys)] as const)]);
  const reaching = reachingWrites(definition, writes);
  const inputs = definition.nodes.flatMap((node, index) => {
    const { properties = {}, required = [] } = types.get(node.id)!.inputSchema;
    return Object.entries(properties).flatMap(([key, taken]): DefinitionFault[] => {
      const message = misfit(taken, required.includes(key), reaching.get(node.id)?.get(key) ?? []);
      return message === null ? [] : [{ path: ['nodes', index], constraint: 'input', message: `Node "${node.id}" needs "${key}", ${message}` }];
    });
  });
  // A misspelt `values.…` would never hold, or be empty, and never be noticed.
  const misspelt = named.flatMap(({ key, at, path, whose }): DefinitionFault[] => {
    const origins = [...(reaching.get(at)?.get(key) ?? []), ...(whose === 'edge' ? [writes.get(at)!.get(key)?.origin] : [])];
    if (origins.some((origin) => origin?.schema != null)) return [];
    return [{ path, constraint: 'exists', message: `No node before this ${whose} gives "values.${key}".` }];
  });
  return [...inputs, ...misspelt];
}

function namedByEdges({ edges }: GraphDefinition): readonly Named[] {
  return edges.flatMap(({ from, condition }, index) =>
    condition == null ? [] : valuesRead(parseCondition(condition)).map((key): Named => ({ key, at: from, path: ['edges', index, 'condition'], whose: 'edge' })),
  );
}

function namedByNodes({ nodes }: GraphDefinition, registry: NodeRegistry): readonly Named[] {
  return nodes.flatMap((node, index) =>
    (registry.get(node.type)!.reads?.(parseConfig(node, registry)) ?? []).map(({ key, path }): Named => ({ key, at: node.id, path: ['nodes', index, 'config', ...path], whose: 'node' })),
  );
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

function keysOf(named: readonly Named[], types: ReadonlyMap<string, NodeTypeDescription>): ReadonlySet<string> {
  const keys = new Set(Object.keys(stateSchemas));
  for (const { inputSchema, outputSchema } of types.values()) {
    for (const key of [...Object.keys(inputSchema.properties ?? {}), ...Object.keys(outputSchema.properties ?? {})]) keys.add(key);
  }
  for (const { key } of named) keys.add(key);
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
