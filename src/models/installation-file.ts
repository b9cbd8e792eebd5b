// What config/config.json may say: providers, models and profiles of an installation, as one zod schema. The JSON Schema beside
// the file, which editors complete and check by, is printed from it (`node src/models/installation-file.ts > config/config.schema.json`).
import { z } from 'zod';
import { adapters } from './adapters.ts';
import { offline } from './offline.ts';
import { modelCapabilities } from './provider.ts';

/** The only form in which a secret may stand in the file: the first of these variables that is set. */
const reference = /^\$\{[A-Za-z_]\w*(?:\|[A-Za-z_]\w*)*\}$/;

const id = z
  .string()
  .max(40, 'has more than 40 characters')
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must consist of lower-case letters, digits and single hyphens between them, such as "my-server"');
const modelId = z.string().regex(/^[a-z0-9-]+:.+$/, 'must be a model as provider:name, such as "openai:gpt-4o-mini"');
const line = (max: number) => z.string().regex(/^\P{Cc}+$/u, 'must be text on one line, not empty').max(max, `has more than ${max} characters`);
const tokens = z.int('must be a whole number').min(1, 'must be at least 1').max(100_000_000, 'is too large');
const price = z.number('must be a number').min(0, 'must not be less than 0').max(1_000_000, 'is too large');

const model = z.strictObject({
  name: line(200).describe('As the provider calls it.'),
  capabilities: z.array(z.enum(modelCapabilities)).min(1, 'is empty: a model can do something').describe('What it can be used for.'),
  contextWindow: tokens.optional().describe('Tokens of prompt and answer together.'),
  embeddingDimensions: z.int().min(1).max(16_000).optional().describe('Length of its vectors.'),
  inputPricePerMillion: price.optional().describe('US dollars for a million input tokens.'),
  outputPricePerMillion: price.optional().describe('US dollars for a million output tokens.'),
  fallbacks: z.array(modelId).max(5, 'has more than 5 models').optional().describe('Models that answer in its place when it fails, in this order, where a profile names none.'),
});

const kinds = adapters.map(({ kind }) => kind).filter((kind) => kind !== offline.kind);

const provider = z.strictObject({
  id: id.describe('Begins the ids of its models, such as "openai" in "openai:gpt-4o-mini".'),
  name: line(100).describe('Name to show.'),
  kind: z.enum(kinds, { error: `must be one of ${kinds.join(', ')}` }).describe('How it is spoken to.'),
  baseUrl: z
    .string()
    .regex(/^(?:https?:\/\/\S+|\$\{[A-Za-z_]\w*(?:\|[A-Za-z_]\w*)*\})$/, 'must be an address that starts with http:// or https://, or a reference such as "${OPENAI_BASE_URL}"')
    .optional()
    .describe('Its address, or a reference to a variable that holds it; absent or not set: the usual address of its kind.'),
  apiKey: z
    .string()
    .regex(reference, 'must be a reference to a variable, such as "${OPENAI_API_KEY}" or "${LLM_API_KEY|OPENAI_API_KEY}" for the first of several that is set. The key itself does not belong in this file')
    .optional()
    .describe('A reference to the variable that holds its key. Not set: the provider is shown as not configured.'),
  models: z.array(model).describe('Its models.'),
});

const profile = z.strictObject({
  slug: id.describe('Name for addresses, unique in the workspace.'),
  name: line(200).describe('Name to show.'),
  description: z.string().max(2000).optional().describe('What it is for.'),
  systemPrompt: z.string().max(32_768).describe('What the model is told before the conversation.'),
  modelId: modelId.optional().describe('The model that answers. Absent: the default.'),
  fallbackModelIds: z.array(modelId).max(5).optional().describe("Models that take over when it fails. Absent: the model's own fallbacks."),
  temperature: z.number().min(0).max(2).optional().describe('How freely the model chooses its words. Absent: 0.2.'),
  maxOutputTokens: z.int().min(1).max(128_000).optional().describe('Tokens of an answer at most. Absent: 2000.'),
  retrieval: z
    .strictObject({
      mode: z.enum(['OFF', 'AUTO', 'ALWAYS']).optional(),
      searchMode: z.enum(['SEMANTIC', 'KEYWORD', 'HYBRID']).optional(),
      topK: z.int().min(1).max(50).optional(),
      minScore: z.number().min(0).max(1).optional(),
      rerank: z.boolean().optional(),
      rerankModelId: modelId.optional(),
      chunkSize: z.int().min(50).max(2000).optional(),
      chunkOverlap: z.int().min(0).optional(),
      maxContextTokens: z.int().min(100).max(200_000).optional(),
      onFailure: z.enum(['ANSWER_WITHOUT_CONTEXT', 'FAIL_RUN']).optional(),
    })
    .optional()
    .describe('How passages are found, as in the API.'),
  toolNames: z.array(z.string()).optional().describe('What the model may call.'),
  graph: z.string().max(100).optional().describe('Name of a graph that the program brings, such as "TASK_ASSISTANT". Absent: answers with passages, and with tools where toolNames names some.'),
  cacheAnswers: z.boolean().optional().describe('Whether answers may come from the cache. Absent: only at temperature 0.'),
});

/** The whole file. */
export const installationFile = z.strictObject({
  $schema: z.string().optional().describe('For editors.'),
  defaults: z
    .strictObject({
      chatModels: z.array(modelId).describe('The model that answers where nothing is chosen: the first of these whose provider is configured.'),
      embeddingModels: z.array(modelId).describe('The same for the model that embeds.'),
    })
    .describe('Models that are used where nothing is chosen.'),
  providers: z.array(provider).describe('Vendors and servers of models.'),
  profiles: z.array(profile).optional().describe('Profiles that every new workspace starts with; the first is its default.'),
});
export type InstallationFile = z.infer<typeof installationFile>;
export type FileProvider = InstallationFile['providers'][number];
/** A profile that every new workspace starts with. */
export type FileProfile = NonNullable<InstallationFile['profiles']>[number];

/** The text of config/config.schema.json. */
export function installationJsonSchema(): string {
  return `${JSON.stringify({ title: 'The configuration of Parley: providers, models, profiles', ...z.toJSONSchema(installationFile, { io: 'input' }) }, null, 2)}\n`;
}

if (import.meta.main) process.stdout.write(installationJsonSchema());
