// The models that a workspace can use: the offline ones, the installation's, and those of its own providers. Asked on every hot
// path, so that what was read is kept: a message says that something has changed, and where messages may be lost, a look at the
// rows every two seconds does.
import { LRUCache } from 'lru-cache';
import { scoped } from '../accounts/scoped.ts';
import type { App, Context } from '../context.ts';
import type { Models } from '../models/catalog.ts';
import { openaiCompatible } from '../models/openai.ts';
import type { ModelInfo, ProviderInfo } from '../models/provider.ts';
import { topic } from '../platform/bus.ts';
import { Provider } from './entity.ts';
import { unseal } from './secrets.ts';

/** The providers of a workspace have changed. */
const providersChanged = topic<{ readonly workspaceId: string }>('providers.changed');
const everyInstance = 'all';
/** Other instances see a change after so long at the latest. The embedded database has no others. */
const checkEveryMs = 2_000;
const keptWorkspaces = 1_000;

interface Known {
  readonly models: Models;
  /** Of providers that cannot be used as they are stored, what to do, by their ids. */
  readonly faults: ReadonlyMap<string, string>;
  /** Names the rows that it was made of. */
  readonly stamp: string;
  checkedAt: number;
}

interface Kept {
  readonly workspaces: LRUCache<string, Known>;
  /** Counts changes: what was read before one is not kept after it. */
  changes: number;
}

const kept = new WeakMap<App, Kept>();

/** The catalog of the context's workspace; for guests that of the installation. In a transaction it reads by that one only. */
export async function modelsOf(ctx: Context): Promise<Models> {
  return ctx.workspaceId === null ? ctx.app.models : (await known(ctx, ctx.workspaceId)).models;
}

/** Why a provider of the workspace cannot be used as it is stored, and what to do; null when it can. */
export async function faultOf(ctx: Context, providerId: string): Promise<string | null> {
  return ctx.workspaceId === null ? null : ((await known(ctx, ctx.workspaceId)).faults.get(providerId) ?? null);
}

/** Makes all instances read the workspace's providers again; after commit. */
export function announceProviders({ app, workspaceId }: Context): void {
  if (workspaceId === null) return;
  forget(app, workspaceId);
  app.bus.publish(providersChanged, everyInstance, { workspaceId });
}

/** Hears what other instances change; returns its own ending. */
export function followProviderChanges(app: App): Promise<() => Promise<void>> {
  return app.bus.subscribe(providersChanged, everyInstance, ({ workspaceId }) => forget(app, workspaceId));
}

/** What is left to say of a model that is no longer in the catalog: what was made with it still names it. */
export function retired(id: string): ModelInfo {
  const [providerId = '', ...name] = id.split(':');
  return {
    id, name: name.join(':'), providerId, capabilities: [], contextWindow: null, embeddingDimensions: null,
    inputPricePerMillion: null, outputPricePerMillion: null, fallbacks: [], isAvailable: false,
  };
}

/** The same for a provider. Nobody knows any more how it was spoken to. */
export function retiredProvider(id: string): ProviderInfo {
  return { id, name: id, kind: openaiCompatible.kind, baseUrl: null, isConfigured: false, owner: 'INSTALLATION' };
}

function keptOf(app: App): Kept {
  let mine = kept.get(app);
  if (!mine) kept.set(app, (mine = { workspaces: new LRUCache({ max: keptWorkspaces }), changes: 0 }));
  return mine;
}

function forget(app: App, workspaceId: string): void {
  const mine = keptOf(app);
  mine.changes++;
  mine.workspaces.delete(workspaceId);
}

/**
 * Everybody who finds nothing reads for themselves: to wait for another's statement inside a transaction of the embedded
 * database would be to wait for oneself.
 */
async function known(ctx: Context, workspaceId: string): Promise<Known> {
  const { app } = ctx;
  const mine = keptOf(app);
  const found = mine.workspaces.get(workspaceId);
  const now = performance.now();
  if (found && (app.database.kind === 'pglite' || now - found.checkedAt < checkEveryMs)) return found;
  const { changes } = mine;
  const rows = (await scoped(ctx, Provider).select().selectAll().orderBy('key').execute()) as Provider[];
  const stamp = rows.map(({ id, revision }) => `${id} ${revision}`).join();
  if (found?.stamp === stamp) {
    found.checkedAt = now;
    return found;
  }
  const read: Known = { ...catalogOf(app, workspaceId, rows), stamp, checkedAt: now };
  if (mine.changes === changes) mine.workspaces.set(workspaceId, read);
  return read;
}

function catalogOf(app: App, workspaceId: string, rows: readonly Provider[]): Pick<Known, 'models' | 'faults'> {
  const faults = new Map<string, string>();
  if (rows.length === 0) return { models: app.models, faults };
  const own = rows.map(({ id, key, name, kind, baseUrl = null, sealedApiKey, models = null }) => {
    const apiKey = sealedApiKey ? unseal(app, { workspaceId, providerId: id }, sealedApiKey) : null;
    if (sealedApiKey && apiKey === null) faults.set(key, 'The stored API key cannot be read any more, since the secret of the installation has changed. Enter the key again.');
    return { id: key, name, kind, baseUrl, apiKey, models, isDisabled: faults.has(key) };
  });
  return { models: app.modelsWith(workspaceId, own), faults };
}
