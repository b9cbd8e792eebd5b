// Providers and models as clients see them.
import { DeletePayload } from '../accounts/schema.ts';
import { attempt, builder, decodeName, describedEnum, payload, UserErrorInterface, type ErrorData } from '../builder.ts';
import { permit, requireViewer, type Context } from '../context.ts';
import { adapters } from '../models/adapters.ts';
import type { ProviderStatus } from '../models/catalog.ts';
import type { ProviderError } from '../models/failures.ts';
import type { ModelCapability, ModelInfo, ProviderInfo } from '../models/provider.ts';
import { NotFoundError } from '../platform/errors.ts';
import { Configuration } from '../system/schema.ts';
import { faultOf, modelsOf, retired, retiredProvider } from './catalog.ts';
import * as providers from './service.ts';

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
const ProviderOwnerEnum = describedEnum<Record<ProviderInfo['owner'], string>>('ProviderOwner', 'Who set a provider up.', {
  INSTALLATION: "The operator, in the installation's configuration file; for all workspaces.",
  WORKSPACE: 'The workspace, with upsertProvider; it alone sees it.',
});
const CircuitStateEnum = describedEnum('CircuitState', "Whether a provider's calls pass.", {
  CLOSED: 'They pass.',
  HALF_OPEN: 'One probes.',
  OPEN: 'They are refused after repeated failures.',
});

const modelIdForm = /^[a-z0-9-]{1,40}:[^\p{Cc}]{1,200}$/u;

/** A vendor of models, by its id in the catalog. */
export const ProviderNode = builder.loadableNodeRef('Provider', {
  id: { resolve: (provider) => provider.id },
  sort: (provider: ProviderInfo) => provider.id,
  load: async (ids: string[], ctx: Context): Promise<ProviderInfo[]> =>
    ctx.viewer ? (await modelsOf(ctx)).providers().filter((provider) => ids.includes(provider.id)) : [],
});
/** A model, by its id in the catalog, e.g. "openai:gpt-4o-mini"; one that has left it is still told apart by its name. */
export const ModelNode = builder.loadableNodeRef('Model', {
  id: { resolve: (model) => model.id },
  sort: (model: ModelInfo) => model.id,
  load: async (ids: string[], ctx: Context): Promise<ModelInfo[]> => {
    if (!ctx.viewer) return [];
    const models = await modelsOf(ctx);
    return ids.flatMap((id) => models.find(id) ?? (modelIdForm.test(id) ? retired(id) : []));
  },
});

ProviderNode.implement({
  description: 'A vendor or server of models.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name to show.' }),
    kind: t.expose('kind', { type: ProviderKindEnum, description: 'How it is spoken to.' }),
    baseUrl: t.exposeString('baseUrl', { nullable: true, description: 'Its address, when it is not the usual one.' }),
    owner: t.expose('owner', { type: ProviderOwnerEnum, description: 'Who set it up.' }),
    isConfigured: t.exposeBoolean('isConfigured', { description: 'Whether it can be called: its key is set, or it needs none.' }),
    circuit: t.field({ type: CircuitStateEnum, description: 'Whether calls pass.', resolve: async ({ id }, _args, ctx) => (await statusOf(ctx, id)).circuit }),
    lastError: t.string({ nullable: true, description: 'The last failure, safe to show.', resolve: async ({ id }, _args, ctx) => (await faultOf(ctx, id)) ?? (await statusOf(ctx, id)).lastError }),
    lastSucceededAt: t.field({ type: 'DateTime', nullable: true, description: 'The last call that succeeded.', resolve: async ({ id }, _args, ctx) => (await statusOf(ctx, id)).lastSucceededAt }),
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
    provider: t.field({ type: ProviderNode, description: 'Who serves it.', resolve: (model, _args, ctx) => providerOf(ctx, model.providerId) }),
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

