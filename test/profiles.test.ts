import { graphql } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { authenticate } from '../src/accounts/service.ts';
import { createContext } from '../src/context.ts';
import { createGraphs } from '../src/graph/build.ts';
import { createRegistry, defineNode } from '../src/graph/node.ts';
import { profileHooks, profileVersionForRun } from '../src/profiles/service.ts';
import { schema } from '../src/schema.ts';
import { withoutProfiles } from './support/installation.ts';
import { countStatements } from './support/statements.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';

let parley: TestApp;
let owner: TestUser;
let editor: TestUser;
let viewer: TestUser;
let stranger: TestUser;
let chatModel: string;
let embeddingModel: string;

/** Small steps, so that graphs can be made whatever the rooms offer. */
const say = defineNode({
  type: 'say',
  description: 'Says its text.',
  config: z.object({ text: z.string().default(''), extra: z.json().optional() }),
  input: z.object({ question: z.string() }),
  output: z.object({}),
  process: () => Promise.resolve({}),
});

beforeAll(async () => {
  parley = await createTestApp({ CONFIG_FILE: withoutProfiles() });
  Object.assign(parley.app, { graphs: createGraphs(createRegistry([say])) });
  owner = await parley.signUp('Owner');
  editor = await parley.signUpInto(owner, 'EDITOR');
  viewer = await parley.signUpInto(owner, 'VIEWER');
  stranger = await parley.signUp('Stranger');
  const { chat, embedding } = await owner.ask('{ chat: models(capability: CHAT) { id } embedding: models(capability: EMBEDDING) { id } }');
  chatModel = chat[0].id;
  embeddingModel = embedding[0].id;
});
afterAll(() => parley.close());

const ERRORS = 'userErrors { __typename code field message ... on ValidationError { constraint } ... on ConflictError { existing { id ... on Profile { version { number } } } } ... on ForbiddenError { requiredPermission } ... on NotFoundError { typeName } }';
const VERSION =
  'number changeNote createdBy { id } systemPrompt model { id } fallbackModels { id } temperature maxOutputTokens cacheAnswers tools { name } ' +
  'retrieval { mode searchMode topK minScore rerank rerankModel { id } chunkSize chunkOverlap maxContextTokens onFailure } ' +
  'graph { name version nodes { id type config } edges { from to condition } mermaid }';
const PROFILE = `id slug name description archivedAt createdAt updatedAt viewerCanUpdate viewerCanDelete version { ${VERSION} }`;
const CREATE = `mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { ${PROFILE} } ${ERRORS} } }`;
const UPDATE = `mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { profile { ${PROFILE} } ${ERRORS} } }`;
const RESTORE = `mutation ($input: RestoreProfileVersionInput!) { restoreProfileVersion(input: $input) { profile { ${PROFILE} } ${ERRORS} } }`;
const DELETE = `mutation ($input: DeleteProfileInput!) { deleteProfile(input: $input) { deletedId ${ERRORS} } }`;
const READ = `query ($id: ID, $slug: String) { profile(id: $id, slug: $slug) { ${PROFILE} } }`;

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

async function create(user: TestUser, input: object = {}): Promise<Data> {
  const { createProfile } = await user.ask(CREATE, { input: { name: 'Teacher', systemPrompt: 'Teach.', ...input } });
  expect(createProfile.userErrors).toEqual([]);
  return createProfile.profile;
}

async function update(user: TestUser, id: string, patch: object, expectedVersion?: number): Promise<Data> {
  return (await user.ask(UPDATE, { input: { id, patch, expectedVersion } })).updateProfile;
}

/** The faults of a creation, as "path: constraint". */
async function faultsOf(input: object): Promise<string[]> {
  const { createProfile } = await owner.ask(CREATE, { input: { name: 'Teacher', systemPrompt: 'Teach.', ...input } });
  expect(createProfile.profile).toBeNull();
  return createProfile.userErrors.map((error: Data) => `${error.field.join('.')}: ${error.constraint ?? error.code}`);
}

