// Tools: what a model may call while it answers. Rooms define their own with `defineTool`; src/tools.ts registers them,
// and a profile names those that it allows.
import type { ToolDefinition } from '@langchain/core/language_models/base';
import { z } from 'zod';
import type { Context } from '../context.ts';
import type { RunScope } from '../graph/scope.ts';
import type { Json } from '../graph/state.ts';
import type { Permission } from '../platform/errors.ts';
import type { ToolDescription } from '../profiles/hooks.ts';
import type { Passage } from '../search/passages.ts';

declare module '../context.ts' {
  interface App {
    /** What models may call. */
    readonly tools: ToolRegistry;
  }
}

/** What a tool gets besides its arguments. */
export interface ToolScope {
  /** On behalf of whoever the run answers; of a tool with effects, the transaction in which its call is written down. */
  readonly ctx: Context;
  readonly run: RunScope;
  /** Aborts when the run ends or the tool's time is up. */
  readonly signal: AbortSignal;
  /** Numbers passages, so that the answer can cite them as [n]; a passage has the same number each time. */
  cite(passages: readonly Passage[]): number[];
  /** Does something once the effect is committed, e.g. tells of it. Not done again when the call is repeated. */
  afterCommit(work: () => void): void;
}

/** A tool. What it expects to fail it throws as UserError, which the model is told. */
export interface Tool<A extends z.ZodObject = z.ZodObject> {
  /** As models call it: letters, digits and "_". */
  readonly name: string;
  /** For the model: what it does, and when to call it. */
  readonly description: string;
  /** Given to the model as JSON Schema, and used to check what it sends. */
  readonly parameters: A;
  /** What the person for whom the run answers must be permitted; null for nothing. */
  readonly permission: Permission | null;
  /** Whether a person is asked before each call. */
  readonly requiresApproval: boolean;
  /** Whether it changes our rows. It then runs in a short transaction together with its call: once, also after a crash. */
  readonly hasEffects: boolean;
  execute(args: z.output<A>, scope: ToolScope): Promise<Json>;
}

/** Names the types of a tool's parameters to the compiler; checks nothing else. */
export function defineTool<A extends z.ZodObject>(tool: Tool<A>): Tool<A> {
  return tool;
}

/** The tools that profiles may name. */
export interface ToolRegistry {
  get(name: string): Tool | undefined;
  /** Sorted by name. */
  readonly descriptions: readonly ToolDescription[];
}

/** Collects tools; throws on a name that is taken or that models do not take, or parameters without JSON Schema. */
export function createToolRegistry(tools: readonly Tool[]): ToolRegistry {
  const byName = new Map<string, Tool>();
  for (const tool of tools) {
    if (!/^[a-z]\w{0,63}$/.test(tool.name)) throw new Error(`The name of the tool "${tool.name}" must be a letter followed by up to 63 letters, digits or "_".`);
    if (byName.has(tool.name)) throw new Error(`The tool "${tool.name}" is defined twice.`);
    byName.set(tool.name, tool);
  }
  const descriptions = [...byName.values()].map(({ name, description, parameters, requiresApproval }) => ({ name, description, parameters: schemaOf(parameters), requiresApproval }));
  return { get: (name) => byName.get(name), descriptions: descriptions.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Tools as models are told of them. */
export function toolDefinitions(tools: readonly Pick<Tool, 'name' | 'description' | 'parameters'>[]): ToolDefinition[] {
  return tools.map(({ name, description, parameters }) => ({ type: 'function', function: { name, description, parameters: schemaOf(parameters) } }));
}

/** Whether a model takes tools. */
export function takesTools({ models }: RunScope, modelId: string): boolean {
  return models.find(modelId)?.capabilities.includes('TOOLS') ?? false;
}

/** The models to ask with tools: the first, which somebody chose, and of the others those that take them. */
export function withTools(run: RunScope, [first, ...others]: readonly [string, ...string[]]): [string, ...string[]] {
  return [first, ...others.filter((id) => takesTools(run, id))];
}

function schemaOf(parameters: z.ZodObject): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(parameters, { io: 'input' });
  return schema;
}
