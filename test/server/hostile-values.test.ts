// Every field of the schema with values that nobody should send: an answer or an expected failure, never an accident.
import {
  getNamedType, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType, isObjectType,
  type GraphQLField, type GraphQLInputType, type GraphQLOutputType,
} from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { schema } from '../../src/schema.ts';
import { createTestApp, type TestApp, type TestUser } from '../support/app.ts';

let parley: TestApp;
let ada: TestUser;
let ids: Record<string, string>;
beforeAll(async () => {
  parley = await createTestApp({ LOG_LEVEL: 'fatal' });
  ada = await parley.signUp('Ada');
  const { createProfile } = await ada.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer." }) { profile { id } } }');
  const { addTextDocument } = await ada.ask('mutation { addTextDocument(input: { name: "D", text: "Some text." }) { document { id } job { id } } }');
  const profile = createProfile.profile.id;
  const { createChatSession } = await ada.ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p }) { session { id } } }', { p: profile });
  const session = createChatSession.session.id;
  const { sendMessage } = await ada.ask('mutation ($s: ID!) { sendMessage(input: { sessionId: $s, text: "Hello", idempotencyKey: "k" }) { run { id } userMessage { id } } }', { s: session });
  const { createTask } = await ada.ask('mutation { createTask(input: { title: "T" }) { task { id } } }');
  ids = { profile, session, task: createTask.task.id, document: addTextDocument.document.id, job: addTextDocument.job.id, run: sendMessage.run.id, message: sendMessage.userMessage.id, user: ada.id, workspace: ada.workspaceId };
});
afterAll(() => parley.close());

const texts: Record<string, string> = {
  NUL: 'a\0b',
  'half a character': 'a\ud800b',
  nothing: '',
  'a hundred thousand characters': 'x'.repeat(100_000),
  'a quote and SQL': `'; drop table "user"; --`,
};
const numbers = [-1, 0, 2 ** 31 - 1];

/** What would end the viewer's own access, or needs a file. */
const left = new Set(['logout', 'uploadDocuments', 'replaceDocument', 'removeMember', 'setMemberRole', 'deleteProfile', 'deleteDocument', 'deleteChatSession', 'deleteTask', 'deleteAccount']);

const fields = [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.values(type?.getFields() ?? {}).map((field) => ({ kind: type?.name.toLowerCase(), field })));
const hostile = fields.filter(({ field }) => field.args.length > 0 && !left.has(field.name));

it.each(hostile.map(({ kind, field }) => [`${kind} ${field.name}`, kind as string, field] as const))('%s', async (_title, kind, field) => {
  const declared = field.args.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
  const passed = field.args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const query = `${kind} (${declared}) { ${field.name}(${passed}) ${selectionOf(field.type)} }`;
  const accidents: string[] = [];
  const values = [...Object.entries(texts), ...numbers.map((number) => [String(number), number] as const)];
  for (const [title, value] of values) {
    for (const only of [null, ...namesIn(field, typeof value)]) {
      const variables = Object.fromEntries(field.args.map((arg) => [arg.name, valueOf(arg.type, arg.name, field.name, { value, only })]));
      const { errors } = await ada.request(query, variables);
      for (const error of errors ?? []) {
        if (error.extensions?.code === 'INTERNAL' || error.extensions?.code === undefined) accidents.push(`${title} in ${only ?? 'everything'}: ${error.message}`);
      }
    }
  }
  expect(accidents).toEqual([]);
});

interface Hostile {
  readonly value: string | number;
  /** The name of the one field that gets it; null for all. */
  readonly only: string | null;
}

/** A value of the type: the hostile one where it fits, else a usual one. */
function valueOf(type: GraphQLInputType, name: string, field: string, hostile: Hostile): unknown {
  if (isNonNullType(type)) return valueOf(type.ofType, name, field, hostile);
  if (isListType(type)) return [valueOf(type.ofType, name, field, hostile)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (isInputObjectType(type)) {
    const all = Object.values(type.getFields());
    return Object.fromEntries(
      all
        .filter((each) => isNonNullType(each.type) || hostile.only === null || isWithin(each.type, each.name, hostile.only))
        .map((each) => [each.name, valueOf(each.type, each.name, field, hostile)]),
    );
  }
  const mine = hostile.only === null || hostile.only === name;
  const { value } = hostile;
  switch (type.name) {
    case 'ID':
      return mine && typeof value === 'string' && hostile.only !== null ? value : idOf(name, field);
    case 'String':
    case 'EventCursor':
      return mine && typeof value === 'string' ? value : 'text';
    case 'Int':
    case 'Float':
      return mine && typeof value === 'number' ? value : 1;
    case 'DateTime':
      return '2026-01-01T00:00:00Z';
    case 'Boolean':
      return true;
    default:
      return mine ? { a: [value] } : {};
  }
}

/** The names of the scalars within a field's arguments that a text or a number fits. */
function namesIn(field: GraphQLField<unknown, unknown>, kind: string): string[] {
  const fitting = kind === 'number' ? ['Int', 'Float', 'JSON'] : ['ID', 'String', 'EventCursor', 'JSON'];
  return [...new Set(field.args.flatMap((arg) => namesOf(arg.type, arg.name, fitting)))];
}

function namesOf(type: GraphQLInputType, name: string, fitting: readonly string[]): string[] {
  const named = getNamedType(type);
  if (isInputObjectType(named)) return Object.values(named.getFields()).flatMap((field) => namesOf(field.type, field.name, fitting));
  return fitting.includes(named.name) ? [name] : [];
}

/** Whether a value of the type holds the field of this name. */
function isWithin(type: GraphQLInputType, name: string, only: string): boolean {
  const named = getNamedType(type);
  return name === only || (isInputObjectType(named) && Object.values(named.getFields()).some((field) => isWithin(field.type, field.name, only)));
}

/** A node that exists, by the name of the argument, or of the field when it is only "id". */
function idOf(name: string, field: string): string {
  const wanted = name === 'id' || name === 'ids' ? field : name;
  return Object.entries(ids).find(([type]) => wanted.toLowerCase().includes(type))?.[1] ?? (ids['profile'] as string);
}

/** Everything that can be asked without arguments, two levels deep. */
function selectionOf(type: GraphQLOutputType, depth = 2): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  if (!isObjectType(named)) return '{ __typename }';
  const inner = Object.values(named.getFields())
    .filter((field) => field.args.every((arg) => !isNonNullType(arg.type)) && (isLeafType(getNamedType(field.type)) || depth > 1))
    .map((field) => `${field.name} ${selectionOf(field.type, depth - 1)}`);
  return `{ __typename ${inner.join(' ')} }`;
}
