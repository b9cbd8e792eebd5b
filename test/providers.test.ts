// How providers are seen, set up, changed, removed and tested: as guest, member, admin, and stranger of another workspace.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { Writable } from 'node:stream';
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../src/context.ts';
import { createLog } from '../src/platform/log.ts';
import { announceProviders, modelsOf } from '../src/providers/catalog.ts';
import { Provider } from '../src/providers/entity.ts';
import { testProvider } from '../src/providers/service.ts';
import { authenticate } from '../src/accounts/service.ts';
import { createTestApp, type TestApp, type TestUser } from './support/app.ts';
import { configFile, withoutProfiles } from './support/installation.ts';
import { startPostgres } from './support/postgres.ts';
import { startRedis } from './support/redis.ts';
import { countStatements } from './support/statements.ts';

// biome-ignore lint: answers are read by the test that wrote the query.
type Data = any;

const key = 'sk-workspace-0123456789abcdef';
const operatorKey = 'sk-operator-0123456789abcdef';
/** Providers of tests lie on this machine. */
const nearby = { PROVIDER_ALLOWED_NETWORKS: '127.0.0.1' };
const server = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
const logged: string[] = [];
const log = createLog({ environment: 'test', logLevel: 'trace', instanceId: 'x' }, new Writable({ write: (line: Buffer, _encoding, done) => (logged.push(String(line)), done()) }));
/** What a server was sent, keys included; it answers nothing that a model would. */
const received: { path: string | undefined; authorization: string | undefined }[] = [];
const recorder = createServer(({ url, headers }, response) => {
  received.push({ path: url, authorization: headers.authorization });
  response.writeHead(503).end();
});
let recording: string;
let parley: TestApp;
let owner: TestUser;
let admin: TestUser;
let editor: TestUser;
let viewer: TestUser;
let stranger: TestUser;
let address: string;

