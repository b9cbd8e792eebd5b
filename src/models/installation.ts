// The installation's providers, default models and default profiles: what config/config.json lists, with what the environment
// says put in. It is read at every start and nothing of it is stored, so that a start cannot double anything.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigError, type Config } from '../platform/config.ts';
import { adapterOf, unspoken } from './adapters.ts';
import { installationFile, type FileProfile, type FileProvider, type InstallationFile } from './installation-file.ts';
import { offlineProvider } from './offline.ts';
import { openai, openaiCompatible } from './openai.ts';
import type { ModelCapability, ModelSettings, ProviderSettings } from './provider.ts';

/** What a catalog is made of. */
export interface Installation {
  readonly providers: readonly ProviderSettings[];
  /** Ids of the models used where nothing else is chosen, the first of each that can be used. */
  readonly chatModelIds: readonly string[];
  readonly embeddingModelIds: readonly string[];
}

/** The installation, and the profiles that its workspaces start with. */
export interface ReadInstallation extends Installation {
  readonly profiles: readonly FileProfile[];
  /** Where it was read, for messages. */
  readonly file: string;
}

type Settings = Pick<Config, 'configFile' | 'variable'> & { readonly models: Pick<Config['models'], 'chatModel' | 'embeddingModel'> };

/** The file that the program brings. */
const shippedFile = fileURLToPath(new URL('../../config/config.json', import.meta.url));

/** Reads the file and the variables that it refers to; throws ConfigError with every fault and its path. */
export function readInstallation({ configFile, variable, models: { chatModel, embeddingModel } }: Settings): ReadInstallation {
  const file = configFile ?? shippedFile;
  const faults: string[] = [];
  const given = parse(file);
  faults.push(...contradictions(given));
  const providers = given.providers.map((provider, index) => resolve(provider, `providers.${index}`, variable, faults));
  const chat = chosen(chatModel, 'LLM_MODEL', ['CHAT', 'STREAMING', 'TOOLS'], providers, faults);
  const embedding = chosen(embeddingModel, 'EMBEDDING_MODEL', ['EMBEDDING'], providers, faults);
  if (faults.length > 0) throw faulty(file, faults);
  return {
    file,
    providers,
    chatModelIds: chat === null ? given.defaults.chatModels : [chat],
    embeddingModelIds: embedding === null ? given.defaults.embeddingModels : [embedding],
    profiles: given.profiles ?? [],
  };
}

/** A ConfigError about the file, one fault per entry. */
export function faulty(file: string, faults: readonly string[]): ConfigError {
  return new ConfigError(faults.map((fault) => `${file}: ${fault}`));
}

