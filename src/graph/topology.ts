// The shape of a definition: which exits a node has, what can be reached, and whether every loop is bounded.
import { END, START, type GraphDefinition } from './definition.ts';
import type { DefinitionFault } from './errors.ts';

/** Faults of shape; `caps` holds per node how often it may be visited, null for no bound. Ids and edges must be right. */
export function topologyFaults(definition: GraphDefinition, caps: readonly (number | null)[]): readonly DefinitionFault[] {
  const exits = exitFaults(definition);
  const ways = waysOf(definition);
  const reached = reachable(START, ways);
  const ending = reachable(END, reversed(ways));
  const faults = definition.nodes.flatMap(({ id }, index): DefinitionFault[] => {
    if (!reached.has(id)) {
      return [{ path: ['nodes', index], constraint: 'reachable', message: `Node "${id}" cannot be reached from the start. Lead an edge to it or take it out.` }];
    }
    if (!ending.has(id)) {
      return [{ path: ['nodes', index], constraint: 'end', message: `From node "${id}" the end cannot be reached. Lead an edge onwards to "${END}".` }];
    }
    return [];
  });
  return [...exits, ...faults, ...loopFaults(definition, ways, caps)];
}

/** Where one can go from each node, 'start' and 'end' included. */
export function waysOf({ nodes, edges }: GraphDefinition): ReadonlyMap<string, readonly string[]> {
  const ways = new Map<string, string[]>([START, ...nodes.map((node) => node.id), END].map((id) => [id, []]));
  for (const { from, to } of edges) ways.get(from)?.push(to);
  return ways;
}

function exitFaults({ nodes, edges }: GraphDefinition): readonly DefinitionFault[] {
  return [START, ...nodes.map((node) => node.id)].flatMap((id): DefinitionFault[] => {
    const exits = edges.flatMap((edge, index) => (edge.from === id ? [{ edge, index }] : []));
    if (exits.length === 0) {
      return id === START ? [{ path: ['edges'], constraint: 'start', message: `No edge leaves "${START}", so nothing would run.` }] : [];
    }
    const always = exits.filter(({ edge }) => edge.condition == null);
    const last = exits[exits.length - 1]!;
    if (always.length === 0) {
      return [{ path: ['edges', last.index, 'condition'], constraint: 'default', message: `"${id}" needs one exit without a condition, taken when no other holds.` }];
    }
    return always.slice(1).map(({ index }) => ({
      path: ['edges', index],
      constraint: 'ambiguous',
      message: `"${id}" already has an exit without a condition. Give all but one of them a condition.`,
    }));
  });
}

/** A loop is bounded when it passes a node with a cap: so without those nodes nothing may lead back to itself. */
function loopFaults({ nodes }: GraphDefinition, ways: ReadonlyMap<string, readonly string[]>, caps: readonly (number | null)[]): readonly DefinitionFault[] {
  const unbounded = new Set(nodes.flatMap(({ id }, index) => (caps[index] === null ? [id] : [])));
  const within = new Map([...unbounded].map((id) => [id, ways.get(id)!.filter((to) => unbounded.has(to))]));
  const reported = new Set<string>();
  return nodes.flatMap(({ id }, index): DefinitionFault[] => {
    if (!unbounded.has(id) || reported.has(id)) return [];
    const loop = loopThrough(id, within);
    if (!loop) return [];
    for (const member of loop) reported.add(member);
    const shown = [...loop, id].join(' → ');
    return [{ path: ['nodes', index], constraint: 'cycle', message: `The loop ${shown} has no bound. Set "maxSteps" or "maxRounds" in the config of one of its nodes.` }];
  });
}

/** A shortest way from a node back to itself. */
function loopThrough(id: string, ways: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [id];
  for (const at of queue) {
    for (const to of ways.get(at) ?? []) {
      if (to === id) {
        const loop = [at];
        while (loop[0] !== id) loop.unshift(cameFrom.get(loop[0]!)!);
        return loop;
      }
      if (cameFrom.has(to)) continue;
      cameFrom.set(to, at);
      queue.push(to);
    }
  }
  return null;
}

function reachable(from: string, ways: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const seen = new Set([from]);
  for (const id of seen) for (const to of ways.get(id) ?? []) seen.add(to);
  return seen;
}

function reversed(ways: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const back = new Map<string, string[]>([...ways.keys()].map((id) => [id, []]));
  for (const [from, tos] of ways) for (const to of tos) back.get(to)?.push(from);
  return back;
}