beforeAll(async () => {
  await server.start();
  address = `${server.url}/v1`;
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve));
  recording = `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
  parley = await createTestApp({ OPENAI_API_KEY: operatorKey, LLM_MODEL: 'openai:gpt-4o-mini', EMBEDDING_MODEL: 'offline:bm25-hash', ...nearby }, { log });
  owner = await parley.signUp('Owner');
  admin = await parley.signUpInto(owner, 'ADMIN');
  editor = await parley.signUpInto(owner, 'EDITOR');
  viewer = await parley.signUpInto(owner, 'VIEWER');
  stranger = await parley.signUp('Stranger');
});
afterAll(async () => {
  await parley.close();
  await server.stop();
  recorder.closeAllConnections();
  recorder.close();
});
beforeEach(() => {
  server.reset();
  received.length = 0;
});

const PROVIDER = 'id name kind owner baseUrl isConfigured circuit lastError lastSucceededAt models { id name capabilities contextWindow embeddingDimensions inputPricePerMillion outputPricePerMillion isAvailable provider { id } }';
const ERRORS = 'userErrors { __typename code field message ... on ValidationError { constraint } ... on ConflictError { existing { id } } ... on ForbiddenError { requiredPermission } ... on NotFoundError { typeName } ... on ProviderError { retryable attempts provider { id name } } }';
const UPSERT = `mutation ($input: UpsertProviderInput!) { upsertProvider(input: $input) { provider { ${PROVIDER} } ${ERRORS} } }`;
const REMOVE = `mutation ($id: ID!) { removeProvider(input: { id: $id }) { deletedId ${ERRORS} } }`;
const TEST = `mutation ($input: TestProviderInput!) { testProvider(input: $input) { provider { id } latencyMs ${ERRORS} } }`;
const LIST = `{ providers { ${PROVIDER} } }`;

const chat = { name: 'small', capabilities: ['CHAT', 'STREAMING'] };
const idOf = (name: string): string => Buffer.from(`Provider:${name}`).toString('base64url');
const modelId = (name: string): string => Buffer.from(`Model:${name}`).toString('base64url');
const upsert = async (user: TestUser, input: object): Promise<Data> => (await user.ask(UPSERT, { input: { name: 'Mine', kind: 'OPENAI_COMPATIBLE', baseUrl: address, models: [chat], ...input } })).upsertProvider;
const remove = async (user: TestUser, id: string): Promise<Data> => (await user.ask(REMOVE, { id })).removeProvider;
const test = async (user: TestUser, input: object): Promise<Data> => (await user.ask(TEST, { input })).testProvider;
const find = async (user: TestUser, id: string): Promise<Data> => (await user.ask(LIST)).providers.find((provider: Data) => provider.id === id);

/** A new provider of a user's workspace. */
async function setUp(user: TestUser, input: object = {}): Promise<Data> {
  const { provider, userErrors } = await upsert(user, { apiKey: key, ...input });
  expect(userErrors).toEqual([]);
  return provider;
}

describe('upsertProvider', () => {
  it('sets up a provider whose models the workspace then has, and nobody else', async () => {
    const models = [{ name: 'llama3:8b', capabilities: ['CHAT', 'TOOLS'], contextWindow: 8_192, inputPricePerMillion: 0, outputPricePerMillion: 1.5 }, { name: 'embed', capabilities: ['EMBEDDING'], embeddingDimensions: 3 }];
    const provider = await setUp(admin, { name: ' Große Küche 2 ', models, baseUrl: `${address}/` });
    expect(provider).toMatchObject({ id: idOf('gro-e-kuche-2'), name: 'Große Küche 2', kind: 'OPENAI_COMPATIBLE', owner: 'WORKSPACE', baseUrl: address, isConfigured: true, circuit: 'CLOSED', lastError: null });
    expect(provider.models).toMatchObject([
      { ...models[0], id: modelId('gro-e-kuche-2:llama3:8b'), embeddingDimensions: null, isAvailable: true, provider: { id: provider.id } },
      { ...models[1], contextWindow: null, inputPricePerMillion: null },
    ]);
    expect(await find(viewer, provider.id)).toEqual(provider);
    const { models: embedders } = await viewer.ask('{ models(capability: EMBEDDING) { id } }');
    expect(embedders).toContainEqual({ id: modelId('gro-e-kuche-2:embed') });
    expect(await find(stranger, provider.id)).toBeUndefined();
    expect((await stranger.ask('query ($id: ID!) { node(id: $id) { id } }', { id: provider.id })).node).toBeNull();
    expect((await remove(stranger, provider.id)).userErrors).toMatchObject([{ __typename: 'NotFoundError', typeName: 'Provider' }]);
    expect((await upsert(stranger, { id: provider.id })).userErrors).toMatchObject([{ __typename: 'NotFoundError', field: ['id'] }]);
    expect((await test(stranger, { providerId: provider.id })).userErrors).toMatchObject([{ __typename: 'NotFoundError', field: ['providerId'] }]);
  });

  it('changes what is given and leaves the rest', async () => {
    const { id, ...before } = await setUp(owner, { name: 'Changing' });
    const { provider } = await upsert(admin, { id, name: 'Changed', baseUrl: undefined, models: undefined });
    expect(provider).toEqual({ ...before, id, name: 'Changed' });
    await upsert(owner, { id, baseUrl: recording, apiKey: 'sk-kept-0123456789' });
    await upsert(owner, { id, name: 'Renamed', baseUrl: undefined });
    await test(owner, { providerId: id });
    expect(received).toMatchObject([{ authorization: 'Bearer sk-kept-0123456789' }]);
    expect((await upsert(owner, { id, name: 'Changed', baseUrl: undefined, models: [] })).provider.models).toEqual([]);
  });

  it('names a new one after its name, unique among all that the workspace sees', async () => {
    const { id } = await setUp(owner, { name: 'Twice' });
    for (const name of ['Twice', 'TWICE!']) expect((await upsert(owner, { name })).userErrors).toMatchObject([{ __typename: 'ConflictError', code: 'ALREADY_EXISTS', field: ['name'], existing: { id } }]);
    expect((await upsert(owner, { name: 'OpenAI' })).userErrors).toMatchObject([{ code: 'ALREADY_EXISTS', existing: { id: idOf('openai') } }]);
    expect((await upsert(owner, { name: 'Offline' })).userErrors).toMatchObject([{ code: 'ALREADY_EXISTS' }]);
    expect((await setUp(owner, { name: '日本語' })).id).toBe(idOf('provider'));
    expect((await setUp(stranger, { name: 'Twice' })).id).toBe(id);
  });

  it('makes one of 20 at once, and tells the others which', async () => {
    const rush = await parley.signUp('Rush');
    const answers = await Promise.all(Array.from({ length: 20 }, () => upsert(rush, { name: 'Race' })));
    const [winner, ...more] = answers.filter(({ provider }) => provider);
    expect(more).toEqual([]);
    for (const { userErrors } of answers.filter(({ provider }) => !provider)) expect(userErrors).toMatchObject([{ code: 'ALREADY_EXISTS', existing: { id: winner.provider.id } }]);
  });

  it('never mixes the key of one change with the address of another', async () => {
    const { id } = await setUp(owner, { name: 'Mixed' });
    const changes = Array.from({ length: 20 }, (_, n) => ({ id, baseUrl: `${recording}/${n}`, apiKey: `sk-key-number-${n}-0123456789` }));
    for (const { userErrors } of await Promise.all(changes.map((change) => upsert(owner, { ...change, name: 'Mixed' })))) expect(userErrors).toEqual([]);
    const { baseUrl } = await find(owner, id);
    const n = baseUrl.split('/').at(-1);
    await test(owner, { providerId: id });
    expect(received).toEqual([{ path: `/${n}/chat/completions`, authorization: `Bearer sk-key-number-${n}-0123456789` }]);
    const rows = await parley.app.database.fork().find(Provider, { key: 'mixed' });
    expect(rows).toHaveLength(1);
  });

  it('allows 20 providers and no more', async () => {
    const hoarder = await parley.signUp('Hoarder');
    const answers: Data[] = [];
    for (let n = 0; n < 21; n++) answers.push(await upsert(hoarder, { name: `p${n}` }));
    expect(answers.map(({ userErrors }) => userErrors[0]?.code)).toEqual([...Array(20).fill(undefined), 'LIMIT_EXCEEDED']);
  });
});

describe('what upsertProvider refuses', () => {
  const broken: [string, object, string[]][] = [
    ['an empty name', { name: ' ' }, ['name: minLength']],
    ['a name of 101 characters', { name: 'x'.repeat(101) }, ['name: maxLength']],
    ['a name with control characters', { name: 'a\0b' }, ['name: characters']],
    ['the offline kind', { kind: 'OFFLINE' }, ['kind: kind']],
    ['a compatible server without an address', { baseUrl: null }, ['baseUrl: required']],
    ['what is no address', { baseUrl: 'nowhere' }, ['baseUrl: format']],
    ['a file', { baseUrl: 'file:///etc/passwd' }, ['baseUrl: address']],
    ['an address with a password', { baseUrl: 'https://a:b@llm.example/' }, ['baseUrl: address']],
    ['an address with a query', { baseUrl: 'https://llm.example/?a' }, ['baseUrl: format']],
    ['an address of this machine that nobody allowed', { baseUrl: 'http://127.0.0.2/v1' }, ['baseUrl: address']],
    ['the metadata of a cloud', { baseUrl: 'http://169.254.169.254/' }, ['baseUrl: address']],
    ['an empty key', { apiKey: '  ' }, ['apiKey: minLength']],
    ['a key that no header can carry', { apiKey: 'sk-\u00e4\n0' }, ['apiKey: invalid_format']],
    ['101 models', { models: Array.from({ length: 101 }, (_, n) => ({ ...chat, name: `m${n}` })) }, ['models: maximum']],
    ['a model twice', { models: [chat, { ...chat, name: ' small ' }] }, ['models.1.name: unique']],
    ['an embedding model of a vendor that has none', { kind: 'ANTHROPIC', models: [chat, { ...chat, name: 'e', capabilities: ['EMBEDDING'] }] }, ['models.1.capabilities: capability']],
    ['a model without a name', { models: [{ ...chat, name: '' }] }, ['models.0.name: minLength']],
    ['a model that can do nothing', { models: [{ ...chat, capabilities: [] }] }, ['models.0.capabilities: minimum']],
    ['no context', { models: [{ ...chat, contextWindow: 0 }] }, ['models.0.contextWindow: minimum']],
    ['vectors of 16,001 numbers', { models: [{ ...chat, embeddingDimensions: 16_001 }] }, ['models.0.embeddingDimensions: maximum']],
    ['negative prices', { models: [{ ...chat, inputPricePerMillion: -0.01, outputPricePerMillion: -1 }] }, ['models.0.inputPricePerMillion: minimum', 'models.0.outputPricePerMillion: minimum']],
    ['several faults, all at once', { name: '', apiKey: '', models: [{ ...chat, contextWindow: -1 }] }, ['name: minLength', 'apiKey: minLength', 'models.0.contextWindow: minimum']],
  ];
  it.each(broken)('%s', async (_title, input, faults) => {
    const { provider, userErrors } = await upsert(owner, { name: 'Broken', ...input });
    expect(provider).toBeNull();
    expect(userErrors.map((error: Data) => `${error.field.join('.')}: ${error.constraint}`)).toEqual(faults);
  });

  it('ids that name no provider, and values that no schema has', async () => {
    for (const id of ['nonsense', idOf('nobody'), idOf("x' or 1=1"), modelId('openai:gpt-4o')]) expect((await upsert(owner, { id })).userErrors).toMatchObject([{ __typename: 'NotFoundError', typeName: 'Provider', field: ['id'] }]);
    for (const input of [{ kind: 'TELEX' }, { models: [{ ...chat, capabilities: ['FLY'] }] }, { models: [{ ...chat, inputPricePerMillion: 'NaN' }] }, { apiKey: { a: 1 } }]) {
      expect((await owner.request(UPSERT, { input: { name: 'X', kind: 'OPENAI', ...input } })).errors).toHaveLength(1);
    }
  });

  it('another kind, and the offline models', async () => {
    const { id } = await setUp(owner, { name: 'Kind' });
    expect((await upsert(owner, { id, kind: 'OPENAI' })).userErrors).toMatchObject([{ field: ['kind'], constraint: 'immutable' }]);
    expect((await upsert(owner, { id: idOf('offline') })).userErrors).toMatchObject([{ field: ['id'] }]);
  });

  it('another address without the key that was entered for the one before', async () => {
    const { id } = await setUp(owner, { name: 'Moved' });
    for (const baseUrl of ['http://127.0.0.1:1/v1', `${address}/other`]) expect((await upsert(owner, { id, baseUrl })).userErrors).toMatchObject([{ field: ['apiKey'], constraint: 'required' }]);
    expect(await find(owner, id)).toMatchObject({ baseUrl: address });
    expect((await upsert(owner, { id, baseUrl: `${address}//` })).userErrors).toEqual([]);
    expect((await upsert(owner, { id, baseUrl: `${address}/other`, apiKey: 'sk-another-0123456789' })).provider.baseUrl).toBe(`${address}/other`);
    expect((await upsert(owner, { id, baseUrl: `${address}/third`, apiKey: null })).provider).toMatchObject({ baseUrl: `${address}/third`, isConfigured: true });
  });
});

