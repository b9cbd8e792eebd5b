// A node type: what it needs, what it gives, how it is configured, and the function that does it. Rooms define their
// own with `defineNode`; src/node-types.ts registers them, and the registry publishes their JSON Schemas.
import { z } from 'zod';
import type { GraphNode } from './definition.ts';
import type { RunScope } from './scope.ts';
import { fits, type JsonSchema } from './fit.ts';
import { isStateKey, RESERVED_KEYS, runState, type RunState } from './state.ts';

/** How often and at what intervals a node is tried again, only after errors that say `retryable: true`. */
export interface RetryRule {
  /** Attempts in all, the first included. */
  readonly maxAttempts: number;
  /** Milliseconds before the second attempt; doubles from then on up to `maxIntervalMs`. */
  readonly initialIntervalMs?: number;
  readonly maxIntervalMs?: number;
  /** Adds up to a second at random, so that many runs do not come back at once; default true. */
  readonly jitter?: boolean;
}

/**
 * A type of node. The keys of `input` are read from the state and those of `output` written to it; keys that the state
 * does not name are kept in its `values`. Schemas must have a JSON Schema form and check synchronously.
 */
export interface NodeType<C extends z.ZodType = z.ZodType, I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  readonly description: string;
  readonly config: C;
  readonly input: I;
  readonly output: O;
  readonly retry?: RetryRule;
  /** Whether it changes something outside of its run (through `run.once`): then no step begins before the one before is kept. */
  readonly hasEffects?: boolean;
  /** Whether the node `id` is not done: it is visited again, each visit a step of its own, before any exit is taken. */
  repeats?(state: RunState, id: string): boolean;
  /** Visits in one run at most; by default what `maxSteps` or `maxRounds` of its configuration say. Needed where it repeats. */
  visits?(config: z.output<C>): number;
  /** Milliseconds for one attempt; default `DEFAULT_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** What this configuration reads of the state's `values` beside the input: a key that nobody gives is a fault at its `path` in the configuration. */
  reads?(config: z.output<C>): readonly ValueRead[];
  process(input: z.output<I>, config: z.output<C>, run: RunScope): Promise<z.input<O>>;
  /** What the node gives in place of what it could not do, once no attempt is left, also when its time is up; throws what ends the run. */
  recover?(error: unknown, config: z.output<C>, run: RunScope): z.input<O>;
}

/** A key of the state's `values`, and where a configuration names it. */
export interface ValueRead {
  readonly key: string;
  readonly path: readonly (string | number)[];
}

/** A node's time limit where its type names none. */
export const DEFAULT_TIMEOUT_MS = 120_000;

/** Names the types of a node's schemas to the compiler; checks nothing else. */
export function defineNode<C extends z.ZodType, I extends z.ZodObject, O extends z.ZodObject>(node: NodeType<C, I, O>): NodeType<C, I, O> {
  return node;
}

/** A node type as clients see it. */
export interface NodeTypeDescription {
  readonly type: string;
  readonly description: string;
  readonly configSchema: JsonSchema;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
}

/** The node types that a definition may name. */
export interface NodeRegistry {
  get(type: string): NodeType | undefined;
  describe(type: string): NodeTypeDescription | undefined;
  /** Every type, sorted by name. */
  readonly descriptions: readonly NodeTypeDescription[];
}

/** Collects node types; throws on a type defined twice, a schema without JSON form, or an output that the state cannot hold. */
export function createRegistry(nodes: readonly NodeType[]): NodeRegistry {
  const types = new Map<string, NodeType>();
  const descriptions = new Map<string, NodeTypeDescription>();
  for (const node of nodes) {
    if (types.has(node.type)) throw new Error(`The node type "${node.type}" is defined twice.`);
    if (node.repeats && !node.visits) throw new Error(`The node type "${node.type}" repeats without a bound.`);
    const description = describe(node);
    assertStorable(description);
    types.set(node.type, node);
    descriptions.set(node.type, description);
  }
  return {
    get: (type) => types.get(type),
    describe: (type) => descriptions.get(type),
    descriptions: [...descriptions.values()].sort((a, b) => (a.type < b.type ? -1 : 1)),
  };
}

/** The configuration of a node of a known type, with the type's defaults filled in; throws a ZodError when it is wrong. */
export function parseConfig(node: GraphNode, registry: NodeRegistry): unknown {
  return registry.get(node.type)!.config.parse(node.config ?? {});
}

/** The JSON Schemas of the state's own keys. */
export const stateSchemas: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(runState.shape).map(([key, schema]) => [
    key,
    key === 'values' ? { type: 'object' } : (z.toJSONSchema(schema, { io: 'output' }) as JsonSchema),
  ]),
);

function describe({ type, description, config, input, output }: NodeType): NodeTypeDescription {
  const schemaOf = (part: string, schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
    try {
      return z.toJSONSchema(schema, { io }) as JsonSchema;
    } catch (cause) {
      throw new Error(`The ${part} schema of the node type "${type}" has no JSON Schema form.`, { cause });
    }
  };
  return {
    type,
    description,
    configSchema: schemaOf('config', config, 'input'),
    inputSchema: schemaOf('input', input, 'input'),
    outputSchema: schemaOf('output', output, 'output'),
  };
}

function assertStorable({ type, outputSchema }: NodeTypeDescription): void {
  for (const [key, schema] of Object.entries(outputSchema.properties ?? {})) {
    if (RESERVED_KEYS.includes(key)) throw new Error(`The node type "${type}" may not write "${key}": the runner does.`);
    const held = stateSchemas[key];
    if (isStateKey(key) && held && !fits(schema, held)) {
      throw new Error(`The node type "${type}" writes "${key}" in a form that the state does not hold.`);
    }
  }
}