describe('createProfile', () => {
  it('fills in whatever is not said', async () => {
    const profile = await create(owner, { name: '  Großer Lehrer für Biologie ' });
    expect(profile).toMatchObject({
      slug: 'gro-er-lehrer-fur-biologie', name: 'Großer Lehrer für Biologie', description: null, archivedAt: null, viewerCanUpdate: true, viewerCanDelete: true,
    });
    expect(profile.version).toMatchObject({
      number: 1, changeNote: null, createdBy: { id: owner.id }, systemPrompt: 'Teach.', fallbackModels: [], temperature: 0.2, maxOutputTokens: 2000,
      cacheAnswers: false, tools: [],
      retrieval: {
        mode: 'AUTO', searchMode: 'HYBRID', topK: 6, minScore: 0, rerank: false, rerankModel: null, chunkSize: 512, chunkOverlap: 40,
        maxContextTokens: 3000, onFailure: 'ANSWER_WITHOUT_CONTEXT',
      },
    });
    expect(profile.version.graph.nodes).toEqual(['retrieval', 'prompt', 'output'].map((type) => ({ id: type, type, config: {} })));
    expect(profile.version.graph.edges.map((edge: Data) => `${edge.from} -> ${edge.to}`)).toEqual([
      'start -> retrieval', 'retrieval -> prompt', 'prompt -> output', 'output -> end',
    ]);
    expect(profile.version.graph.mermaid).toContain('flowchart TD');
  });

  it('answers with the default model of the installation while none is chosen', async () => {
    const { version } = await create(owner);
    const { models } = parley.app;
    const { node } = await owner.ask('query ($id: ID!) { node(id: $id) { ... on Model { name } } }', { id: version.model.id });
    expect(node.name).toBe(models.find(models.defaultChatModelId)?.name);
  });

  it('keeps every setting that is given', async () => {
    const retrieval = {
      mode: 'ALWAYS', searchMode: 'KEYWORD', topK: 50, minScore: 1, rerank: true, chunkSize: 50, chunkOverlap: 24, maxContextTokens: 200_000, onFailure: 'FAIL_RUN',
    };
    const graph = {
      name: 'Says it twice',
      nodes: [{ id: 'a', type: 'say', config: { text: 'A', extra: { deep: [null, 1.5, 'x'] } } }, { id: 'b', type: 'say' }],
      edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end', condition: "question == 'stop'" }, { from: 'a', to: 'b' }, { from: 'b', to: 'end' }],
    };
    const given = {
      slug: 'kept', description: 'For tests.', modelId: chatModel, fallbackModelIds: [chatModel], temperature: 2, maxOutputTokens: 128_000, retrieval, graph, cacheAnswers: true,
    };
    const { id } = await create(editor, given);
    const { profile } = await viewer.ask(READ, { id });
    expect(profile).toMatchObject({ slug: 'kept', description: 'For tests.', viewerCanUpdate: false, viewerCanDelete: false });
    expect(profile.version).toMatchObject({
      createdBy: { id: editor.id }, model: { id: chatModel }, fallbackModels: [], temperature: 2, maxOutputTokens: 128_000, cacheAnswers: true,
    });
    expect(profile.version.retrieval).toEqual({ ...retrieval, rerankModel: null });
    expect(profile.version.graph).toMatchObject({
      name: 'Says it twice',
      version: 1,
      nodes: [graph.nodes[0], { id: 'b', type: 'say', config: {} }],
      edges: graph.edges.map((edge) => ({ condition: null, ...edge })),
    });
  });

  it('caches answers from the start only at temperature 0', async () => {
    expect((await create(owner, { temperature: 0 })).version.cacheAnswers).toBe(true);
    expect((await create(owner, { temperature: 0, cacheAnswers: false })).version.cacheAnswers).toBe(false);
  });

  it('makes another slug when the one made from the name is taken', async () => {
    const first = await create(owner, { name: 'Same name' });
    const second = await create(owner, { name: 'Same name' });
    expect(first.slug).toBe('same-name');
    expect(second.slug).toMatch(/^same-name-[0-9a-f]{8}$/);
    expect((await create(owner, { name: '日本語' })).slug).toMatch(/^profile/);
  });

  it('lets exactly one of many simultaneous creations have a given slug', async () => {
    const input = { name: 'Race', slug: 'race', systemPrompt: '' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => owner.ask(CREATE, { input })));
    const winners = answers.filter((answer) => answer.createProfile.profile);
    expect(winners).toHaveLength(1);
    for (const { createProfile } of answers.filter((answer) => !answer.createProfile.profile)) {
      expect(createProfile.userErrors).toMatchObject([
        { __typename: 'ConflictError', code: 'ALREADY_EXISTS', field: ['slug'], existing: { id: winners[0]?.createProfile.profile.id } },
      ]);
    }
  });

  it('makes nothing when one of its documents does not exist', async () => {
    const before = (await owner.ask('{ profiles { totalCount } }')).profiles.totalCount;
    const absent = Buffer.from('Document:00000000-0000-4000-8000-000000000000').toString('base64url');
    for (const documentIds of [[absent], ['nonsense'], [chatModel]]) {
      const { createProfile } = await owner.ask(CREATE, { input: { name: 'With documents', systemPrompt: '', documentIds } });
      expect(createProfile.profile).toBeNull();
      expect(createProfile.userErrors).toMatchObject([{ __typename: 'NotFoundError', typeName: 'Document', field: ['documentIds', '0'] }]);
    }
    expect((await owner.ask('{ profiles { totalCount } }')).profiles.totalCount).toBe(before);
  });
});

