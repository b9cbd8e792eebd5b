// What can be done with providers: a workspace sets up its own, beside the installation's or in place of one of them, changes,
// removes and tests them.
//
// API keys come in and never go out: they are sealed before they are stored, and belong to the address that they were entered
// for. Whoever changes the address has to know the key.
import { HumanMessage, type AIMessageChunk } from '@langchain/core/messages';
import { z } from 'zod';
import { scoped } from '../accounts/scoped.ts';
import { lockWorkspace } from '../accounts/workspace.ts';
import { permit, transactional, type Context } from '../context.ts';
import { adapterOf, unspoken } from '../models/adapters.ts';
import { assertBaseUrl } from '../models/addresses.ts';
import { limitTime } from '../models/calls.ts';
import { finishOf } from '../models/chunks.ts';
import { classifyProviderError, NoAnswerError, ProviderError } from '../models/failures.ts';
import { offline } from '../models/offline.ts';
import { modelCapabilities, type ModelCapability, type ModelInfo, type ProviderAdapter, type ProviderInfo } from '../models/provider.ts';
import { ConflictError, GenericError, NotFoundError, UserErrors, ValidationError, validate } from '../platform/errors.ts';
import { slugOf } from '../text/slug.ts';
import { announceProviders, modelsOf } from './catalog.ts';
import { Provider } from './entity.ts';
import { seal } from './secrets.ts';

/** A provider as a client sends it; what is absent stays as it is. */
export interface ProviderChange {
  /** Null: a new one, whose id is made from its name. */
  readonly id: string | null;
  readonly name: string;
  readonly kind: string;
  /** Null: the usual address of its kind, or that of the provider in whose place it stands. */
  readonly baseUrl?: string | null | undefined;
  /** Null removes it. */
  readonly apiKey?: string | null | undefined;
  readonly models?: readonly ModelChange[] | null | undefined;
}
type ModelChange = z.input<typeof model>;

const maxProviders = 20;
/** What a test call may take. */
const testTimeoutMs = 10_000;
/** Tokens of its answer; some models refuse fewer. */
const testTokens = 16;

const oneLine = (what: string, max: number) =>
  z
    .string()
    .trim()
    .min(1, `The ${what} is empty.`)
    .max(max, `The ${what} has more than ${max} characters.`)
    .refine((text) => !/\p{Cc}/u.test(text) && text.isWellFormed(), { error: `The ${what} has characters that do not belong there. Write it on one line.`, params: { constraint: 'characters' } });
const count = (what: string, max: number) => z.int().min(1, `${what} must be at least 1.`).max(max, `${what} must be at most ${max.toLocaleString('en')}.`).nullish();
const price = (what: string) => z.number().min(0, `${what} must not be less than 0.`).max(1_000_000, `${what} must be at most 1,000,000 dollars.`).nullish();
const model = z.object({
  name: oneLine('name of the model', 200),
  capabilities: z.array(z.enum(modelCapabilities)).min(1, 'The model has no capability. Name at least one.').transform((given) => [...new Set(given)]),
  contextWindow: count('contextWindow', 100_000_000),
  embeddingDimensions: count('embeddingDimensions', 16_000),
  inputPricePerMillion: price('inputPricePerMillion'),
  outputPricePerMillion: price('outputPricePerMillion'),
});
const change = z.object({
  id: z.string().nullable(),
  name: oneLine('name', 100),
  kind: z.string(),
  baseUrl: z.string().trim().nullish(),
  // What a header can carry.
  apiKey: z.string().trim().min(1, 'The API key is empty. Leave it out to keep the present one.').max(2_000, 'The API key has more than 2,000 characters.').regex(/^[\x21-\x7e]*$/, 'The API key has characters that no key has. Copy it again.').nullish(),
  models: z
    .array(model)
    .max(100, 'A provider has at most 100 models.')
    .superRefine((models, context) => {
      models.forEach(({ name }, index) => {
        if (models.findIndex((other) => other.name === name) < index) context.addIssue({ code: 'custom', path: [index, 'name'], message: `The model "${name}" is listed twice. List each once.`, params: { constraint: 'unique' } });
      });
    })
    .nullish(),
});