describe("the workspace's own in place of the installation's", () => {
  it('has its own key, is called with it, and gives the place back when it is removed', async () => {
    const ada = await parley.signUp('Ada');
    const id = idOf('openai');
    const before = await find(ada, id);
    expect(before).toMatchObject({ owner: 'INSTALLATION', isConfigured: true });
    const override = { id, name: 'Our OpenAI', kind: 'OPENAI', models: undefined };
    for (const without of [{}, { apiKey: null }]) expect((await upsert(ada, { ...override, baseUrl: undefined, ...without })).userErrors).toMatchObject([{ field: ['apiKey'], constraint: 'required' }]);
    const { provider } = await upsert(ada, { ...override, apiKey: key });
    expect(provider).toMatchObject({ id, name: 'Our OpenAI', owner: 'WORKSPACE', baseUrl: address, isConfigured: true });
    expect(provider.models).toEqual(before.models);
    server.onMessage(/.*/, { content: 'OK' });
    expect((await test(ada, { providerId: id, modelName: 'gpt-4o' })).userErrors).toEqual([]);
    expect(server.getRequests()).toHaveLength(1);
    expect(await find(stranger, id)).toMatchObject({ owner: 'INSTALLATION', name: 'OpenAI' });
    expect(await remove(ada, id)).toEqual({ deletedId: id, userErrors: [] });
    expect(await find(ada, id)).toEqual(before);
    expect(await remove(ada, id)).toMatchObject({ deletedId: null, userErrors: [{ __typename: 'ConflictError', message: expect.stringContaining("operator's configuration file"), existing: { id } }] });
    expect((await remove(ada, idOf('offline'))).userErrors).toMatchObject([{ __typename: 'ConflictError' }]);
    expect((await remove(ada, idOf('nobody'))).userErrors).toMatchObject([{ __typename: 'NotFoundError' }]);
  });

  it("goes to the operator's address unless it names one, and never with the operator's key", async () => {
    const own = await createTestApp({ OPENAI_API_KEY: operatorKey, OPENAI_BASE_URL: `${recording}/operator`, ...nearby });
    try {
      const ada = await own.signUp();
      const id = idOf('openai');
      await test(ada, { providerId: id });
      await setUp(ada, { id, baseUrl: undefined, models: undefined });
      await test(ada, { providerId: id });
      await upsert(ada, { id, baseUrl: `${recording}/ours`, models: undefined, apiKey: null });
      await test(ada, { providerId: id, modelName: 'gpt-4o' });
      expect(received.map(({ path, authorization }) => [path?.split('/')[1], authorization])).toEqual([['operator', `Bearer ${operatorKey}`], ['operator', `Bearer ${key}`], ['ours', 'Bearer none']]);
    } finally {
      await own.close();
    }
  });

  it('lists its own models when it is given any, and profiles fall back among those', async () => {
    const ada = await parley.signUp('Ada');
    await setUp(ada, { id: idOf('openai'), kind: 'OPENAI', models: [{ ...chat, name: 'gpt-4o' }, { ...chat, name: 'gpt-4' }] });
    const { createProfile } = await ada.ask('mutation ($m: ID!) { createProfile(input: { name: "P", systemPrompt: "", modelId: $m }) { profile { version { model { id } fallbackModels { id } } } userErrors { message } } }', { m: modelId('openai:gpt-4o') });
    expect(createProfile.profile.version).toEqual({ model: { id: modelId('openai:gpt-4o') }, fallbackModels: [{ id: modelId('openai:gpt-4') }] });
  });
});

