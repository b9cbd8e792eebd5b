// Providers and models as clients see them.
import { builder, decodeName, describedEnum } from '../builder.ts';
import { requireViewer, type Context } from '../context.ts';
import { adapters } from '../models/adapters.ts';
import type { ModelCapability, ModelInfo, ProviderInfo } from '../models/provider.ts';
import { NotFoundError } from '../platform/errors.ts';
import { Configuration } from '../system/schema.ts';
import { modelsOf } from './catalog.ts';

const ProviderKindEnum = builder.enumType('ProviderKind', {
  description: 'How a provider is spoken to.',
  values: Object.fromEntries(adapters.map(({ kind, description }) => [kind, { description }])),
});
const ModelCapabilityEnum = describedEnum<Record<ModelCapability, string>>('ModelCapability', 'What a model can do.', {
  CHAT: 'Answer messages.',
  TOOLS: 'Call tools.',
  STREAMING: 'Send its answer token by token.',
  VISION: 'Read images.',
  STRUCTURED_OUTPUT: 'Answer by a JSON Schema.',
  REASONING: 'Show its reasoning.',
  EMBEDDING: 'Embed texts.',
  RERANK: 'Rank passages.',
});
const CircuitStateEnum = describedEnum('CircuitState', "Whether a provider's calls pass.", {
  CLOSED: 'They pass.',
  HALF_OPEN: 'One probes.',
  OPEN: 'They are refused after repeated failures.',
});

/** A vendor of models, by its id in the catalog. */
export const ProviderNode = builder.loadableNodeRef('Provider', {
  id: { resolve: (provider) => provider.id },
  sort: (provider: ProviderInfo) => provider.id,
  load: async (ids: string[], ctx: Context): Promise<ProviderInfo[]> =>
    ctx.viewer ? (await modelsOf(ctx)).providers().filter((provider) => ids.includes(provider.id)) : [],
});
/** A model, by its id in the catalog, e.g. "openai:gpt-4o-mini". */
export const ModelNode = builder.loadableNodeRef('Model', {
  id: { resolve: (model) => model.id },
  sort: (model: ModelInfo) => model.id,
  load: async (ids: string[], ctx: Context): Promise<ModelInfo[]> =>
    ctx.viewer ? (await modelsOf(ctx)).models().filter((model) => ids.includes(model.id)) : [],
});

ProviderNode.implement({
  description: 'A vendor or server of models.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name to show.' }),
    kind: t.expose('kind', { type: ProviderKindEnum, description: 'How it is spoken to.' }),
    baseUrl: t.exposeString('baseUrl', { nullable: true, description: 'Its address, when it is not the usual one.' }),
    isConfigured: t.exposeBoolean('isConfigured', { description: 'Whether it can be called: its key is set, or it needs none.' }),
    circuit: t.field({ type: CircuitStateEnum, description: 'Whether calls pass.', resolve: () => 'CLOSED' as const }),
    lastError: t.string({ nullable: true, description: 'The last failure, safe to show.', resolve: () => null }),
    lastSucceededAt: t.field({ type: 'DateTime', nullable: true, description: 'The last call that succeeded.', resolve: () => null }),
    models: t.field({
      type: [ModelNode],
      description: 'Its models.',
      resolve: async (provider, _args, ctx) => (await modelsOf(ctx)).models().filter((model) => model.providerId === provider.id),
    }),
  }),
});
ModelNode.implement({
  description: 'A model that answers or embeds.',
  fields: (t) => ({
    name: t.exposeString('name', { description: "The provider's name of it." }),
    provider: t.field({ type: ProviderNode, description: 'Who serves it.', resolve: (model) => model.providerId }),
    capabilities: t.field({ type: [ModelCapabilityEnum], description: 'What it can do.', resolve: (model) => [...model.capabilities] }),
    contextWindow: t.exposeInt('contextWindow', { nullable: true, description: 'Tokens of prompt and answer together.' }),
    embeddingDimensions: t.exposeInt('embeddingDimensions', { nullable: true, description: 'Length of its vectors.' }),
    inputPricePerMillion: t.exposeFloat('inputPricePerMillion', { nullable: true, description: 'US dollars for a million input tokens.' }),
    outputPricePerMillion: t.exposeFloat('outputPricePerMillion', { nullable: true, description: 'US dollars for a million output tokens.' }),
    isAvailable: t.exposeBoolean('isAvailable', { description: 'Whether it can be used now.' }),
  }),
});

builder.objectField(Configuration, 'providers', (t) =>
  t.field({ type: [ProviderNode], description: 'Vendors of models.', resolve: async (_config, _args, ctx) => [...(await modelsOf(ctx)).providers()] }),
);
builder.queryFields((t) => ({
  providers: t.field({
    type: [ProviderNode],
    description: 'Vendors of models.',
    resolve: async (_root, _args, ctx) => {
      requireViewer(ctx);
      return [...(await modelsOf(ctx)).providers()];
    },
  }),
  models: t.field({
    type: [ModelNode],
    args: { capability: t.arg({ type: ModelCapabilityEnum, description: 'Only those that can do this.' }) },
    description: 'Models of all providers.',
    resolve: async (_root, { capability }, ctx) => {
      requireViewer(ctx);
      return [...(await modelsOf(ctx)).models(capability ?? undefined)];
    },
  }),
}));

/** The catalog's id in a global id of a model; throws NotFoundError when the catalog has no such model. */
export async function decodeModelId(ctx: Context, globalId: string, field: readonly string[]): Promise<string> {
  const id = decodeName('Model', globalId, field);
  if (!(await modelsOf(ctx)).find(id)) throw new NotFoundError('Model', globalId, field);
  return id;
}