/** Sets up a provider of the workspace, or changes it; of an installation's provider it makes the workspace's own in its place. */
export async function upsertProvider(ctx: Context, input: ProviderChange): Promise<ProviderInfo> {
  const viewer = permit(ctx, 'CONFIG_WRITE');
  const valid = validate(change, input);
  const adapter = adapterOf(valid.kind);
  if (!adapter || adapter === offline) throw new ValidationError('The offline models are always there and cannot be set up. Choose another kind.', ['kind'], 'kind');
  const baseUrl = valid.baseUrl == null ? valid.baseUrl : await assertBaseUrl(valid.baseUrl, ctx.app.addressRules, ['baseUrl']);
  if (valid.models) refuseUnspoken(adapter, valid.models);
  const key = await transactional(ctx, async (tx) => {
    // One at a time: a key and the address that it was entered for are written together or not at all.
    await lockWorkspace(tx);
    const rows = await scoped(tx, Provider).find({});
    const installed = ctx.app.models.providers();
    const own = valid.id === null ? undefined : rows.find((row) => row.key === valid.id);
    const replaced = installed.find(({ id }) => id === (own?.key ?? valid.id));
    if (valid.id !== null && !own && !replaced) throw new NotFoundError('Provider');
    if (valid.id === offline.kind.toLowerCase()) throw new ValidationError('The offline models are always there and cannot be changed.', ['id'], 'kind');
    const kind = own ? kindOf(own, replaced) : (replaced?.kind ?? valid.kind);
    if (kind !== valid.kind) throw new ValidationError(`This provider is of the kind ${kind}, which cannot change. Set up another one.`, ['kind'], 'immutable');
    const row = own ?? (valid.id === null ? newRow(tx, viewer.workspaceId, keyFor(valid.name, [...installed.map(({ id }) => id), ...rows.map((each) => each.key)]), rows) : newRow(tx, viewer.workspaceId, valid.id, rows));
    const before = own ? addressOf(own, replaced, adapter) : null;
    Object.assign(row, { name: valid.name, kind, revision: row.revision + 1, updatedAt: new Date() });
    if (baseUrl !== undefined) row.baseUrl = baseUrl;
    if (valid.models) row.models = valid.models;
    const after = addressOf(row, replaced, adapter);
    if (after === null) throw new ValidationError(`A provider of the kind ${kind} needs a base URL.`, ['baseUrl'], 'required');
    if (own?.sealedApiKey && after !== before && valid.apiKey === undefined) {
      throw new ValidationError('The API key was entered for another base URL. Enter it again with the new one, or pass null to remove it.', ['apiKey'], 'required');
    }
    if (valid.apiKey !== undefined) row.sealedApiKey = valid.apiKey === null ? null : seal(ctx.app, { workspaceId: row.workspaceId, providerId: row.id }, valid.apiKey);
    if (replaced && adapter.needsKey && !row.sealedApiKey) {
      throw new ValidationError(`${replaced.name} is set up by the operator. To use it in another way the workspace needs an API key of its own.`, ['apiKey'], 'required');
    }
    await tx.em.flush();
    return row.key;
  }).catch((error: unknown) => {
    // A conflict names what another instance may have made just now.
    if (error instanceof ConflictError) announceProviders(ctx);
    throw error;
  });
  announceProviders(ctx);
  ctx.log.info({ event: 'provider', action: 'upsert', providerId: key, workspaceId: viewer.workspaceId, userId: viewer.userId }, 'a provider was set up or changed');
  return await findProvider(ctx, key);
}

/** Removes a provider of the workspace; where it stood in place of the installation's, that one serves again. */
export async function removeProvider(ctx: Context, id: string): Promise<void> {
  const viewer = permit(ctx, 'CONFIG_WRITE');
  const removed = await transactional(ctx, async (tx) => {
    await lockWorkspace(tx);
    return await scoped(tx, Provider).delete().where('key', '=', id).returning('id').executeTakeFirst();
  });
  if (!removed) {
    const installed = ctx.app.models.providers().find((provider) => provider.id === id);
    if (!installed) throw new NotFoundError('Provider');
    throw new ConflictError(`${installed.name} is set up for all workspaces by the operator's configuration file. Ask the operator to remove it there.`, ['id'], { type: 'Provider', id });
  }
  announceProviders(ctx);
  ctx.log.info({ event: 'provider', action: 'remove', providerId: id, workspaceId: viewer.workspaceId, userId: viewer.userId }, 'a provider was removed');
}

