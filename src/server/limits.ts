// Which operations are counted by which limit, and what a refused mutation is answered: all before anything of it runs.
import {
  GraphQLObjectType, GraphQLSchema, Kind, execute, getNamedType, isInterfaceType, isObjectType, separateOperations,
  type DocumentNode, type ExecutionArgs, type ExecutionResult, type FieldNode, type FragmentDefinitionNode, type GraphQLNamedType,
  type OperationDefinitionNode, type SelectionSetNode,
} from 'graphql';
import type { Context } from '../context.ts';
import type { RateLimitName } from '../platform/config.ts';
import { RateLimitError } from '../platform/errors.ts';
import { subjectOf } from '../platform/limits.ts';

type Args = ExecutionArgs & { contextValue: Context };

/** Fields with a limit of their own; what asks for none of them counts by the default limits. */
const limitOfField: Readonly<Record<string, RateLimitName>> = {
  'Mutation.register': 'register',
  'Mutation.login': 'login',
  'Mutation.sendMessage': 'send_message',
  'Mutation.editMessage': 'send_message',
  'Mutation.regenerateMessage': 'send_message',
  'Mutation.testProvider': 'test_provider',
  'Subscription.chatEvents': 'chat_events',
  'ChatSession.messages': 'messages',
};
const defaultLimits = ['default_hour', 'default_day'] as const;

/** Counts an operation; the error of a limit that refuses it, null when it may run. */
export async function refusalByLimits(args: Args): Promise<RateLimitError | null> {
  const { app, viewer, address } = args.contextValue;
  const counted = [...costsOf(args)].map(([name, cost]) => ({ name, cost, subject: subjectOf(name, viewer?.userId ?? null, address) }));
  try {
    await app.limits.consumeAll(counted);
    return null;
  } catch (error) {
    if (error instanceof RateLimitError) return error;
    throw error;
  }
}

/** The answer of a refused mutation: the error among the `userErrors` of each of its payloads. Null for other operations. */
export async function refusedMutation(args: Args, error: RateLimitError): Promise<ExecutionResult | null> {
  const asked = askedOf(args.document, args.operationName);
  if (asked?.operation.operation !== 'mutation') return null;
  return await execute({ ...args, schema: refusing(args.schema), rootValue: { userErrors: [error] } });
}

/** The operation that would run, with the fragments it uses. */
interface Asked {
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

/** Null where execution itself will say what is wrong with the document. */
function askedOf(document: DocumentNode, operationName: string | null | undefined): Asked | null {
  const operations = separateOperations(document);
  const names = Object.keys(operations);
  const { definitions = [] } = operations[operationName ?? (names.length === 1 ? (names[0] as string) : '')] ?? {};
  const operation = definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const fragments = new Map(definitions.flatMap((definition) => (definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition]] : [])));
  return operation ? { operation, fragments } : null;
}

/** How much an operation counts by which limits. Aliases do not help: each answer of a field with a limit counts. */
function costsOf({ document, operationName, schema }: Args): Map<RateLimitName, number> {
  const costs = new Map<RateLimitName, number>();
  const add = (name: RateLimitName, cost: number): void => void costs.set(name, (costs.get(name) ?? 0) + cost);
  const asked = askedOf(document, operationName);
  const root = asked && schema.getRootType(asked.operation.operation);
  if (!root) return costs;
  const answers = new Map<string, FieldNode[]>();
  for (const { field } of fieldsOf(schema, asked, root, asked.operation.selectionSet, new Set())) {
    const key = field.alias?.value ?? field.name.value;
    answers.set(key, [...(answers.get(key) ?? []), field]);
  }
  let others = 0;
  for (const fields of answers.values()) {
    const own = limitOfField[`${root.name}.${(fields[0] as FieldNode).name.value}`];
    const limits = own ? [own] : limitsWithin(schema, asked, root, fields);
    for (const name of limits) add(name, 1);
    if (limits.length === 0) others++;
  }
  // A query is one request, however many fields it asks for; each mutation is a request of its own.
  if (others > 0) for (const name of defaultLimits) add(name, asked.operation.operation === 'mutation' ? others : 1);
  return costs;
}

/** The limits of all fields below these, a fragment's once. */
function limitsWithin(schema: GraphQLSchema, asked: Asked, root: GraphQLNamedType, roots: readonly FieldNode[]): RateLimitName[] {
  const limits: RateLimitName[] = [];
  const seen = new Set<string>();
  const descend = (parent: GraphQLNamedType, field: FieldNode): void => {
    const definition = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[field.name.value] : undefined;
    if (!definition || !field.selectionSet) return;
    const type = getNamedType(definition.type);
    for (const below of fieldsOf(schema, asked, type, field.selectionSet, seen)) {
      const limit = limitOfField[`${below.parent.name}.${below.field.name.value}`];
      if (limit) limits.push(limit);
      descend(below.parent, below.field);
    }
  };
  for (const field of roots) descend(root, field);
  return limits;
}

/** The fields of a selection, those of fragments among them, each with the type that it is asked of. */
function* fieldsOf(
  schema: GraphQLSchema,
  asked: Asked,
  parent: GraphQLNamedType,
  { selections }: SelectionSetNode,
  seen: Set<string>,
): Generator<{ readonly parent: GraphQLNamedType; readonly field: FieldNode }> {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      yield { parent, field: selection };
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      const type = selection.typeCondition && schema.getType(selection.typeCondition.name.value);
      yield* fieldsOf(schema, asked, type ?? parent, selection.selectionSet, seen);
    } else {
      const fragment = asked.fragments.get(selection.name.value);
      const type = fragment && schema.getType(fragment.typeCondition.name.value);
      if (!fragment || !type || seen.has(fragment.name.value)) continue;
      seen.add(fragment.name.value);
      yield* fieldsOf(schema, asked, type, fragment.selectionSet, seen);
    }
  }
}

const refusingSchemas = new WeakMap<GraphQLSchema, GraphQLSchema>();

/** The same schema with mutations that do nothing but answer the root value, as the payload of each. */
function refusing(schema: GraphQLSchema): GraphQLSchema {
  const known = refusingSchemas.get(schema);
  if (known) return known;
  const config = schema.toConfig();
  const mutation = (config.mutation as GraphQLObjectType).toConfig();
  const fields = Object.fromEntries(Object.entries(mutation.fields).map(([name, field]) => [name, { ...field, resolve: (answer: unknown) => answer }]));
  const made = new GraphQLSchema({
    ...config,
    mutation: new GraphQLObjectType({ ...mutation, fields }),
    types: config.types.filter((type) => type !== config.mutation),
    assumeValid: true,
  });
  refusingSchemas.set(schema, made);
  return made;
}
