// How settings change: what a client sends is read by these rules, completely, and laid over what was there before.
import { z } from 'zod';
import type { App, Context } from '../context.ts';
import type { GraphDefinition } from '../graph/definition.ts';
import type { RetrievalSettings } from '../graph/scope.ts';
import { validateDefinition } from '../graph/validate.ts';
import type { Models } from '../models/catalog.ts';
import { validate } from '../platform/errors.ts';
import { modelsOf } from '../providers/catalog.ts';
import { cachesByDefault, usualGraph, type VersionSettings } from './defaults.ts';
import { knownTools } from './hooks.ts';

type Loose<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** Changes of retrieval; what is absent or null stays, except that a null `rerankModelId` removes the model. */
export type RetrievalChange = Loose<RetrievalSettings>;

/** Changes of settings; what is absent or null stays, except that a null `modelId` or `fallbackModelIds` follows the catalog. */
export interface SettingsChange extends Loose<Omit<VersionSettings, 'retrieval' | 'graph' | 'fallbackModelIds' | 'toolNames'>> {
  readonly fallbackModelIds?: readonly string[] | null | undefined;
  readonly toolNames?: readonly string[] | null | undefined;
  readonly retrieval?: RetrievalChange | null | undefined;
  readonly graph?: Omit<GraphDefinition, 'version'> | null | undefined;
}

/** What settings are checked against. */
export interface Rules {
  readonly app: App;
  readonly models: Models;
}

/** What the settings of the context's workspace are checked against. */
export async function rulesOf(ctx: Context): Promise<Rules> {
  return { app: ctx.app, models: await modelsOf(ctx) };
}

/** Text of at most `max` UTF-16 code units that a database can hold. */
export function text(name: string, max: number) {
  return z
    .string({ error: (issue) => (issue.input === null ? `The ${name} cannot be null; leave it out to keep it as it is.` : undefined) })
    .max(max, `The ${name} has more than ${max.toLocaleString('en')} characters.`)
    .refine(isStorable, { error: `The ${name} contains a character that cannot be stored (NUL, or half of a surrogate pair).`, params: { constraint: 'characters' } });
}

/**
 * The settings after a change; throws one ValidationError per broken rule, with its path below `at`. A graph that differs
 * gets `version` as its own.
 */
export function changeSettings(rules: Rules, base: VersionSettings, change: SettingsChange, version: number, at: readonly string[]): VersionSettings {
  const given = {
    ...change,
    retrieval: change.retrieval ? mergeRetrieval(base.retrieval, change.retrieval) : null,
    graph: change.graph ? { ...change.graph, version: base.graph.version } : null,
  };
  const read = validate(settingsRules(rules, base), given, at);
  const toolNames = read.toolNames ?? base.toolNames;
  // Whoever has no graph of their own has the usual one, which is another with tools than without.
  const isUsual = equal({ ...stored(base.graph), version: 1 }, usualGraph(base.toolNames));
  const wanted = given.graph ?? (isUsual ? { ...usualGraph(toolNames), version: base.graph.version } : base.graph);
  const graph = stored(wanted);
  const temperature = read.temperature ?? base.temperature;
  // Nobody deviated from the rule before, so it holds for the new temperature, too.
  const byDefault = base.cacheAnswers === cachesByDefault(base.temperature) ? cachesByDefault(temperature) : base.cacheAnswers;
  return {
    systemPrompt: read.systemPrompt ?? base.systemPrompt,
    modelId: read.modelId === undefined ? base.modelId : read.modelId,
    fallbackModelIds: read.fallbackModelIds === undefined ? base.fallbackModelIds : read.fallbackModelIds,
    temperature,
    maxOutputTokens: read.maxOutputTokens ?? base.maxOutputTokens,
    retrieval: read.retrieval ?? base.retrieval,
    toolNames,
    graph: equal(graph, stored(base.graph)) ? base.graph : { ...graph, version },
    cacheAnswers: read.cacheAnswers ?? byDefault,
  };
}

/** Retrieval after a change, e.g. of one message; throws one ValidationError per broken rule, with its path below `at`. */
export function changeRetrieval(rules: Rules, base: RetrievalSettings, change: RetrievalChange, at: readonly string[]): RetrievalSettings {
  return validate(retrievalRules(rules.models, base), mergeRetrieval(base, change), at);
}

/** Whether two settings say the same, whatever the order of their keys. */
export function equal(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other);
}

function settingsRules({ app, models }: Rules, base: VersionSettings) {
  return z.object({
    systemPrompt: text('system prompt', 32_768).nullish(),
    modelId: modelWith(models, 'CHAT').nullish(),
    fallbackModelIds: z
      .array(modelWith(models, 'CHAT'))
      .max(5, 'A profile has at most 5 fallback models.')
      .refine(isDistinct, { error: 'A model is named twice among the fallback models. Name each once.', params: { constraint: 'unique' } })
      .nullish(),
    temperature: between(0, 2, 'temperature').nullish(),
    maxOutputTokens: between(1, 128_000, 'maxOutputTokens').int().nullish(),
    retrieval: retrievalRules(models, base.retrieval).nullish(),
    toolNames: z
      .array(toolOf(app))
      .refine(isDistinct, { error: 'A tool is named twice. Name each once.', params: { constraint: 'unique' } })
      .nullish(),
    graph: graphRules(app).nullish(),
    cacheAnswers: z.boolean().nullish(),
  });
}

