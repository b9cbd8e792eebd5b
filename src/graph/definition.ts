// A graph as data: what a profile stores and a client sends.
//
// A run walks one node at a time, from 'start' to 'end'. Of a node's exits the first whose condition holds is taken,
// in the order of the list, and the one without a condition if none holds; so every node has exactly one exit without
// a condition. Every node can be reached, and the end can be reached from it (a loop therefore always has a way out).
// Every loop passes a node whose config has `maxSteps` or `maxRounds`: that many visits, then the run fails. What a
// node needs is given on every way that leads to it.
import { z } from 'zod';

/** The ids that stand for the beginning and the end of a run. */
export const START = 'start';
export const END = 'end';

export const MAX_NODES = 50;
export const MAX_EDGES = 200;

/** The form of a definition that was stored or written by hand, e.g. in a configuration file. */
export const graphDefinition = z.object({
  name: z.string().min(1).max(100),
  version: z.int().positive(),
  nodes: z.array(z.object({ id: z.string(), type: z.string(), config: z.json().optional() })),
  edges: z.array(z.object({ from: z.string(), to: z.string(), condition: z.string().nullish() })),
});

/** A node of a definition; without `config` the defaults of its type hold. */
export interface GraphNode {
  readonly id: string;
  readonly type: string;
  readonly config?: unknown;
}

/** A way from one node to another, taken when `condition` holds (see condition.ts), always when there is none. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly condition?: string | null;
}

export interface GraphDefinition {
  readonly name: string;
  readonly version: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** How often a node with this configuration may be visited in one run; null means no bound of its own. */
export function stepCap(config: unknown): number | null {
  if (typeof config !== 'object' || config === null) return null;
  const { maxSteps, maxRounds } = config as { maxSteps?: unknown; maxRounds?: unknown };
  const caps = [maxSteps, maxRounds].filter((cap): cap is number => typeof cap === 'number' && cap >= 1);
  return caps.length > 0 ? Math.floor(Math.min(...caps)) : null;
}
