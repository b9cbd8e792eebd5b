// What config/config.json may say and what becomes of it, together with the environment.
import { Validator, type Schema } from '@cfworker/json-schema';
import { readFileSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createModels } from '../../src/models/catalog.ts';
import { installationJsonSchema, type InstallationFile } from '../../src/models/installation-file.ts';
import { readInstallation, withOwnProviders, type OwnProvider } from '../../src/models/installation.ts';
import { ConfigError, loadConfig } from '../../src/platform/config.ts';
import { configFile } from '../support/installation.ts';
import { modelParts } from '../support/model-parts.ts';

const shipped = JSON.parse(readFileSync(new URL('../../config/config.json', import.meta.url), 'utf8')) as InstallationFile;
const read = (env: Record<string, string> = {}) => readInstallation(loadConfig({ NODE_ENV: 'test', ...env }));
/** Reads a file of its own. */
const readFile = (change: (file: any) => object, env: Record<string, string> = {}) => read({ CONFIG_FILE: configFile(change), ...env });

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map((fault) => fault.slice(fault.indexOf('config.json: ') + 'config.json: '.length));
    throw error;
  }
  return [];
}

const server = { id: 'mine', name: 'Mine', kind: 'OPENAI_COMPATIBLE', baseUrl: 'http://localhost:11434/v1', models: [{ name: 'llama3:8b', capabilities: ['CHAT'] }] };
const plain = (change: object = {}): object => ({ defaults: { chatModels: [], embeddingModels: [] }, providers: [server], ...change });