describe('what is gone', () => {
  it('leaves profiles that answer with the default, and versions that still name what they had', async () => {
    const ada = await parley.signUp('Ada');
    const provider = await setUp(ada, { name: 'Leaving', models: [chat, { name: 'vec', capabilities: ['EMBEDDING'] }] });
    const VERSION = 'version { id model { id name isAvailable provider { name isConfigured } } fallbackModels { id } }';
    const { createProfile } = await ada.ask(`mutation ($m: ID!) { createProfile(input: { name: "P", systemPrompt: "", modelId: $m, fallbackModelIds: [$m] }) { profile { id ${VERSION} } userErrors { message } } }`, { m: provider.models[0].id });
    expect(createProfile.profile.version.model).toMatchObject({ name: 'small', isAvailable: true });
    await remove(ada, provider.id);
    const { profile, node } = await ada.ask(`query ($id: ID!, $model: ID!) { profile(id: $id) { ${VERSION} } node(id: $model) { ... on Model { id name isAvailable capabilities provider { id name kind isConfigured owner baseUrl models { id } } } } }`, { id: createProfile.profile.id, model: provider.models[0].id });
    expect(profile.version).toMatchObject({ model: { id: modelId('openai:gpt-4o-mini') }, fallbackModels: [] });
    expect(node).toEqual({
      id: provider.models[0].id, name: 'small', isAvailable: false, capabilities: [],
      provider: { id: provider.id, name: 'leaving', kind: 'OPENAI_COMPATIBLE', isConfigured: false, owner: 'INSTALLATION', baseUrl: null, models: [] },
    });
    for (const id of ['Model:nonsense', 'Model:a:\0', `Model:a:${'x'.repeat(300)}`]) expect((await ada.ask('query ($id: ID!) { node(id: $id) { id } }', { id: Buffer.from(id).toString('base64url') })).node).toBeNull();
  });
});