builder.objectRef<ErrorData<ProviderError>>('ProviderError').implement({
  interfaces: [UserErrorInterface],
  description: 'A provider that did not answer, in our words: its own may quote keys and prompts.',
  fields: (t) => ({
    provider: t.field({ type: ProviderNode, description: 'Who did not answer.', resolve: (error, _args, ctx) => providerOf(ctx, error.providerId) }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether the same request may succeed later.' }),
    attempts: t.exposeInt('attempts', { description: 'Calls that were made.' }),
  }),
});

const ProviderModelInput = builder.inputType('ProviderModelInput', {
  description: 'A model that a provider serves.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'As the provider calls it, 1–200 characters.' }),
    capabilities: t.field({ type: [ModelCapabilityEnum], required: true, description: 'What it can do, at least one.' }),
    contextWindow: t.int({ description: 'Tokens of prompt and answer together; longer conversations are not sent.' }),
    embeddingDimensions: t.int({ description: 'Length of its vectors, 1–16,000.' }),
    inputPricePerMillion: t.float({ description: 'US dollars for a million input tokens.' }),
    outputPricePerMillion: t.float({ description: 'US dollars for a million output tokens.' }),
  }),
});
const UpsertProviderInput = builder.inputType('UpsertProviderInput', {
  description: 'Needs CONFIG_WRITE. apiKey is write-only; changing baseUrl needs it again. What is absent stays as it is.',
  fields: (t) => ({
    id: t.id({ description: "Which one; absent for a new one. That of a provider of the installation makes the workspace's own in its place." }),
    name: t.string({ required: true, description: "Name to show, 1–100 characters; a new one's id is made from it." }),
    kind: t.field({ type: ProviderKindEnum, required: true, description: 'How it is spoken to; not OFFLINE. It cannot change.' }),
    baseUrl: t.string({ description: 'Its address, when it is not the usual one; null for the usual one.' }),
    apiKey: t.string({ description: 'Its key, which nothing ever returns; null removes it.' }),
    models: t.field({ type: [ProviderModelInput], description: "Its models, at most 100, in place of those before. Absent in place of an installation's provider: those of that one." }),
  }),
});
const RemoveProviderInput = builder.inputType('RemoveProviderInput', {
  description: 'A provider of the workspace to remove.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Which one.' }) }),
});
const TestProviderInput = builder.inputType('TestProviderInput', {
  description: 'A provider to call once.',
  fields: (t) => ({
    providerId: t.id({ required: true, description: 'Which one.' }),
    modelName: t.string({ description: 'With which of its models; the first that chats, else the first that embeds, when absent.' }),
  }),
});
const ProviderPayload = payload<{ provider: ProviderInfo }>('ProviderPayload', 'Answer of upsertProvider.', (t) => ({
  provider: t.field({ type: ProviderNode, nullable: true, description: 'The provider as changed.', resolve: (answer) => answer.provider as never }),
}));
const TestProviderPayload = payload<{ provider: ProviderInfo; latencyMs: number }>('TestProviderPayload', 'Answer of testProvider.', (t) => ({
  provider: t.field({ type: ProviderNode, nullable: true, description: 'The provider that answered.', resolve: (answer) => answer.provider as never }),
  latencyMs: t.int({ nullable: true, description: 'Milliseconds until it had answered; null when it did not.', resolve: (answer) => answer.latencyMs }),
}));

builder.mutationFields((t) => ({
  upsertProvider: t.field({
    type: ProviderPayload,
    args: { input: t.arg({ type: UpsertProviderInput, required: true, description: 'The provider.' }) },
    description: 'Sets up a provider of the workspace, or changes it. Needs CONFIG_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'CONFIG_WRITE');
        return { provider: await providers.upsertProvider(ctx, { ...input, id: input.id == null ? null : decodeName('Provider', input.id) }) };
      }),
  }),
  removeProvider: t.field({
    type: DeletePayload,
    args: { input: t.arg({ type: RemoveProviderInput, required: true, description: 'Which one.' }) },
    description: "Removes a provider of the workspace; profiles that name its models answer with the default. In whose place it stood serves again. Needs CONFIG_WRITE.",
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'CONFIG_WRITE');
        await providers.removeProvider(ctx, decodeName('Provider', input.id));
        return { deletedId: input.id };
      }),
  }),
  testProvider: t.field({
    type: TestProviderPayload,
    args: { input: t.arg({ type: TestProviderInput, required: true, description: 'Which one.' }) },
    description: 'Makes one tiny call to a provider, which costs what it costs there, and tells how long it took. Needs CONFIG_WRITE.',
    resolve: (_root, { input }, ctx) =>
      attempt(async () => {
        permit(ctx, 'CONFIG_WRITE');
        return await providers.testProvider(ctx, { id: decodeName('Provider', input.providerId, ['providerId']), modelName: input.modelName ?? null });
      }),
  }),
}));

/** A provider of the workspace, or what is left to say of one that is gone. */
async function providerOf(ctx: Context, id: string): Promise<ProviderInfo> {
  return (await modelsOf(ctx)).providers().find((provider) => provider.id === id) ?? retiredProvider(id);
}

/** How a provider's calls have gone lately, on all instances; asked once for all fields of one operation. */
function statusOf(ctx: Context, id: string): Promise<ProviderStatus> {
  let asked = statuses.get(ctx);
  if (!asked) statuses.set(ctx, (asked = new Map()));
  let status = asked.get(id);
  if (!status) asked.set(id, (status = modelsOf(ctx).then((models) => models.status(id))));
  return status;
}
const statuses = new WeakMap<Context, Map<string, Promise<ProviderStatus>>>();

/** The catalog's id in a global id of a model; throws NotFoundError when the catalog has no such model. */
export async function decodeModelId(ctx: Context, globalId: string, field: readonly string[]): Promise<string> {
  const id = decodeName('Model', globalId, field);
  if (!(await modelsOf(ctx)).find(id)) throw new NotFoundError('Model', globalId, field);
  return id;
}
