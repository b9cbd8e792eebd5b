// How graphs are asked and sent: the types of a definition, the inputs of one, and the node types that one may name.
import { builder } from '../builder.ts';
import { permit } from '../context.ts';
import type { Graphs } from './build.ts';
import type { GraphDefinition, GraphEdge, GraphNode } from './definition.ts';
import { mermaid } from './mermaid.ts';
import type { NodeTypeDescription } from './node.ts';

declare module '../context.ts' {
  interface App {
    /** The node types that a graph may name, and the graphs built of them. */
    readonly graphs: Graphs;
    /** Graphs that the program brings; each has a name of its own. */
    readonly graphTemplates: readonly GraphDefinition[];
  }
}

const GraphNodeObject = builder.objectRef<GraphNode>('GraphNode').implement({
  description: 'A step of a graph.',
  fields: (t) => ({
    id: t.exposeString('id', { description: 'Its name in this graph, e.g. "retrieval"; a letter followed by up to 63 letters, digits, "_" or "-".' }),
    type: t.exposeString('type', { description: 'What it does: a `type` of graphNodeTypes.' }),
    config: t.field({ type: 'JSON', description: "Its settings, as the type's configSchema says; {} where all are left to their defaults.", resolve: (node) => node.config ?? {} }),
  }),
});

const GraphEdgeObject = builder.objectRef<GraphEdge>('GraphEdge').implement({
  description: 'A way from one node to another.',
  fields: (t) => ({
    from: t.exposeString('from', { description: 'Id of the node it leaves, or "start".' }),
    to: t.exposeString('to', { description: 'Id of the node it leads to, or "end".' }),
    condition: t.string({
      nullable: true,
      description: 'When it is taken, e.g. "values.intent == \'create\'"; null: when no other way out of the node is.',
      resolve: (edge) => edge.condition ?? null,
    }),
  }),
});

/** A graph as it is stored. */
export const GraphDefinitionObject = builder.objectRef<GraphDefinition>('GraphDefinition').implement({
  description: 'What a run does, as data: steps from "start" to "end" and the ways between them.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name to show.' }),
    version: t.exposeInt('version', { description: 'Rises with every change of the graph.' }),
    nodes: t.field({ type: [GraphNodeObject], description: 'Its steps.', resolve: (graph) => [...graph.nodes] }),
    edges: t.field({ type: [GraphEdgeObject], description: 'The ways between them; of several out of one node the first whose condition holds is taken.', resolve: (graph) => [...graph.edges] }),
    mermaid: t.string({ description: 'The graph as the source of a Mermaid flowchart.', resolve: mermaid }),
  }),
});

const GraphNodeType = builder.objectRef<NodeTypeDescription>('GraphNodeType').implement({
  description: 'A kind of step that a graph may have.',
  fields: (t) => ({
    type: t.exposeString('type', { description: 'Its name in definitions, e.g. "retrieval".' }),
    description: t.exposeString('description', { description: 'What it does.' }),
    configSchema: t.field({ type: 'JSON', description: 'JSON Schema of its settings.', resolve: (type) => type.configSchema }),
    inputSchema: t.field({ type: 'JSON', description: 'JSON Schema of what it reads of the state of a run.', resolve: (type) => type.inputSchema }),
    outputSchema: t.field({ type: 'JSON', description: 'JSON Schema of what it writes to the state of a run.', resolve: (type) => type.outputSchema }),
  }),
});

const GraphNodeInput = builder.inputType('GraphNodeInput', {
  description: 'A step of a graph.',
  fields: (t) => ({
    id: t.string({ required: true, description: 'Its name in this graph: a letter followed by up to 63 letters, digits, "_" or "-"; not "start" or "end".' }),
    type: t.string({ required: true, description: 'What it does: a `type` of graphNodeTypes.' }),
    config: t.field({ type: 'JSON', description: "Its settings, as the type's configSchema says; what is absent has its default." }),
  }),
});
const GraphEdgeInput = builder.inputType('GraphEdgeInput', {
  description: 'A way from one node to another.',
  fields: (t) => ({
    from: t.string({ required: true, description: 'Id of the node it leaves, or "start".' }),
    to: t.string({ required: true, description: 'Id of the node it leads to, or "end".' }),
    condition: t.string({ description: 'When it is taken, e.g. "values.intent == \'create\'". Every node has exactly one way out without a condition.' }),
  }),
});
/** A graph as a client sends it. */
export const GraphDefinitionInput = builder.inputType('GraphDefinitionInput', {
  description:
    'A graph. It is checked completely before it is stored: known types, right settings, every node reachable and with a way to the end, loops bounded, and everything given that a node needs.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name to show, 1–100 characters.' }),
    nodes: t.field({ type: [GraphNodeInput], required: true, description: 'Its steps, at most 50.' }),
    edges: t.field({ type: [GraphEdgeInput], required: true, description: 'The ways between them, at most 200.' }),
  }),
});

builder.queryField('graphNodeTypes', (t) =>
  t.field({
    type: [GraphNodeType],
    description: 'The kinds of steps that a graph may have, sorted by name. Needs PROFILE_READ.',
    resolve: (_root, _args, ctx) => {
      permit(ctx, 'PROFILE_READ');
      return [...ctx.app.graphs.registry.descriptions];
    },
  }),
);

builder.queryField('graphTemplates', (t) =>
  t.field({
    type: [GraphDefinitionObject],
    description: 'The graphs that Parley brings, to begin with: those that profiles have which name none, and the task assistant\'s. Needs PROFILE_READ.',
    resolve: (_root, _args, ctx) => {
      permit(ctx, 'PROFILE_READ');
      return [...ctx.app.graphTemplates];
    },
  }),
);