describe('testProvider', () => {
  it('makes one tiny call and says how long it took', async () => {
    const provider = await setUp(owner, { name: 'Tested', models: [{ name: 'vec', capabilities: ['EMBEDDING'] }, chat] });
    server.onMessage(/.*/, { content: 'OK' });
    server.onEmbedding(/.*/, { embedding: [0.1, 0.2] });
    const answer = await test(admin, { providerId: provider.id });
    expect(answer).toEqual({ provider: { id: provider.id }, latencyMs: expect.any(Number), userErrors: [] });
    expect(answer.latencyMs).toBeGreaterThanOrEqual(0);
    expect(server.getRequests()).toHaveLength(1);
    expect(server.getLastRequest()?.body).toMatchObject({ model: 'small', max_tokens: 16 });
    expect((await test(admin, { providerId: provider.id, modelName: 'vec' })).userErrors).toEqual([]);
    expect(server.getRequests()).toHaveLength(2);
    expect((await test(admin, { providerId: idOf('offline') })).userErrors).toEqual([]);
  });

  it('says what failed in our words, after one call', async () => {
    const { id } = await setUp(owner, { name: 'Failing' });
    for (const [status, code, retryable] of [[401, 'PROVIDER_REJECTED', false], [429, 'RATE_LIMITED', true], [500, 'PROVIDER_UNAVAILABLE', true]] as const) {
      server.reset();
      server.nextRequestError(status, { message: `Incorrect API key provided: ${key}` });
      const { latencyMs, provider, userErrors } = await test(owner, { providerId: id });
      expect({ latencyMs, provider }).toEqual({ latencyMs: null, provider: null });
      expect(userErrors).toEqual([{ __typename: 'ProviderError', code, field: null, message: expect.not.stringContaining('Incorrect'), retryable, attempts: 1, provider: { id, name: 'Failing' } }]);
      expect(server.getRequests()).toHaveLength(1);
    }
    await upsert(owner, { id, name: 'Failing', baseUrl: 'http://127.0.0.1:9/v1', apiKey: key });
    expect((await test(owner, { providerId: id })).userErrors).toMatchObject([{ code: 'PROVIDER_UNAVAILABLE', retryable: true }]);
  });

  it('makes no call without a key, or for a model that is not listed', async () => {
    const { id } = await setUp(owner, { name: 'Keyless', kind: 'OPENAI', apiKey: undefined });
    expect(await find(owner, id)).toMatchObject({ isConfigured: false });
    expect((await test(owner, { providerId: id })).userErrors).toMatchObject([{ __typename: 'ProviderError', code: 'PROVIDER_REJECTED', attempts: 0 }]);
    expect((await test(owner, { providerId: id, modelName: 'other' })).userErrors).toMatchObject([{ __typename: 'ValidationError', field: ['modelName'], constraint: 'exists' }]);
    await upsert(owner, { id, kind: 'OPENAI', models: [] });
    expect((await test(owner, { providerId: id })).userErrors).toMatchObject([{ field: ['modelName'] }]);
    expect(server.getRequests()).toEqual([]);
  });

  it('waits only so long for a server that says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { id } = await setUp(owner, { name: 'Silent', baseUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    const ctx = createContext(parley.app, { viewer: await authenticate(parley.app, owner.accessToken) });
    await expect(testProvider(ctx, { id: Buffer.from(id, 'base64url').toString().split(':')[1] as string, modelName: null }, 100)).rejects.toMatchObject({ code: 'TIMEOUT', attempts: 1, retryable: true });
    silent.closeAllConnections();
    silent.close();
  });

  it('is limited by a limit of its own', async () => {
    const limited = await createTestApp({ RATE_LIMIT_TEST_PROVIDER: '2/60' });
    try {
      const ada = await limited.signUp();
      const codes: string[] = [];
      for (let n = 0; n < 3; n++) codes.push((await test(ada, { providerId: idOf('offline') })).userErrors[0]?.code);
      expect(codes).toEqual([undefined, undefined, 'RATE_LIMITED']);
    } finally {
      await limited.close();
    }
  });
});

describe('an API key', () => {
  it('is stored encrypted, and never seen again: not by the API, not in the log, not in errors, not in what is printed', async () => {
    const secret = 'never-to-be-seen-4711';
    const { id } = await setUp(owner, { name: 'Secret', apiKey: secret });
    const rows = await parley.app.database.fork().find(Provider, { key: 'secret' });
    expect(rows[0]?.sealedApiKey).toMatch(/^v1\.[\w-]+$/);
    expect(JSON.stringify(rows)).not.toContain(secret);
    const seen: string[] = [];
    seen.push(JSON.stringify(await owner.ask(LIST)), JSON.stringify(await upsert(owner, { id, name: 'Secret' })), JSON.stringify(await upsert(owner, { name: 'Secret', apiKey: secret })), JSON.stringify(await upsert(owner, { id, baseUrl: 'nowhere', apiKey: secret })));
    server.nextRequestError(401, { message: `Incorrect API key provided: ${secret}` });
    seen.push(JSON.stringify(await test(owner, { providerId: id })));
    expect(server.getRequests()).toHaveLength(1);
    const ctx = createContext(parley.app, { viewer: await authenticate(parley.app, owner.accessToken) });
    server.nextRequestError(500, { message: secret });
    const thrown = await testProvider(ctx, { id: 'secret', modelName: null }).catch((error: unknown) => error);
    seen.push(inspect(await modelsOf(ctx), { depth: 20, showHidden: true }), inspect(ctx.app.modelsWith('', [{ id: 'x', name: 'x', kind: 'OPENAI', baseUrl: null, apiKey: secret, models: [], isDisabled: false }]), { depth: 20 }), inspect((thrown as Error).message));
    expect(seen.filter((text) => text.includes(secret))).toEqual([]);
    expect(logged.filter((line) => line.includes('the test of a provider failed'))).not.toEqual([]);
    expect(logged.filter((line) => line.includes(secret) || line.includes(operatorKey))).toEqual([]);
  });

  it('is in no log when a provider quotes it in the middle of a stream, as a code or in what is no JSON', async () => {
    const secret = 'abcdef-quoted-4711';
    const quoted = [JSON.stringify({ error: { message: `The key ${secret} is wrong`, code: secret, type: secret } }), `${secret} is wrong`];
    const quoting = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${quoted.shift()}\n\n`));
    await new Promise<void>((resolve) => quoting.listen(0, '127.0.0.1', resolve));
    const { id } = await setUp(owner, { name: 'Quoting', apiKey: secret, baseUrl: `http://127.0.0.1:${(quoting.address() as AddressInfo).port}` });
    logged.length = 0;
    for (let left = quoted.length; left > 0; left--) expect((await test(owner, { providerId: id })).userErrors).toMatchObject([{ __typename: 'ProviderError', message: expect.not.stringContaining(secret) }]);
    expect(quoted).toEqual([]);
    expect(logged.filter((line) => line.includes('the test of a provider failed'))).toHaveLength(2);
    expect(logged.filter((line) => line.includes(secret))).toEqual([]);
    quoting.close();
  });

  it('that cannot be read any more leaves its provider not configured, and says to enter it again', async () => {
    const { id } = await setUp(owner, { name: 'Unreadable' });
    const em = parley.app.database.fork();
    await em.nativeUpdate(Provider, { key: 'unreadable' }, { sealedApiKey: 'v1.AAAA', revision: 99 });
    // Any change makes this process read again.
    await setUp(owner, { name: 'Another' });
    expect(await find(owner, id)).toMatchObject({ isConfigured: false, lastError: expect.stringContaining('Enter the key again'), models: [{ isAvailable: false }] });
    await upsert(owner, { id, name: 'Unreadable', apiKey: key });
    expect(await find(owner, id)).toMatchObject({ isConfigured: true, lastError: null });
  });
});