function parse(file: string): InstallationFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw faulty(file, [`the file cannot be read (${(error as NodeJS.ErrnoException).code}). Correct CONFIG_FILE, or remove it to use the file that the program brings.`]);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // The message of the parser quotes the file, in which somebody may have put a key.
    const [where = 'somewhere'] = /line \d+ column \d+/.exec((error as Error).message) ?? [];
    throw faulty(file, [`it is not JSON; the fault is at ${where}.`]);
  }
  const read = installationFile.safeParse(json);
  if (read.success) return read.data;
  throw faulty(file, read.error.issues.flatMap((issue) => {
    const path = issue.path.join('.') || 'the file';
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${path} has a field ${JSON.stringify(key.slice(0, 80))} that nobody knows. Correct its name or remove it.`);
    // zod's own sentences begin with a capital and repeat no value.
    return [`${path}: ${issue.message}.`];
  }));
}

/** Rules across entries. */
function contradictions({ providers, defaults, profiles = [] }: InstallationFile): string[] {
  const faults: string[] = [];
  const capabilities = new Map<string, readonly ModelCapability[]>(offlineProvider.models.map((model) => [`${offlineProvider.id}:${model.name}`, model.capabilities]));
  const unique = (names: readonly string[], path: (index: number) => string, what: string): void =>
    names.forEach((name, index) => {
      if (names.indexOf(name) < index) faults.push(`${path(index)} is "${name}", as is an earlier one. Give each ${what} its own.`);
    });
  unique([offlineProvider.id, ...providers.map(({ id }) => id)], (index) => `providers.${index - 1}.id`, 'provider');
  unique(profiles.map(({ slug }) => slug), (index) => `profiles.${index}.slug`, 'profile');
  for (const [index, { id, kind, models }] of providers.entries()) {
    models.forEach((model, at) => {
      const lacking = unspoken(adapterOf(kind), model.capabilities);
      if (lacking) faults.push(`providers.${index}.models.${at}.capabilities names ${lacking}, which providers of the kind ${kind} do not have. Remove it.`);
    });
    unique(models.map(({ name }) => name), (model) => `providers.${index}.models.${model}.name`, 'model');
    for (const model of models) capabilities.set(`${id}:${model.name}`, model.capabilities);
  }
  const known = (ids: readonly string[], path: string, capability: ModelCapability): void =>
    ids.forEach((id, index) => {
      if (!capabilities.has(id)) faults.push(`${path}.${index} names "${id}", which no provider lists. List it there or name another.`);
      else if (!capabilities.get(id)?.includes(capability)) faults.push(`${path}.${index} names "${id}", which lacks the capability ${capability}. Name another.`);
    });
  known(defaults.chatModels, 'defaults.chatModels', 'CHAT');
  known(defaults.embeddingModels, 'defaults.embeddingModels', 'EMBEDDING');
  for (const [index, { id, models }] of providers.entries()) {
    for (const [at, { name, fallbacks = [] }] of models.entries()) {
      const path = `providers.${index}.models.${at}.fallbacks`;
      known(fallbacks, path, 'CHAT');
      unique(fallbacks, (fallback) => `${path}.${fallback}`, 'place');
      if (fallbacks.includes(`${id}:${name}`)) faults.push(`${path} names the model itself. Remove it.`);
    }
  }
  return faults;
}

/** A provider with the values of the variables that it refers to. */
function resolve({ id, name, kind, baseUrl: address, apiKey, models }: FileProvider, path: string, variable: Settings['variable'], faults: string[]): ProviderSettings {
  const baseUrl = valueOf(address, variable);
  const key = valueOf(apiKey, variable);
  if (key && /\p{Cc}/u.test(key)) faults.push(`${path}.apiKey refers to a value with control characters (not shown). Copy the key again.`);
  const fault = baseUrl === null ? null : addressFault(baseUrl);
  if (fault) faults.push(`${path}.baseUrl${address?.startsWith('$') ? ` refers to ${address}, which` : ''} ${fault}`);
  // Whoever speaks OpenAI's protocol elsewhere differs in what it demands and reports.
  const isElsewhere = kind === openai.kind && baseUrl !== null && fault === null && new URL(baseUrl).host !== new URL(openai.usualUrl as string).host;
  return {
    id,
    name: isElsewhere ? `${name}-compatible` : name,
    kind: isElsewhere ? openaiCompatible.kind : kind,
    baseUrl,
    apiKey: key,
    owner: 'INSTALLATION',
    models: models as ModelSettings[],
  };
}

/** A value, or that of the first variable of "${A|B}" that is set; null where none is. */
function valueOf(value: string | undefined, variable: Settings['variable']): string | null {
  if (!value?.startsWith('${')) return value ?? null;
  for (const name of value.slice(2, -1).split('|')) {
    const found = variable(name);
    if (found !== null) return found;
  }
  return null;
}

function addressFault(address: string): string | null {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) return 'is not an address that starts with http:// or https://. Correct it.';
  const { username, password, search, hash } = new URL(address);
  if (username || password) return 'holds a user name or password (not shown). Take it out of the address; a key belongs in apiKey.';
  return search || hash ? 'has a query or a fragment. Remove what follows the path.' : null;
}

/** What else the provider of a model may be called. */
const otherNames: Readonly<Record<string, string>> = { google: 'gemini' };

/**
 * The id of the model that a variable chooses, listed if it was not; null when it chooses none. A bare name belongs to the
 * provider that lists it, else to the vendor whose names begin so, else to `openai`; in "llama3:8b" the colon is of the name.
 */
function chosen(given: string | null, variable: string, capabilities: readonly ModelCapability[], providers: ProviderSettings[], faults: string[]): string | null {
  if (!given) return null;
  const all = [offlineProvider, ...providers];
  const find = (id: string): ProviderSettings | undefined => all.find((provider) => provider.id === id);
  const [, prefix = '', rest = ''] = /^([^:]+):(.+)$/.exec(given) ?? [];
  const named = find(prefix) ?? find(otherNames[prefix] ?? '');
  const name = named ? rest : given;
  const vendor = name.startsWith('claude-') ? 'ANTHROPIC' : /^(?:gemini|text-embedding-00\d)/.test(name) ? 'GEMINI' : null;
  const provider = named ?? all.find(({ models }) => models.some((model) => model.name === name)) ?? all.find(({ kind }) => kind === vendor) ?? find('openai');
  const listed = provider?.models.find((model) => model.name === name);
  const purpose = capabilities[0] as ModelCapability;
  if (!provider || (provider === offlineProvider && !listed)) {
    faults.push(`${variable} names the model "${given}", which no provider lists. Write it as provider:name, or list it.`);
    return null;
  }
  if (listed && !listed.capabilities.includes(purpose)) {
    faults.push(`${variable} names the model "${given}", which lacks the capability ${purpose}. Name another.`);
    return null;
  }
  if (!listed) providers[providers.indexOf(provider)] = { ...provider, models: [...provider.models, { name, capabilities }] };
  return `${provider.id}:${name}`;
}

/** A provider that a workspace has set up. */
export interface OwnProvider {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  /** Null: the address of the installation's provider of this id, else the usual one of its kind. */
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  /** Null: the models of the installation's provider of this id. */
  readonly models: readonly ModelSettings[] | null;
  readonly isDisabled: boolean;
}

/**
 * The installation as a workspace sees it: its own providers stand beside the others, or in place of the one of the same id.
 * A key goes only where its owner wants it: an own provider never gets the installation's.
 */
export function withOwnProviders(installation: Installation, own: readonly OwnProvider[]): Installation {
  const mine = new Map(own.map((provider) => [provider.id, ownSettings(provider, installation.providers.find(({ id }) => id === provider.id))]));
  const providers = [...installation.providers.map((provider) => mine.get(provider.id) ?? provider), ...[...mine.values()].filter(({ id }) => !installation.providers.some((other) => other.id === id))];
  const listed = new Set([offlineProvider, ...providers].flatMap(({ id, models }) => models.map(({ name }) => `${id}:${name}`)));
  // Where the installation has nothing but the offline model, a provider that the workspace went to the trouble of setting up answers.
  const first = [...mine.values()].flatMap(({ id, models }) => models.filter(({ capabilities }) => capabilities.includes('CHAT')).slice(0, 1).map(({ name }) => `${id}:${name}`));
  return {
    providers,
    chatModelIds: [...installation.chatModelIds, ...first].filter((id) => listed.has(id)),
    embeddingModelIds: installation.embeddingModelIds.filter((id) => listed.has(id)),
  };
}

function ownSettings({ id, name, kind, baseUrl, apiKey, models, isDisabled }: OwnProvider, replaced: ProviderSettings | undefined): ProviderSettings {
  const follows = baseUrl === null && replaced !== undefined;
  const fallbacks = new Map(replaced?.models.map((model) => [model.name, model.fallbacks]));
  return {
    id,
    name,
    kind: follows ? replaced.kind : kind,
    baseUrl: follows ? replaced.baseUrl : baseUrl,
    apiKey,
    owner: 'WORKSPACE',
    // The operator chose it, so that it may lie inside.
    addressOwner: follows ? 'INSTALLATION' : 'WORKSPACE',
    isDisabled,
    models: models?.map((model) => ({ ...model, fallbacks: model.fallbacks ?? fallbacks.get(model.name) ?? [] })) ?? replaced?.models ?? [],
  };
}