describe('what a profile refuses', () => {
  const broken: [string, object, string[]][] = [
    ['an empty name', { name: '  ' }, ['name: minLength']],
    ['a name of 201 characters', { name: 'x'.repeat(201) }, ['name: maxLength']],
    ['a name that no database can hold', { name: 'a\0b' }, ['name: characters']],
    ['half of a surrogate pair', { systemPrompt: 'a\ud800b' }, ['systemPrompt: characters']],
    ['a slug with capitals', { slug: 'Teacher' }, ['slug: invalid_format']],
    ['a slug of 61 characters', { slug: 'x'.repeat(61) }, ['slug: maxLength']],
    ['a description of 2001 characters', { description: 'x'.repeat(2001) }, ['description: maxLength']],
    ['a prompt of 32,769 characters', { systemPrompt: 'x'.repeat(32_769) }, ['systemPrompt: maxLength']],
    ['a temperature below 0', { temperature: -0.1 }, ['temperature: minimum']],
    ['a temperature above 2', { temperature: 2.1 }, ['temperature: maximum']],
    ['answers of no tokens', { maxOutputTokens: 0 }, ['maxOutputTokens: minimum']],
    ['answers of 128,001 tokens', { maxOutputTokens: 128_001 }, ['maxOutputTokens: maximum']],
    ['no passages', { retrieval: { topK: 0 } }, ['retrieval.topK: minimum']],
    ['51 passages', { retrieval: { topK: 51 } }, ['retrieval.topK: maximum']],
    ['scores below 0', { retrieval: { minScore: -0.01 } }, ['retrieval.minScore: minimum']],
    ['scores above 1', { retrieval: { minScore: 1.01 } }, ['retrieval.minScore: maximum']],
    ['passages of 49 tokens', { retrieval: { chunkSize: 49, chunkOverlap: 0 } }, ['retrieval.chunkSize: minimum']],
    ['passages of 2001 tokens', { retrieval: { chunkSize: 2001 } }, ['retrieval.chunkSize: maximum']],
    ['a negative overlap', { retrieval: { chunkOverlap: -1 } }, ['retrieval.chunkOverlap: minimum']],
    ['an overlap of half a passage', { retrieval: { chunkSize: 100, chunkOverlap: 50 } }, ['retrieval.chunkOverlap: maximum']],
    ['an overlap too large for a smaller passage', { retrieval: { chunkSize: 80 } }, ['retrieval.chunkOverlap: maximum']],
    ['a context of 99 tokens', { retrieval: { maxContextTokens: 99 } }, ['retrieval.maxContextTokens: minimum']],
    ['a context of 200,001 tokens', { retrieval: { maxContextTokens: 200_001 } }, ['retrieval.maxContextTokens: maximum']],
    ['tools that nobody knows', { toolNames: ['rm', 'rf'] }, ['toolNames.0: exists', 'toolNames.1: exists']],
    ['a model that is absent', { modelId: 'nonsense' }, ['modelId: NOT_FOUND']],
    ['a fallback that is absent', { fallbackModelIds: ['nonsense'] }, ['fallbackModelIds.0: NOT_FOUND']],
    ['a re-ranker that is absent', { retrieval: { rerankModelId: 'nonsense' } }, ['retrieval.rerankModelId: NOT_FOUND']],
  ];
  it.each(broken)('%s', async (_title, input, faults) => {
    expect(await faultsOf(input)).toEqual(faults);
  });

  it('a model that cannot do what it is chosen for', async () => {
    const input = { modelId: embeddingModel, fallbackModelIds: [chatModel, embeddingModel], retrieval: { rerankModelId: chatModel } };
    expect(await faultsOf(input)).toEqual(['modelId: capability', 'fallbackModelIds.1: capability', 'retrieval.rerankModelId: capability']);
  });

  it('fallback models that repeat themselves, and more than five', async () => {
    expect(await faultsOf({ fallbackModelIds: [chatModel, chatModel] })).toEqual(['fallbackModelIds: unique']);
    expect(await faultsOf({ fallbackModelIds: Array(6).fill(chatModel) })).toEqual(['fallbackModelIds: maximum']);
  });

  it('everything that is wrong at once', async () => {
    const graph = { name: 'g', nodes: [{ id: 'a', type: 'sing' }], edges: [] };
    const faults = await faultsOf({ name: '', temperature: 3, retrieval: { topK: 0, chunkSize: 60 }, toolNames: ['rm'], graph });
    expect(faults).toEqual([
      'name: minLength', 'temperature: maximum', 'retrieval.topK: minimum', 'retrieval.chunkOverlap: maximum', 'toolNames.0: exists', 'graph.nodes.0.type: enum',
      ...faults.filter((fault) => fault.startsWith('graph.') && !fault.endsWith('enum')),
    ]);
  });

  const brokenGraphs: [string, object, string[]][] = [
    ['a graph without a name', { name: ' ' }, ['graph.name: length']],
    ['a graph without nodes', { nodes: [], edges: [] }, ['graph.nodes: minItems']],
    ['a node with wrong settings', { nodes: [{ id: 'a', type: 'say', config: { text: 1 } }] }, ['graph.nodes.0.config.text: invalid_type']],
    ['settings that are no object', { nodes: [{ id: 'a', type: 'say', config: 'loud' }] }, ['graph.nodes.0.config: invalid_type']],
    ['an edge from nowhere', { edges: [{ from: 'start', to: 'a' }, { from: 'b', to: 'end' }, { from: 'a', to: 'end' }] }, ['graph.edges.1.from: exists']],
    [
      'a condition that cannot be read',
      { edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }, { from: 'a', to: 'end', condition: '== what' }] },
      ['graph.edges.2.condition: syntax'],
    ],
    ['text inside settings that no database can hold', { nodes: [{ id: 'a', type: 'say', config: { text: 'a\0b' } }] }, ['graph.nodes.0.config.text: characters']],
    ['a key inside settings that no database can hold', { nodes: [{ id: 'a', type: 'say', config: { extra: { 'a\udc00': 1 } } }] }, ['graph.nodes.0.config.extra: characters']],
  ];
  it.each(brokenGraphs)('%s', async (_title, change, faults) => {
    const sound = { name: 'g', nodes: [{ id: 'a', type: 'say' }], edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }] };
    expect(await faultsOf({ graph: { ...sound, ...change } })).toEqual(faults);
  });

  it('settings nested without end', async () => {
    let extra: unknown = 1;
    for (let depth = 0; depth < 500; depth += 1) extra = [extra];
    const graph = { name: 'g', nodes: [{ id: 'a', type: 'say', config: { extra } }], edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }] };
    const faults = await faultsOf({ graph });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^graph\.nodes\.0\.config\.extra\..*: maxDepth$/);
  });

  it('the same in a change, below patch', async () => {
    const { id } = await create(owner);
    const graph = { name: 'g', nodes: [], edges: [] };
    const { profile, userErrors } = await update(owner, id, { name: '', changeNote: 'x'.repeat(501), temperature: 3, retrieval: { chunkOverlap: 256 }, graph });
    expect(profile).toBeNull();
    expect(userErrors.map((error: Data) => error.field.join('.'))).toEqual([
      'patch.name', 'patch.changeNote', 'patch.temperature', 'patch.retrieval.chunkOverlap', 'patch.graph.nodes',
    ]);
    const wrongModel = await update(owner, id, { fallbackModelIds: [chatModel, 'nonsense'] });
    expect(wrongModel.userErrors).toMatchObject([{ code: 'NOT_FOUND', typeName: 'Model', field: ['patch', 'fallbackModelIds', '1'] }]);
    expect((await owner.ask(READ, { id })).profile.version.number).toBe(1);
  });
});