function retrievalRules(models: Models, base: RetrievalSettings) {
  return z
    .object({
      mode: z.enum(['OFF', 'AUTO', 'ALWAYS']),
      searchMode: z.enum(['SEMANTIC', 'KEYWORD', 'HYBRID']),
      topK: between(1, 50, 'topK').int(),
      minScore: between(0, 1, 'minScore'),
      rerank: z.boolean(),
      rerankModelId: modelWith(models, 'RERANK', base.rerankModelId).nullable(),
      chunkSize: between(50, 2000, 'chunkSize').int(),
      chunkOverlap: z.int().min(0, 'chunkOverlap must not be less than 0.'),
      maxContextTokens: between(100, 200_000, 'maxContextTokens').int(),
      onFailure: z.enum(['ANSWER_WITHOUT_CONTEXT', 'FAIL_RUN']),
    })
    .refine(({ chunkOverlap, chunkSize }) => chunkOverlap * 2 < chunkSize, {
      path: ['chunkOverlap'],
      error: 'chunkOverlap must be less than half of chunkSize.',
      params: { constraint: 'maximum' },
      // Told beside the faults of other fields, as long as these two are numbers.
      when: ({ value }) => typeof value === 'object' && value !== null && 'chunkSize' in value && 'chunkOverlap' in value,
    });
}

function graphRules(app: App) {
  return z.custom<GraphDefinition>().superRefine((graph, context) => {
    const fault = (path: (string | number)[], constraint: string, message: string): void =>
      context.addIssue({ code: 'custom', path, message, params: { constraint } });
    if (graph.name.trim() === '' || graph.name.length > 100) fault(['name'], 'length', 'The name of a graph has 1 to 100 characters.');
    const unfit = unstorable(graph, []);
    if (unfit) return fault(unfit.path, unfit.constraint, unfit.message);
    for (const { path, constraint, message } of validateDefinition(graph, app.graphs.registry)) fault([...path], constraint, message);
  });
}

/** A model of the catalog that can do this; `chosen` was one and stays good when the catalog changes. */
function modelWith(models: Models, capability: 'CHAT' | 'RERANK', chosen: string | null = null) {
  return z.string().superRefine((id, context) => {
    const model = models.find(id);
    if (id === chosen || model?.capabilities.includes(capability)) return;
    const message = model
      ? `The model ${id} cannot do this: it needs the capability ${capability}. Choose one of models(capability: ${capability}).`
      : `There is no model ${JSON.stringify(id)}. Choose one of models(capability: ${capability}).`;
    context.addIssue({ code: 'custom', message, params: { constraint: model ? 'capability' : 'exists' } });
  });
}

function toolOf(app: App) {
  const known = knownTools(app);
  return z.string().superRefine((name, context) => {
    if (known.has(name)) return;
    const message = `There is no tool ${JSON.stringify(name.slice(0, 100))}. Tools: ${[...known.keys()].join(', ') || 'none'}.`;
    context.addIssue({ code: 'custom', message, params: { constraint: 'exists' } });
  });
}

function between(min: number, max: number, name: string) {
  const [from, to] = [min, max].map((bound) => bound.toLocaleString('en'));
  const error = `${name} must be from ${from} to ${to}.`;
  return z.number({ error }).min(min, error).max(max, error);
}

function mergeRetrieval(base: RetrievalSettings, change: RetrievalChange): RetrievalSettings {
  const given = Object.entries(change).filter(([key, value]) => value != null || (key === 'rerankModelId' && value === null));
  return { ...base, ...(Object.fromEntries(given) as Partial<RetrievalSettings>) };
}

/** The definition with nothing in it that it does not need. */
function stored({ name, version, nodes, edges }: GraphDefinition): GraphDefinition {
  return {
    name: name.trim(),
    version,
    nodes: nodes.map(({ id, type, config }) => ({ id, type, ...(config == null ? {} : { config }) })),
    edges: edges.map(({ from, to, condition }) => ({ from, to, ...(condition == null ? {} : { condition }) })),
  };
}

/** Deeper settings of a node are nobody's intent, and would exhaust the stack of whoever walks them. */
const MAX_DEPTH = 32;

interface Unfit {
  readonly path: (string | number)[];
  readonly constraint: string;
  readonly message: string;
}

/** The first value inside that JSON columns cannot hold; null when all is well. */
function unstorable(value: unknown, path: (string | number)[]): Unfit | null {
  if (path.length > MAX_DEPTH) return { path, constraint: 'maxDepth', message: `A graph is nested at most ${MAX_DEPTH} deep.` };
  if (typeof value === 'string' && !isStorable(value)) {
    return { path, constraint: 'characters', message: 'This text contains a character that cannot be stored (NUL, or half of a surrogate pair).' };
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, inner] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    const unfit = unstorable(key, path) ?? unstorable(inner, [...path, key]);
    if (unfit) return unfit;
  }
  return null;
}

function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed();
}

function isDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** JSON columns keep no order of keys, so neither does a comparison. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
