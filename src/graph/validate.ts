// Every fault of a definition, found before any run. Parts are judged first, the shape of the graph once they are
// right, and what flows along it last: a fault is told once, not with everything that follows from it.
import { constraintOf } from '../platform/errors.ts';
import { conditionFaults } from './condition.ts';
import { dataFaults } from './dataflow.ts';
import { END, MAX_EDGES, MAX_NODES, START, stepCap, type GraphDefinition, type GraphNode } from './definition.ts';
import type { DefinitionFault } from './errors.ts';
import { parseConfig, type NodeRegistry } from './node.ts';
import { runState } from './state.ts';
import { topologyFaults } from './topology.ts';

/** Every fault of the definition; none when it can be built. */
export function validateDefinition(definition: GraphDefinition, registry: NodeRegistry): readonly DefinitionFault[] {
  const size = sizeFaults(definition);
  if (size.length > 0) return size;
  const ids = idFaults(definition);
  const types = definition.nodes.flatMap((node, index) => typeFaults(node, index, registry));
  const edges = edgeFaults(definition);
  if (ids.length + edges.length > 0) return [...ids, ...types, ...edges];
  // With a type or config at fault the bounds are unknown: take every loop for bounded until that is mended.
  const caps = definition.nodes.map((node) => (types.length > 0 ? 1 : stepCap(parseConfig(node, registry))));
  const topology = topologyFaults(definition, caps);
  if (types.length + topology.length > 0) return [...types, ...topology];
  return dataFaults(definition, registry);
}

function sizeFaults({ nodes, edges }: GraphDefinition): readonly DefinitionFault[] {
  const faults: DefinitionFault[] = [];
  if (nodes.length === 0) faults.push({ path: ['nodes'], constraint: 'minItems', message: 'A graph has at least one node.' });
  if (nodes.length > MAX_NODES) {
    faults.push({ path: ['nodes'], constraint: 'maxItems', message: `A graph has at most ${MAX_NODES} nodes; this one has ${nodes.length}.` });
  }
  if (edges.length > MAX_EDGES) {
    faults.push({ path: ['edges'], constraint: 'maxItems', message: `A graph has at most ${MAX_EDGES} edges; this one has ${edges.length}.` });
  }
  return faults;
}

function idFaults({ nodes }: GraphDefinition): readonly DefinitionFault[] {
  const seen = new Set<string>();
  return nodes.flatMap(({ id }, index) => {
    const fault = (constraint: string, message: string): DefinitionFault[] => [{ path: ['nodes', index, 'id'], constraint, message }];
    if (id === START || id === END) return fault('reserved', `The id "${id}" is reserved for the ${id} of the run. Choose another.`);
    if (!/^[A-Za-z][\w-]{0,63}$/.test(id)) {
      return fault('pattern', `The id ${JSON.stringify(id)} must be a letter followed by up to 63 letters, digits, "_" or "-".`);
    }
    if (seen.has(id)) return fault('unique', `The id "${id}" is used twice. Give each node its own.`);
    seen.add(id);
    return [];
  });
}

function typeFaults(node: GraphNode, index: number, registry: NodeRegistry): readonly DefinitionFault[] {
  const type = registry.get(node.type);
  if (!type) {
    const known = registry.descriptions.map((description) => description.type).join(', ');
    return [{ path: ['nodes', index, 'type'], constraint: 'enum', message: `There is no node type ${JSON.stringify(node.type)}. Types: ${known}.` }];
  }
  const result = type.config.safeParse(node.config ?? {});
  if (result.success) return [];
  return result.error.issues.map((issue) => ({
    path: ['nodes', index, 'config', ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))],
    constraint: constraintOf(issue),
    message: `Node "${node.id}": ${issue.message}`,
  }));
}

function edgeFaults({ nodes, edges }: GraphDefinition): readonly DefinitionFault[] {
  const ids = new Set(nodes.map((node) => node.id));
  return edges.flatMap(({ from, to, condition }, index) => {
    const faults: DefinitionFault[] = [];
    const fault = (at: string, constraint: string, message: string): void => void faults.push({ path: ['edges', index, at], constraint, message });
    if (from === END) fault('from', 'reserved', 'No edge leaves the end.');
    else if (from !== START && !ids.has(from)) fault('from', 'exists', `There is no node ${JSON.stringify(from)}.`);
    if (to === START) fault('to', 'reserved', 'No edge leads to the start.');
    else if (to !== END && !ids.has(to)) fault('to', 'exists', `There is no node ${JSON.stringify(to)}.`);
    if (condition != null) for (const { constraint, message } of conditionFaults(condition, Object.keys(runState.shape))) fault('condition', constraint, message);
    return faults;
  });
}