describe('updateProfile', () => {
  it('makes a new version of what answers and leaves the old one as it was', async () => {
    const { id } = await create(owner, { systemPrompt: 'One.', retrieval: { topK: 3 } });
    const { profile } = await update(editor, id, { systemPrompt: 'Two.', retrieval: { minScore: 0.5 }, changeNote: 'Better.' });
    expect(profile.version).toMatchObject({ number: 2, systemPrompt: 'Two.', changeNote: 'Better.', createdBy: { id: editor.id }, retrieval: { topK: 3, minScore: 0.5 } });
    const { versions } = (await owner.ask(`query ($id: ID!) { profile(id: $id) { versions { totalCount nodes { id ${VERSION} } } } }`, { id })).profile;
    expect(versions.totalCount).toBe(2);
    expect(versions.nodes.map((version: Data) => [version.number, version.systemPrompt, version.retrieval.minScore])).toEqual([[2, 'Two.', 0.5], [1, 'One.', 0]]);
    const { node } = await owner.ask(`query ($id: ID!) { node(id: $id) { ... on ProfileVersion { number systemPrompt } } }`, { id: versions.nodes[1].id });
    expect(node).toEqual({ number: 1, systemPrompt: 'One.' });
  });

  it('changes name and description without a new version', async () => {
    const created = await create(owner, { description: 'Old.' });
    const { profile } = await update(owner, created.id, { name: 'Renamed', description: null, changeNote: 'Not kept.' });
    expect(profile).toMatchObject({ name: 'Renamed', description: null, slug: created.slug, version: { number: 1, changeNote: null } });
    expect(Date.parse(profile.updatedAt)).toBeGreaterThanOrEqual(Date.parse(created.updatedAt));
  });

  it('makes no version when nothing changes', async () => {
    const graph = { name: 'g', nodes: [{ id: 'a', type: 'say', config: { text: 'A', extra: { b: 1, a: 2 } } }], edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }] };
    const created = await create(owner, { graph });
    const same = { name: created.name, systemPrompt: 'Teach.', temperature: 0.2, retrieval: { topK: 6 }, fallbackModelIds: null, graph };
    const { profile } = await update(owner, created.id, same);
    expect(profile).toEqual(created);
    expect((await update(owner, created.id, {})).profile).toEqual(created);
  });

  it('numbers a changed graph by the version that brings it', async () => {
    const graph = { name: 'g', nodes: [{ id: 'a', type: 'say', config: { extra: {} } }], edges: [{ from: 'start', to: 'a' }, { from: 'a', to: 'end' }] };
    const { id } = await create(owner, { graph });
    await update(owner, id, { temperature: 1 });
    expect((await update(owner, id, { temperature: 1.5, graph })).profile.version).toMatchObject({ number: 3, graph: { version: 1 } });
    const nulled = { ...graph, nodes: [{ id: 'a', type: 'say', config: { extra: { key: null } } }] };
    expect((await update(owner, id, { graph: nulled })).profile.version).toMatchObject({ number: 4, graph: { version: 4, nodes: [{ config: { extra: { key: null } } }] } });
  });

  it('goes back to the default model when modelId is null', async () => {
    const { id } = await create(owner, { modelId: chatModel, systemPrompt: 'Same.' });
    const { profile } = await update(owner, id, { modelId: null });
    expect(profile.version.number).toBe(2);
    expect((await update(owner, id, { systemPrompt: null, temperature: null, graph: null, retrieval: null })).profile.version.number).toBe(2);
  });

  it('lets the cache follow the temperature until somebody decides', async () => {
    const { id } = await create(owner);
    expect((await update(owner, id, { temperature: 0 })).profile.version.cacheAnswers).toBe(true);
    expect((await update(owner, id, { temperature: 0.5 })).profile.version.cacheAnswers).toBe(false);
    expect((await update(owner, id, { cacheAnswers: true })).profile.version.cacheAnswers).toBe(true);
    expect((await update(owner, id, { temperature: 0.9 })).profile.version.cacheAnswers).toBe(true);
  });

  it('refuses an editor whose copy is stale and shows what is there', async () => {
    const { id } = await create(owner);
    await update(owner, id, { temperature: 1 }, 1);
    const { profile, userErrors } = await update(editor, id, { temperature: 2 }, 1);
    expect(profile).toBeNull();
    expect(userErrors).toMatchObject([{ __typename: 'ConflictError', code: 'CONFLICT', field: ['expectedVersion'], existing: { id, version: { number: 2 } } }]);
    expect((await owner.ask(READ, { id })).profile.version.temperature).toBe(1);
  });

  it('lets exactly one of many simultaneous editors of a version win', async () => {
    const { id } = await create(owner);
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => update(owner, id, { systemPrompt: `Editor ${index}` }, 1)));
    expect(answers.filter((answer) => answer.profile)).toHaveLength(1);
    expect(answers.filter((answer) => answer.userErrors[0]?.code === 'CONFLICT')).toHaveLength(5);
  });

  it('numbers simultaneous changes without a gap', async () => {
    const { id } = await create(owner);
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => update(owner, id, { systemPrompt: `Change ${index}` })));
    expect(answers.map((answer) => answer.profile.version.number).sort()).toEqual([2, 3, 4, 5, 6, 7]);
    const { profile } = await owner.ask('query ($id: ID!) { profile(id: $id) { versions { nodes { number } } } }', { id });
    expect(profile.versions.nodes.map((version: Data) => version.number)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  it('answers two changes of one request each with its own version', async () => {
    const { id } = await create(owner);
    const answer = await owner.ask(
      `mutation ($id: ID!) {
        one: updateProfile(input: { id: $id, patch: { temperature: 1 } }) { profile { version { number temperature } } }
        two: updateProfile(input: { id: $id, patch: { temperature: 2 } }) { profile { version { number temperature } } }
      }`,
      { id },
    );
    expect(answer).toEqual({ one: { profile: { version: { number: 2, temperature: 1 } } }, two: { profile: { version: { number: 3, temperature: 2 } } } });
  });
});