describe('who may what', () => {
  it('guests see and change nothing', async () => {
    expect((await parley.request(LIST)).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    for (const [query, variables, field] of [[UPSERT, { input: { name: 'X', kind: 'OPENAI' } }, 'upsertProvider'], [REMOVE, { id: idOf('openai') }, 'removeProvider'], [TEST, { input: { providerId: idOf('openai') } }, 'testProvider'], ['mutation { updateWorkspace(input: {}) { userErrors { code } } }', {}, 'updateWorkspace']] as const) {
      expect((await parley.request(query, variables)).data[field].userErrors).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
    }
  });

  it('members see providers, and only admins and owners change them, told before anything about their input', async () => {
    for (const user of [editor, viewer]) {
      expect((await user.ask(LIST)).providers.length).toBeGreaterThan(1);
      const forbidden = [{ __typename: 'ForbiddenError', requiredPermission: 'CONFIG_WRITE' }];
      expect((await upsert(user, { name: '' })).userErrors).toMatchObject(forbidden);
      expect((await remove(user, 'nonsense')).userErrors).toMatchObject(forbidden);
      expect((await test(user, { providerId: 'nonsense' })).userErrors).toMatchObject(forbidden);
      expect((await user.ask(`mutation { updateWorkspace(input: { embeddingModelId: "nonsense" }) { ${ERRORS} } }`)).updateWorkspace.userErrors).toMatchObject(forbidden);
    }
  });
});

describe('updateWorkspace', () => {
  const CHANGE = `mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { workspace { name defaultProfile { id } embeddingModel { id } } ${ERRORS} } }`;
  const change = async (user: TestUser, input: object): Promise<Data> => (await user.ask(CHANGE, { input })).updateWorkspace;

  it('changes what is given and leaves the rest', async () => {
    const ada = await parley.signUp('Ada');
    const { viewer: me, profiles } = await ada.ask('{ viewer { workspace { name defaultProfile { id } embeddingModel { id } } } profiles { nodes { id } } }');
    expect(me.workspace.defaultProfile).toEqual(profiles.nodes[0]);
    expect((await change(ada, {})).workspace).toEqual(me.workspace);
    expect((await change(ada, { name: ' New name ' })).workspace).toEqual({ ...me.workspace, name: 'New name' });
    expect((await change(ada, { defaultProfileId: null })).workspace.defaultProfile).toBeNull();
    expect((await change(ada, { defaultProfileId: profiles.nodes[0].id })).workspace.defaultProfile).toEqual(profiles.nodes[0]);
    const embeddingModelId = modelId('openai:text-embedding-3-small');
    expect((await change(ada, { embeddingModelId, name: null })).workspace).toMatchObject({ name: 'New name', embeddingModel: { id: embeddingModelId } });
    const { configuration } = await ada.ask('{ configuration { embeddingModel { id } } }');
    expect(configuration.embeddingModel.id).toBe(embeddingModelId);
  });

  it('refuses what does not exist, cannot embed or cannot be used, and then changes nothing', async () => {
    const ada = await parley.signUp('Ada');
    const foreign = (await stranger.ask('{ profiles { nodes { id } } }')).profiles.nodes[0].id;
    const keyless = await setUp(ada, { name: 'Keyless', kind: 'OPENAI', apiKey: undefined, models: [{ name: 'vec', capabilities: ['EMBEDDING'] }] });
    const before = (await change(ada, {})).workspace;
    for (const [input, expected] of [
      [{ name: ' ' }, { field: ['name'], constraint: 'minLength' }],
      [{ name: 'a\nb' }, { field: ['name'], constraint: 'controlCharacters' }],
      [{ defaultProfileId: foreign }, { __typename: 'NotFoundError', typeName: 'Profile', field: ['defaultProfileId'] }],
      [{ defaultProfileId: 'nonsense' }, { __typename: 'NotFoundError', field: ['defaultProfileId'] }],
      [{ embeddingModelId: 'nonsense' }, { __typename: 'NotFoundError', field: ['embeddingModelId'] }],
      [{ embeddingModelId: modelId('nobody:nothing') }, { __typename: 'NotFoundError', field: ['embeddingModelId'] }],
      [{ embeddingModelId: modelId('openai:gpt-4o') }, { field: ['embeddingModelId'], constraint: 'capability' }],
      [{ embeddingModelId: keyless.models[0].id }, { field: ['embeddingModelId'], constraint: 'available' }],
    ] as const) {
      const { workspace, userErrors } = await change(ada, { name: 'Not kept', ...input });
      expect({ workspace, userErrors }).toMatchObject({ workspace: null, userErrors: [expected] });
    }
    expect((await change(ada, {})).workspace).toEqual(before);
  });
});

describe('profiles', () => {
  const CREATE = 'mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id version { model { id } fallbackModels { id } } } userErrors { message } } }';
  const UPDATE = 'mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { profile { version { number fallbackModels { id } } } userErrors { message } } }';
  const names = (version: Data): string[] => version.fallbackModels.map(({ id }: Data) => Buffer.from(id, 'base64url').toString().replace('Model:openai:', ''));

  it('fall back as the catalog says until somebody chooses, and again when the choice is taken back', async () => {
    const { profile } = (await owner.ask(CREATE, { input: { name: 'Follows', systemPrompt: '' } })).createProfile;
    expect(names(profile.version)).toEqual(['gpt-4o', 'gpt-4', 'gpt-3.5-turbo']);
    const patch = async (change: object): Promise<string[]> => names((await owner.ask(UPDATE, { input: { id: profile.id, patch: change } })).updateProfile.profile.version);
    expect(await patch({ modelId: modelId('openai:gpt-4o') })).toEqual(['gpt-4', 'gpt-3.5-turbo']);
    expect(await patch({ fallbackModelIds: [modelId('openai:gpt-4.1'), modelId('openai:gpt-4o')] })).toEqual(['gpt-4.1']);
    expect(await patch({ temperature: 1 })).toEqual(['gpt-4.1']);
    expect(await patch({ fallbackModelIds: [] })).toEqual([]);
    expect(await patch({ fallbackModelIds: null })).toEqual(['gpt-4', 'gpt-3.5-turbo']);
  });

  it('fall back, where an answer is made again by another model, as the catalog says of that one', async () => {
    const asked: string[] = [];
    const only35 = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      const { model } = JSON.parse(body) as { model: string };
      asked.push(model);
      if (!/^gpt-(3\.5-turbo|4o-mini)$/.test(model)) return void response.writeHead(503).end();
      const chunk = (rest: object): string => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model, choices: [{ index: 0, ...rest }] })}\n\n`;
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${chunk({ delta: { content: `I am ${model}.` } })}${chunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => only35.once('listening', resolve));
    const own = await createTestApp({ OPENAI_API_KEY: operatorKey, OPENAI_BASE_URL: `http://127.0.0.1:${(only35.address() as AddressInfo).port}`, EMBEDDING_MODEL: 'offline:bm25-hash', RETRY_MAX_ATTEMPTS: '1' });
    try {
      const ada = await own.signUp();
      const { viewer: me } = await ada.ask('{ viewer { workspace { defaultProfile { id } } } }');
      const { session } = (await ada.ask('mutation ($id: ID!) { createChatSession(input: { profileId: $id }) { session { id } } }', { id: me.workspace.defaultProfile.id })).createChatSession;
      const ended = async ({ run: { id }, cursor }: Data): Promise<void> => {
        const stream = ada.subscribe('subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { ... on RunUpdated { runStatus run { id } } } }', { s: session.id, a: cursor });
        const { chatEvents } = await stream.until((event) => event.chatEvents.run?.id === id && !['QUEUED', 'RUNNING'].includes(event.chatEvents.runStatus));
        expect(chatEvents).toMatchObject({ runStatus: 'SUCCEEDED' });
      };
      const { sendMessage } = await ada.ask('mutation ($s: ID!) { sendMessage(input: { sessionId: $s, text: "Who are you?", idempotencyKey: "1" }) { run { id } cursor userErrors { message } } }', { s: session.id });
      await ended(sendMessage);
      const { run } = await ada.ask('query ($id: ID!) { run(id: $id) { outputMessage { id text } } }', { id: sendMessage.run.id });
      expect(run.outputMessage.text).toBe('I am gpt-4o-mini.');
      const { regenerateMessage } = await ada.ask('mutation ($input: RegenerateMessageInput!) { regenerateMessage(input: $input) { run { id } cursor userErrors { message } } }', { input: { messageId: run.outputMessage.id, modelId: modelId('openai:gpt-4'), idempotencyKey: '2' } });
      await ended(regenerateMessage);
      const again = (await ada.ask('query ($id: ID!) { run(id: $id) { attempts { model { name } succeeded } outputMessage { text } } }', { id: regenerateMessage.run.id })).run;
      expect(again).toMatchObject({ outputMessage: { text: 'I am gpt-3.5-turbo.' }, attempts: [{ model: { name: 'gpt-4' }, succeeded: false }, { model: { name: 'gpt-3.5-turbo' }, succeeded: true }] });
      // Those of gpt-4o-mini would have been gpt-4o first.
      expect(asked).toEqual(['gpt-4o-mini', 'gpt-4', 'gpt-3.5-turbo']);
    } finally {
      await own.close();
      only35.closeAllConnections();
      only35.close();
    }
  });

  it('of the file are in every new workspace, the first as its default, and no deleted one comes back', async () => {
    const file = configFile((shipped) => ({
      ...shipped,
      profiles: [{ slug: 'tutor', name: 'Tutor', systemPrompt: 'Teach.', temperature: 0, modelId: 'offline:extractive', retrieval: { mode: 'ALWAYS', topK: 3 } }, { slug: 'clerk', name: 'Clerk', description: 'Files.', systemPrompt: 'File.' }],
    }));
    const own = await createTestApp({ CONFIG_FILE: file });
    try {
      const ada = await own.signUp();
      const { viewer: me, profiles } = await ada.ask('{ viewer { workspace { defaultProfile { slug } } } profiles { nodes { slug description version { number createdBy { id } systemPrompt temperature cacheAnswers maxOutputTokens retrieval { mode topK searchMode } } } } }');
      expect(me.workspace.defaultProfile).toEqual({ slug: 'tutor' });
      expect(profiles.nodes).toEqual([
        { slug: 'clerk', description: 'Files.', version: { number: 1, createdBy: null, systemPrompt: 'File.', temperature: 0.2, cacheAnswers: false, maxOutputTokens: 2000, retrieval: { mode: 'AUTO', topK: 6, searchMode: 'HYBRID' } } },
        { slug: 'tutor', description: null, version: { number: 1, createdBy: null, systemPrompt: 'Teach.', temperature: 0, cacheAnswers: true, maxOutputTokens: 2000, retrieval: { mode: 'ALWAYS', topK: 3, searchMode: 'HYBRID' } } },
      ]);
    } finally {
      await own.close();
    }
  });

  it('of the file that break a rule stop the start, which names all of them', async () => {
    const file = configFile((shipped) => ({ ...shipped, profiles: [{ slug: 'a', name: 'A', systemPrompt: '', modelId: 'openai:nothing', retrieval: { chunkSize: 60, chunkOverlap: 30 } }, { slug: 'b', name: 'B', systemPrompt: '', toolNames: ['rm'] }, { slug: 'c', name: 'C', systemPrompt: '', graph: 'ANY' }, { slug: 'd', name: 'D', systemPrompt: '', retrieval: { rerankModelId: 'offline:extractive' } }] }));
    await expect(createTestApp({ CONFIG_FILE: file })).rejects.toThrow(/^5 settings are wrong:\n.*profiles\.0\.modelId: There is no model "openai:nothing".*\n.*profiles\.0\.retrieval\.chunkOverlap.*\n.*profiles\.1\.toolNames\.0.*\n.*profiles\.2\.graph: There is no graph "ANY"\. Graphs: .*TASK_ASSISTANT\..*\n.*profiles\.3\.retrieval\.rerankModelId/);
  });
});