describe('the shipped file', () => {
  it('has the JSON Schema that is printed from the program, and follows it', () => {
    const text = readFileSync(new URL('../../config/config.schema.json', import.meta.url), 'utf8');
    expect(text).toBe(installationJsonSchema());
    const schema = new Validator(JSON.parse(text) as Schema, '2020-12', false);
    expect(schema.validate(shipped).errors).toEqual([]);
    expect(schema.validate({ ...shipped, providers: [{ ...shipped.providers[0], apiKey: 'sk-literal' }] }).valid).toBe(false);
    expect(shipped.$schema).toBe('./config.schema.json');
  });

  it('falls back from gpt-4o to gpt-4 to gpt-3.5-turbo', () => {
    const models = createModels(read(), modelParts());
    const chain = (id: string) => models.find(id)?.fallbacks.map((fallback) => fallback.replace('openai:', ''));
    expect([chain('openai:gpt-4o-mini'), chain('openai:gpt-4o'), chain('openai:gpt-4')]).toEqual([['gpt-4o', 'gpt-4', 'gpt-3.5-turbo'], ['gpt-4', 'gpt-3.5-turbo'], ['gpt-3.5-turbo']]);
  });

  it('gives every model a context and a price, and every embedding model its size', () => {
    for (const { models } of shipped.providers) {
      for (const model of models) {
        expect(model, model.name).toMatchObject({ contextWindow: expect.any(Number), inputPricePerMillion: expect.any(Number), outputPricePerMillion: expect.any(Number) });
        if (model.capabilities.includes('EMBEDDING')) expect(model.embeddingDimensions).toBeGreaterThan(0);
      }
    }
  });

  it('holds no secret, and neither does what is printed of the configuration', () => {
    const env = { LLM_API_KEY: 'sk-first-0123456789', OPENAI_API_KEY: 'sk-second-0123456789' };
    expect(read(env).providers[0]?.apiKey).toBe('sk-first-0123456789');
    expect(read({ OPENAI_API_KEY: env.OPENAI_API_KEY }).providers[0]?.apiKey).toBe('sk-second-0123456789');
    expect(inspect(createModels(read(env), modelParts()), { depth: 20, showHidden: true })).not.toMatch(/sk-(first|second)/);
  });

  it('becomes a compatible server, under the same id, at another address than OpenAI\'s', () => {
    for (const address of ['https://api.openai.com/v1', 'https://api.openai.com/v1/']) expect(read({ OPENAI_BASE_URL: address }).providers[0]).toMatchObject({ id: 'openai', kind: 'OPENAI', name: 'OpenAI' });
    expect(read({ OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' }).providers[0]).toMatchObject({ id: 'openai', kind: 'OPENAI_COMPATIBLE', name: 'OpenAI-compatible', baseUrl: 'http://127.0.0.1:1/v1' });
  });
});

describe('the chosen models', () => {
  const two = (file: any): object => ({ ...file, providers: [...file.providers, server] });
  it.each([
    ['with their provider', 'mine:llama3:8b', 'mine:llama3:8b'],
    ['without, where a provider lists them', 'llama3:8b', 'mine:llama3:8b'],
    ['of OpenAI, where nobody does', 'gpt-9', 'openai:gpt-9'],
    ['of a provider that does not list them', 'mine:qwen:4b', 'mine:qwen:4b'],
    ['of a vendor by how they begin', 'claude-9', 'anthropic:claude-9'],
    ['of another', 'gemini-9-flash', 'gemini:gemini-9-flash'],
    ['of a vendor by its usual name', 'google:gemini-2.5-pro', 'gemini:gemini-2.5-pro'],
    ['of the offline provider', 'offline:extractive', 'offline:extractive'],
  ])('are taken %s', (_title, given, id) => {
    const installation = readFile(two, { LLM_MODEL: given, OPENAI_API_KEY: 'key', ANTHROPIC_API_KEY: 'key', GOOGLE_API_KEY: 'key' });
    expect(installation.chatModelIds).toEqual([id]);
    expect(createModels(installation, modelParts()).defaultChatModelId).toBe(id);
  });

  it('are refused where nobody can have them or they cannot do it', () => {
    expect(faultsOf(() => readFile((file) => file, { LLM_MODEL: 'offline:other', EMBEDDING_MODEL: 'openai:gpt-4o' }))).toEqual([
      'LLM_MODEL names the model "offline:other", which no provider lists. Write it as provider:name, or list it.',
      'EMBEDDING_MODEL names the model "openai:gpt-4o", which lacks the capability EMBEDDING. Name another.',
    ]);
    expect(faultsOf(() => readFile(() => plain(), { LLM_MODEL: 'gpt-9' }))).toEqual([expect.stringContaining('"gpt-9", which no provider lists')]);
  });

  it('are those of the first vendor that has a key: OpenAI, Anthropic, Google', () => {
    const defaultsOf = (env: Record<string, string>): string[] => {
      const { defaultChatModelId, defaultEmbeddingModelId } = createModels(read(env), modelParts());
      return [defaultChatModelId, defaultEmbeddingModelId];
    };
    const [OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY] = ['key', 'key', 'key'];
    expect(defaultsOf({ OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY })).toEqual(['openai:gpt-4o-mini', 'openai:text-embedding-3-small']);
    expect(defaultsOf({ ANTHROPIC_API_KEY, GOOGLE_API_KEY })).toEqual(['anthropic:claude-haiku-4-5', 'gemini:gemini-embedding-001']);
    expect(defaultsOf({ GOOGLE_API_KEY })).toEqual(['gemini:gemini-2.0-flash', 'gemini:gemini-embedding-001']);
    expect(defaultsOf({ ANTHROPIC_API_KEY })).toEqual(['anthropic:claude-haiku-4-5', 'offline:bm25-hash']);
    expect(read({ ANTHROPIC_BASE_URL: 'https://a.example', GOOGLE_BASE_URL: 'https://g.example' }).providers).toMatchObject([{ id: 'openai' }, { kind: 'ANTHROPIC', baseUrl: 'https://a.example' }, { kind: 'GEMINI', baseUrl: 'https://g.example' }]);
  });

  it('are, without a choice, the first of the file whose provider is configured', () => {
    const file = (): object => ({ ...shipped, defaults: { chatModels: ['openai:gpt-4o', 'mine:llama3:8b'], embeddingModels: [] }, providers: [...shipped.providers, server] });
    const defaultOf = (env: Record<string, string>) => createModels(readFile(file, env), modelParts()).defaultChatModelId;
    expect([defaultOf({ OPENAI_API_KEY: 'key' }), defaultOf({})]).toEqual(['openai:gpt-4o', 'mine:llama3:8b']);
  });
});

describe('what a file refuses', () => {
  const withProvider = (change: object) => plain({ providers: [{ ...server, ...change }] });
  const cases: [string, object, string[]][] = [
    ['a field that nobody knows', plain({ provider: [], models: [] }), ['the file has a field "provider" that nobody knows. Correct its name or remove it.', 'the file has a field "models" that nobody knows. Correct its name or remove it.']],
    ['such a field further down', withProvider({ key: 1 }), ['providers.0 has a field "key" that nobody knows. Correct its name or remove it.']],
    ['an embedding model of a vendor that has none', withProvider({ kind: 'ANTHROPIC', models: [{ name: 'e', capabilities: ['EMBEDDING'] }] }), ['providers.0.models.0.capabilities names EMBEDDING, which providers of the kind ANTHROPIC do not have. Remove it.']],
    ['no providers', { defaults: { chatModels: [], embeddingModels: [] } }, ['providers: Invalid input: expected array, received undefined.']],
    ['a kind that no adapter speaks', withProvider({ kind: 'TELEX' }), [expect.stringMatching(/^providers\.0\.kind: must be one of ANTHROPIC, .*OPENAI_COMPATIBLE\.$/) as unknown as string]],
    ['the offline models', withProvider({ kind: 'OFFLINE' }), [expect.stringMatching(/^providers\.0\.kind: must be one of ANTHROPIC, .*OPENAI_COMPATIBLE\.$/) as unknown as string]],
    ['a second provider of an id', plain({ providers: [server, server] }), ['providers.1.id is "mine", as is an earlier one. Give each provider its own.']],
    ['the id of the offline provider', withProvider({ id: 'offline' }), ['providers.0.id is "offline", as is an earlier one. Give each provider its own.']],
    ['an id with capitals', withProvider({ id: 'Mine' }), [expect.stringContaining('providers.0.id: must consist of lower-case letters') as unknown as string]],
    ['a model twice', withProvider({ models: [server.models[0], server.models[0]] }), ['providers.0.models.1.name is "llama3:8b", as is an earlier one. Give each model its own.']],
    ['a model that can do nothing', withProvider({ models: [{ name: 'x', capabilities: [] }] }), ['providers.0.models.0.capabilities: is empty: a model can do something.']],
    ['a negative price', withProvider({ models: [{ ...server.models[0], inputPricePerMillion: -1 }] }), ['providers.0.models.0.inputPricePerMillion: must not be less than 0.']],
    ['half a token of context', withProvider({ models: [{ ...server.models[0], contextWindow: 0.5 }] }), [expect.stringContaining('providers.0.models.0.contextWindow: ') as unknown as string]],
    ['a default that nobody lists', plain({ defaults: { chatModels: ['mine:x'], embeddingModels: ['mine:llama3:8b'] } }), ['defaults.chatModels.0 names "mine:x", which no provider lists. List it there or name another.', 'defaults.embeddingModels.0 names "mine:llama3:8b", which lacks the capability EMBEDDING. Name another.']],
    ['a fallback that nobody lists, and the model itself', withProvider({ models: [{ ...server.models[0], fallbacks: ['mine:x', 'mine:llama3:8b'] }] }), ['providers.0.models.0.fallbacks.0 names "mine:x", which no provider lists. List it there or name another.', 'providers.0.models.0.fallbacks names the model itself. Remove it.']],
    ['an address of another protocol', withProvider({ baseUrl: 'ftp://x/' }), [expect.stringContaining('providers.0.baseUrl: must be an address that starts with http:// or https://') as unknown as string]],
    ['an address with a password', withProvider({ baseUrl: 'https://ada:hunter2@llm.example/v1' }), ['providers.0.baseUrl holds a user name or password (not shown). Take it out of the address; a key belongs in apiKey.']],
    ['an address with a query', withProvider({ baseUrl: 'https://llm.example/v1?key=x' }), ['providers.0.baseUrl has a query or a fragment. Remove what follows the path.']],
    ['a profile twice', plain({ profiles: [{ slug: 'a', name: 'A', systemPrompt: '' }, { slug: 'a', name: 'B', systemPrompt: '' }] }), ['profiles.1.slug is "a", as is an earlier one. Give each profile its own.']],
  ];
  it.each(cases)('%s', (_title, file, faults) => {
    expect(faultsOf(() => readFile(() => file))).toEqual(faults);
  });

  it('a literal key, without showing it', () => {
    for (const apiKey of ['sk-hunter2-0123456789', '$OPENAI_API_KEY', '${sk-hunter2}', 'prefix ${KEY}', '']) {
      const faults = faultsOf(() => readFile(() => withProvider({ apiKey })));
      expect(faults).toEqual([expect.stringContaining('providers.0.apiKey: must be a reference to a variable')]);
      expect(faults.join()).not.toContain('hunter2');
    }
  });

  it('all that is wrong at once, each with the file and the path', () => {
    const error = (() => {
      try {
        return readFile(() => withProvider({ id: '', kind: 'X', apiKey: 'sk-hunter2', models: [{ name: '', capabilities: ['FLY'] }] }));
      } catch (thrown) {
        return thrown as ConfigError;
      }
    })() as ConfigError;
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.faults).toHaveLength(5);
    expect(error.message).toMatch(/^5 settings are wrong:\n {2}- .*config\.json: providers\.0\.id/);
    expect(error.message).not.toContain('hunter2');
  });

  it('what is no JSON, without quoting it', () => {
    const path = configFile(() => ({}));
    writeFileSync(path, '{ "apiKey": "sk-hunter2",\n oops }');
    expect(faultsOf(() => read({ CONFIG_FILE: path }))).toEqual([expect.stringMatching(/^it is not JSON; the fault is at line 2 column \d+\.$/)]);
  });

  it('to be absent', () => {
    expect(() => read({ CONFIG_FILE: '/nowhere/config.json' })).toThrow(/\/nowhere\/config\.json: the file cannot be read \(ENOENT\)\. Correct CONFIG_FILE/);
  });

  it('a variable with an address that is none, and a key that no header can carry', () => {
    expect(faultsOf(() => readFile(() => withProvider({ baseUrl: '${WHERE}', apiKey: '${A|B}' }), { WHERE: 'nowhere', B: 'a\u0007b' }))).toEqual([
      'providers.0.apiKey refers to a value with control characters (not shown). Copy the key again.',
      'providers.0.baseUrl refers to ${WHERE}, which is not an address that starts with http:// or https://. Correct it.',
    ]);
  });
});

describe('a variable that is not set', () => {
  it('leaves its provider not configured, and is no fault', () => {
    const file = (): object => plain({ providers: [...shipped.providers, { ...server, baseUrl: '${NOWHERE}' }] });
    const providers = createModels(readFile(file, { OPENAI_API_KEY: '  ' }), modelParts()).providers();
    expect(Object.fromEntries(providers.map(({ id, isConfigured }) => [id, isConfigured]))).toMatchObject({ offline: true, openai: false, mine: false });
  });
});

describe("a workspace's own provider", () => {
  const installation = read({ OPENAI_API_KEY: 'sk-operator' });
  const own = (change: Partial<OwnProvider> = {}): OwnProvider => ({ id: 'openai', name: 'Ours', kind: 'OPENAI', baseUrl: null, apiKey: 'sk-ours', models: null, isDisabled: false, ...change });
  const openai = (change: Partial<OwnProvider>) => withOwnProviders(installation, [own(change)]).providers.find(({ id }) => id === 'openai');

  it('stands in place of the one of its id, with its models and address unless it has its own', () => {
    expect(openai({})).toMatchObject({ name: 'Ours', apiKey: 'sk-ours', owner: 'WORKSPACE', addressOwner: 'INSTALLATION', models: installation.providers[0]?.models });
    expect(openai({ baseUrl: 'https://x.example', models: [{ name: 'gpt-4o', capabilities: ['CHAT'] }] })).toMatchObject({
      baseUrl: 'https://x.example', addressOwner: 'WORKSPACE', models: [{ name: 'gpt-4o', fallbacks: ['openai:gpt-4', 'openai:gpt-3.5-turbo'] }],
    });
  });

  it("never gets the operator's key, wherever it points", () => {
    for (const change of [{}, { baseUrl: 'https://evil.example' }, { kind: 'OPENAI_COMPATIBLE' }]) expect(openai({ ...change, apiKey: null })?.apiKey).toBeNull();
  });

  it('leaves a default model that it does not list out, and answers where there is nothing but the offline model', () => {
    const catalog = (env: Record<string, string>, provider: OwnProvider) => createModels(withOwnProviders(read(env), [provider]), modelParts());
    expect(catalog({ OPENAI_API_KEY: 'sk' }, own({ models: [{ name: 'x', capabilities: ['CHAT'] }] })).defaultChatModelId).toBe('openai:x');
    const mine = own({ id: 'mine', kind: 'OPENAI_COMPATIBLE', baseUrl: 'https://x.example', models: [{ name: 'e', capabilities: ['EMBEDDING'] }, { name: 'x', capabilities: ['CHAT'] }] });
    expect(catalog({}, mine).defaultChatModelId).toBe('mine:x');
    expect(catalog({ OPENAI_API_KEY: 'sk' }, mine).defaultChatModelId).toBe('openai:gpt-4o-mini');
    expect(catalog({}, { ...mine, isDisabled: true })).toMatchObject({ defaultChatModelId: 'offline:extractive' });
  });
});