describe('restoreProfileVersion', () => {
  it('makes an old version the newest one', async () => {
    const { id, version } = await create(owner, { systemPrompt: 'One.', temperature: 0 });
    await update(owner, id, { systemPrompt: 'Two.', temperature: 1 });
    const { restoreProfileVersion } = await editor.ask(RESTORE, { input: { id, version: 1 } });
    expect(restoreProfileVersion.profile.version).toEqual({ ...version, number: 3, changeNote: 'Restored version 1.', createdBy: { id: editor.id } });
    const again = await editor.ask(RESTORE, { input: { id, version: 1 } });
    expect(again.restoreProfileVersion.profile.version.number).toBe(3);
  });

  it('refuses a version that there is not', async () => {
    const { id } = await create(owner);
    for (const version of [0, 2, -1]) {
      const { restoreProfileVersion } = await owner.ask(RESTORE, { input: { id, version } });
      expect(restoreProfileVersion.userErrors).toMatchObject([{ code: 'NOT_FOUND', typeName: 'ProfileVersion', field: ['version'] }]);
    }
  });
});

describe('deleteProfile', () => {
  it('takes a profile out of lists and use, frees its slug, and leaves it readable', async () => {
    const { id } = await create(owner, { name: 'Leaving', slug: 'leaving' });
    const { deleteProfile } = await editor.ask(DELETE, { input: { id } });
    expect(deleteProfile).toEqual({ deletedId: id, userErrors: [] });

    expect((await owner.ask('{ profiles(nameContains: "Leaving") { totalCount nodes { id } } }')).profiles).toEqual({ totalCount: 0, nodes: [] });
    expect((await owner.ask(READ, { slug: 'leaving' })).profile).toBeNull();
    const { profile } = await owner.ask(READ, { id });
    expect(profile).toMatchObject({ name: 'Leaving', viewerCanUpdate: false, viewerCanDelete: false, version: { number: 1 } });
    expect(profile.archivedAt).not.toBeNull();
    expect((await create(owner, { slug: 'leaving' })).id).not.toBe(id);

    for (const answer of [
      (await owner.ask(UPDATE, { input: { id, patch: { name: 'Back' } } })).updateProfile,
      (await owner.ask(RESTORE, { input: { id, version: 1 } })).restoreProfileVersion,
      (await owner.ask(DELETE, { input: { id } })).deleteProfile,
    ]) {
      expect(answer.userErrors).toMatchObject([{ code: 'NOT_FOUND', typeName: 'Profile', field: ['id'] }]);
    }
  });

  it('leaves the workspace without a default profile when it was that', async () => {
    const solo = await parley.signUp('Solo');
    const { id } = await create(solo);
    const rowId = Buffer.from(id, 'base64url').toString().slice('Profile:'.length);
    await parley.app.database.fork().getConnection().execute('update "workspace" set "default_profile_id" = ? where "id" = (select "workspace_id" from "profile" where "id" = ?)', [rowId, rowId]);
    const QUERY = '{ viewer { workspace { defaultProfile { id } embeddingModel { id } } } configuration { defaultProfile { id } embeddingModel { id } } }';
    const before = await solo.ask(QUERY);
    expect(before.viewer.workspace.defaultProfile).toEqual({ id });
    expect(before.configuration).toEqual(before.viewer.workspace);
    await solo.ask(DELETE, { input: { id } });
    const after = await solo.ask(QUERY);
    expect(after.viewer.workspace.defaultProfile).toBeNull();
    expect(after.configuration.defaultProfile).toBeNull();
    expect(after.configuration.embeddingModel.id).toBeTruthy();
  });
});