describe('the catalog of a workspace', () => {
  it('is read once and costs no statement after that, nor for a workspace without providers of its own', async () => {
    const ada = await parley.signUp('Ada');
    const ctx = createContext(parley.app, { workspaceId: Buffer.from(ada.workspaceId, 'base64url').toString().split(':')[1] as string });
    expect(await countStatements(() => modelsOf(ctx))).toBe(1);
    expect(await countStatements(async () => { for (let n = 0; n < 10; n++) await modelsOf(ctx); })).toBe(0);
    expect(await modelsOf(ctx)).toBe(parley.app.models);
    await setUp(ada);
    expect(await modelsOf(ctx)).not.toBe(parley.app.models);
    expect(await modelsOf(createContext(parley.app, {}))).toBe(parley.app.models);
  });

  it('does not keep what was read before a change', async () => {
    const ada = await parley.signUp('Ada');
    const ctx = createContext(parley.app, { workspaceId: Buffer.from(ada.workspaceId, 'base64url').toString().split(':')[1] as string });
    const reading = modelsOf(ctx);
    announceProviders(ctx);
    await reading;
    expect(await countStatements(() => modelsOf(ctx))).toBe(1);
    expect(await countStatements(() => modelsOf(ctx))).toBe(0);
  });
});

describe('two instances on one database', () => {
  it.each([['with Redis', true], ['without, a moment later', false]])('see each other\'s changes, %s', async (_title, withRedis) => {
    const postgres = await startPostgres();
    const redis = withRedis ? await startRedis() : null;
    const env = { DATABASE_URL: await postgres.createDatabase('parley'), JWT_SECRET_KEY: 'a secret that both share', CONFIG_FILE: withoutProfiles(), ...nearby, ...(redis && { REDIS_URL: redis.url }) };
    const [one, other] = [await createTestApp(env), await createTestApp(env)];
    try {
      const ada = await one.signUp();
      const there = ada.at({ ...other, leave: async () => undefined });
      expect((await there.ask(LIST)).providers).toHaveLength(4);
      const { id } = await setUp(ada, { name: 'Shared' });
      await expect.poll(() => find(there, id), { timeout: 10_000 }).toMatchObject({ name: 'Shared', isConfigured: true });
      await upsert(there, { id, name: 'Renamed' });
      await expect.poll(async () => (await find(ada, id)).name, { timeout: 10_000 }).toBe('Renamed');
      server.onMessage(/.*/, { content: 'OK' });
      expect((await test(there, { providerId: id })).userErrors).toEqual([]);
      const rush = await Promise.all(Array.from({ length: 20 }, (_, n) => upsert(n % 2 ? ada : there, { name: 'Race' })));
      expect(rush.filter(({ provider }) => provider)).toHaveLength(1);
      expect(rush.filter(({ userErrors }) => userErrors[0]?.code === 'ALREADY_EXISTS' && userErrors[0].existing)).toHaveLength(19);
      await remove(ada, id);
      await expect.poll(() => find(there, id), { timeout: 10_000 }).toBeUndefined();
    } finally {
      await one.close();
      await other.close();
      await redis?.close();
      await postgres.close();
    }
  }, 60_000);
});