/** One tiny call, made once and not repeated; answers the milliseconds that it took. Throws ProviderError. */
export async function testProvider(ctx: Context, { id, modelName }: { id: string; modelName: string | null }, timeoutMs = testTimeoutMs): Promise<{ provider: ProviderInfo; latencyMs: number }> {
  permit(ctx, 'CONFIG_WRITE');
  const provider = await findProvider(ctx, id, ['providerId']);
  const models = await modelsOf(ctx);
  const chosen = testable(models.models().filter((each) => each.providerId === id), provider, modelName);
  const time = limitTime(timeoutMs, ctx.signal);
  const start = performance.now();
  try {
    if (chosen.capabilities.includes('CHAT')) {
      const stream = await time.race(models.chat(chosen.id, { temperature: 0, maxOutputTokens: testTokens }).stream([new HumanMessage('Say OK.')], { signal: time.signal }));
      const chunks = stream[Symbol.asyncIterator]();
      let isOver = false;
      for (let next = await time.race(chunks.next()); next.done !== true; next = await time.race(chunks.next())) isOver ||= finishOf(next.value as AIMessageChunk) !== null;
      if (!isOver) throw new NoAnswerError('The stream ended before the answer did.');
    } else if (chosen.capabilities.includes('EMBEDDING')) {
      await time.race(models.embeddings(chosen.id).embedQuery('OK'));
    } else {
      await time.race(models.reranker(chosen.id).rank('OK', ['OK'], time.signal));
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    const cause = time.signal.aborted ? time.signal.reason : error;
    const failed = new ProviderError(classifyProviderError(cause), { providerId: id, attempts: provider.isConfigured ? 1 : 0, cause });
    ctx.log.warn({ err: failed, modelId: chosen.id }, 'the test of a provider failed');
    throw failed;
  } finally {
    time.end();
  }
  return { provider, latencyMs: Math.round(performance.now() - start) };
}

/** A provider of the workspace's catalog; throws NotFoundError. */
async function findProvider(ctx: Context, id: string, field?: readonly string[]): Promise<ProviderInfo> {
  const found = (await modelsOf(ctx)).providers().find((provider) => provider.id === id);
  if (!found) throw new NotFoundError('Provider', null, field);
  return found;
}

/** The model that is called: the named one, else the first that chats, else the first that embeds or ranks. */
function testable(listed: readonly ModelInfo[], provider: ProviderInfo, modelName: string | null): ModelInfo {
  const able = listed.filter(({ capabilities }) => (['CHAT', 'EMBEDDING', 'RERANK'] as const).some((one) => capabilities.includes(one)));
  const chosen = modelName === null ? (able.find(({ capabilities }) => capabilities.includes('CHAT')) ?? able[0]) : able.find(({ name }) => name === modelName);
  if (chosen) return chosen;
  const message = modelName === null ? `${provider.name} lists no model that chats, embeds or ranks. Add one first.` : `${provider.name} lists no model ${JSON.stringify(modelName.slice(0, 200))} that chats, embeds or ranks. Choose one of its models.`;
  throw new ValidationError(message, ['modelName'], 'exists');
}

/** Throws ValidationError for models that this kind of provider has no words for. */
function refuseUnspoken(adapter: ProviderAdapter, models: readonly { readonly capabilities: readonly ModelCapability[] }[]): void {
  const faults = models.flatMap(({ capabilities }, index) => {
    const lacking = unspoken(adapter, capabilities);
    return lacking ? [new ValidationError(`Providers of the kind ${adapter.kind} have no models for ${lacking}. Remove the model or the capability.`, ['models', String(index), 'capabilities'], 'capability')] : [];
  });
  if (faults.length > 0) throw new UserErrors(faults);
}

function newRow(tx: Context, workspaceId: string, key: string, rows: readonly Provider[]): Provider {
  if (rows.length >= maxProviders) throw new GenericError('LIMIT_EXCEEDED', `A workspace has at most ${maxProviders} providers of its own. Remove one first.`);
  return tx.em.create(Provider, { workspaceId, key, name: '', kind: '', baseUrl: null, sealedApiKey: null, models: null, revision: 0 });
}

/** The id that a name makes; throws ALREADY_EXISTS when it is taken. */
function keyFor(name: string, taken: readonly string[]): string {
  const key = slugOf(name, 40) || 'provider';
  if (!taken.includes(key)) return key;
  throw new ConflictError(`There is a provider "${key}" already. Pass its id to change it, or choose another name.`, ['name'], { type: 'Provider', id: key }, 'ALREADY_EXISTS');
}

/** One that follows the installation's address is spoken to as that one. */
function kindOf(row: Provider, replaced: ProviderInfo | undefined): string {
  return replaced && row.baseUrl == null ? replaced.kind : row.kind;
}

function addressOf(row: Provider, replaced: ProviderInfo | undefined, adapter: ProviderAdapter): string | null {
  return row.baseUrl ?? replaced?.baseUrl ?? adapter.usualUrl;
}