describe('the version that a run takes', () => {
  it('is the current one, and none of a profile that is archived or of another workspace', async () => {
    const { id } = await create(owner, { systemPrompt: 'Run.' });
    await update(owner, id, { systemPrompt: 'Run faster.' });
    const [rowId, workspaceId, elsewhere] = [id, owner.workspaceId, stranger.workspaceId].map((each) => Buffer.from(each, 'base64url').toString().split(':')[1] as string);
    const work = createContext(parley.app, { workspaceId: workspaceId as string });
    expect(await profileVersionForRun(work, rowId as string)).toMatchObject({ number: 2, systemPrompt: 'Run faster.', temperature: 0.2, retrieval: { topK: 6 }, fallbackModelIds: null });
    await expect(profileVersionForRun(createContext(parley.app, { workspaceId: elsewhere as string }), rowId as string)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await owner.ask(DELETE, { input: { id } });
    await expect(profileVersionForRun(work, rowId as string, ['input', 'profileId'])).rejects.toMatchObject({ code: 'NOT_FOUND', field: ['input', 'profileId'] });
  });
});

describe('tools', () => {
  it('are those that the installation has', async () => {
    const known = profileHooks.tools;
    profileHooks.tools = () => [{ name: 'clock', description: 'Tells the time.', parameters: { type: 'object' }, requiresApproval: false }];
    try {
      const { id, version } = await create(owner, { toolNames: ['clock'] });
      expect(version.tools).toEqual([{ name: 'clock' }]);
      expect(await faultsOf({ toolNames: ['clock', 'clock', 'rm'] })).toContain('toolNames.2: exists');
      expect(await faultsOf({ toolNames: ['clock', 'clock'] })).toEqual(['toolNames: unique']);
      expect((await update(owner, id, { toolNames: [] })).profile.version.tools).toEqual([]);
    } finally {
      if (known) profileHooks.tools = known;
      else delete profileHooks.tools;
    }
  });
});

describe('profiles', () => {
  let librarian: TestUser;
  const names = ['beta', 'Alpha', 'Ärger', 'gamma 50%', 'Gamma_x', 'delta'];
  beforeAll(async () => {
    librarian = await parley.signUp('Librarian');
    for (const name of names) await create(librarian, { name });
  });
  const LIST = 'query ($first: Int, $after: String, $last: Int, $before: String, $nameContains: String, $orderBy: ProfileOrder) { profiles(first: $first, after: $after, last: $last, before: $before, nameContains: $nameContains, orderBy: $orderBy) { totalCount nodes { name } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }';
  const list = async (variables: object): Promise<string[]> => (await librarian.ask(LIST, variables)).profiles.nodes.map((node: Data) => node.name);

  it.each([['NAME'], ['CREATED_AT'], ['UPDATED_AT']])('are listed by %s in both directions and page by page', async (field) => {
    const all = await list({ orderBy: { field, direction: 'ASC' } });
    expect([...all].sort()).toEqual([...names].sort());
    if (field === 'NAME') expect(all.filter((name) => name !== 'Ärger')).toEqual(['Alpha', 'beta', 'delta', 'gamma 50%', 'Gamma_x']);
    else expect(all).toEqual(names);
    expect(await list({ orderBy: { field, direction: 'DESC' } })).toEqual([...all].reverse());
    for (const direction of ['ASC', 'DESC']) {
      const paged: string[] = [];
      let after: string | null = null;
      do {
        const { profiles }: Data = await librarian.ask(LIST, { first: 2, after, orderBy: { field, direction } });
        expect(profiles.totalCount).toBe(names.length);
        paged.push(...profiles.nodes.map((node: Data) => node.name));
        after = profiles.pageInfo.hasNextPage ? profiles.pageInfo.endCursor : null;
      } while (after);
      expect(paged).toEqual(direction === 'ASC' ? all : [...all].reverse());
    }
    const { profiles } = await librarian.ask(LIST, { last: 2, orderBy: { field, direction: 'ASC' } });
    expect(profiles.nodes.map((node: Data) => node.name)).toEqual(all.slice(-2));
    expect(await list({ last: 2, before: profiles.pageInfo.startCursor, orderBy: { field, direction: 'ASC' } })).toEqual(all.slice(-4, -2));
  });

  it('are found by a part of their name, taken literally and in any case', async () => {
    expect(await list({ nameContains: 'GAMMA' })).toEqual(['gamma 50%', 'Gamma_x']);
    expect(await list({ nameContains: '%' })).toEqual(['gamma 50%']);
    expect(await list({ nameContains: '_' })).toEqual(['Gamma_x']);
    expect(await list({ nameContains: 'äR' })).toEqual(['Ärger']);
    expect(await list({ nameContains: '' })).toHaveLength(names.length);
  });

  it('move to the end of UPDATED_AT when they change', async () => {
    const { profiles } = await librarian.ask('{ profiles(nameContains: "beta") { nodes { id } } }');
    await update(librarian, profiles.nodes[0].id, { temperature: 1 });
    expect((await list({ orderBy: { field: 'UPDATED_AT', direction: 'DESC' } }))[0]).toBe('beta');
  });

  it('refuse a page size, a cursor or a text that makes no sense', async () => {
    for (const variables of [{ first: 0 }, { first: 101 }, { after: 'nonsense' }, { nameContains: 'a\0' }, { first: 1, last: 1 }]) {
      expect((await librarian.request(LIST, variables)).errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED');
    }
  });
});

describe('profile', () => {
  it('is found by id or slug, and is null otherwise', async () => {
    const { id, slug } = await create(owner);
    expect((await viewer.ask(READ, { id })).profile.id).toBe(id);
    expect((await viewer.ask(READ, { slug })).profile.id).toBe(id);
    for (const variables of [{ slug: 'absent' }, { slug: 'a\0b' }, { slug: '' }, { id: 'nonsense' }, { id: chatModel }, { id: owner.id }]) {
      expect((await viewer.ask(READ, variables)).profile).toBeNull();
    }
    for (const variables of [{}, { id, slug }]) {
      expect((await viewer.request(READ, variables)).errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED');
    }
  });
});

describe('who may what', () => {
  const attempts = (id: string): [string, object, string][] => [
    [CREATE, { name: 'Mine', systemPrompt: '' }, 'createProfile'],
    [UPDATE, { id, patch: { name: 'Mine' } }, 'updateProfile'],
    [RESTORE, { id, version: 1 }, 'restoreProfileVersion'],
    [DELETE, { id }, 'deleteProfile'],
  ];

  it('guests may nothing', async () => {
    const { id } = await create(owner);
    for (const [mutation, input, field] of attempts(id)) {
      expect((await parley.request(mutation, { input })).data[field].userErrors).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
    }
    for (const query of [`{ profile(id: "${id}") { id } }`, '{ profiles { totalCount } }', '{ graphNodeTypes { type } }', '{ graphTemplates { name } }', `{ node(id: "${id}") { id } }`]) {
      const answer = await parley.request(query);
      expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    }
  });

  it.each([['VIEWER'], ['MEMBER']])('%s may read and not write', async (role) => {
    const { id } = await create(owner);
    const reader = await parley.signUpInto(owner, role);
    expect((await reader.ask(READ, { id })).profile).toMatchObject({ id, viewerCanUpdate: false, viewerCanDelete: false });
    for (const [mutation, input, field] of attempts(id)) {
      expect((await reader.ask(mutation, { input }))[field].userErrors).toMatchObject([{ __typename: 'ForbiddenError', requiredPermission: 'PROFILE_WRITE' }]);
    }
  });

  it.each([['EDITOR'], ['ADMIN'], ['OWNER']])('%s may write', async (role) => {
    const { id } = await create(owner);
    const writer = await parley.signUpInto(owner, role);
    for (const [mutation, input, field] of attempts(id)) expect((await writer.ask(mutation, { input }))[field].userErrors).toEqual([]);
  });

  it('a stranger of another workspace finds nothing, as if it did not exist', async () => {
    const { id, slug } = await create(owner, { slug: 'hidden' });
    const { profile } = await owner.ask('query ($id: ID!) { profile(id: $id) { version { id } } }', { id });
    const absent = Buffer.from('Profile:00000000-0000-4000-8000-000000000000').toString('base64url');
    for (const [mutation, input, field] of attempts(id).slice(1)) {
      const foreign = (await stranger.ask(mutation, { input }))[field];
      const missing = (await stranger.ask(mutation, { input: { ...input, id: absent } }))[field];
      expect(foreign).toEqual(missing);
      expect(foreign.userErrors).toMatchObject([{ __typename: 'NotFoundError', typeName: 'Profile', field: ['id'] }]);
    }
    expect(await stranger.ask(READ, { id })).toEqual({ profile: null });
    expect(await stranger.ask(READ, { slug })).toEqual({ profile: null });
    expect(await stranger.ask(`{ nodes(ids: ["${id}", "${profile.version.id}"]) { id } }`)).toEqual({ nodes: [null, null] });
    expect(await stranger.ask('{ profiles { totalCount nodes { id } } }')).toEqual({ profiles: { totalCount: 0, nodes: [] } });
    expect((await create(stranger, { slug: 'hidden' })).slug).toBe('hidden');
  });
});

describe('graphNodeTypes', () => {
  it('publishes the JSON Schemas of every kind of step', async () => {
    const { graphNodeTypes } = await viewer.ask('{ graphNodeTypes { type description configSchema inputSchema outputSchema } }');
    expect(graphNodeTypes).toMatchObject([{ type: 'say', configSchema: { type: 'object' }, inputSchema: { required: ['question'] }, outputSchema: { type: 'object' } }]);
  });
});

describe('the cost of a list', () => {
  const QUERY = `query ($first: Int) { profiles(first: $first) { nodes {
    id version { number createdBy { name } model { name provider { name } } fallbackModels { id } graph { mermaid } }
    versions(first: 2) { totalCount nodes { number model { id } } }
  } } }`;

  it('is the same number of statements for 1 profile and for 100', async () => {
    const collector = await parley.signUp('Collector');
    for (let index = 0; index < 100; index += 1) {
      const { id } = await create(collector, { name: `Profile ${index}` });
      if (index % 2 === 0) await update(collector, id, { temperature: 1 });
    }
    const viewer = await authenticate(parley.app, collector.accessToken);
    const count = (first: number): Promise<number> =>
      countStatements(async () => {
        const answer: Data = await graphql({ schema, source: QUERY, variableValues: { first }, contextValue: createContext(parley.app, { viewer }) });
        expect(answer.errors).toBeUndefined();
        const { nodes } = answer.data.profiles;
        expect(nodes).toHaveLength(first);
        expect(nodes.every((node: Data) => node.versions.totalCount === node.version.number)).toBe(true);
      });
    // Profiles, their versions, who made them, the page of versions of each, and how many there are.
    expect(await count(1)).toBe(5);
    expect(await count(100)).toBe(5);
  });
});
