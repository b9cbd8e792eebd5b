/**
 * Every environment variable the server reads, as one zod schema: its type, default, group, description and whether
 * it is a secret. `.env.example` is printed from this list (`node src/platform/config-variables.ts > .env.example`),
 * so a variable that is not here does not exist.
 */
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** What an operator is told about a variable; `secret` values are never printed, not even in an error. */
export interface VariableNotes {
  readonly group: string;
  readonly description: string;
  /** What may be written there, as the end of "Allowed: …". */
  readonly allowed: string;
  /** A value to copy; for secrets it is left empty in `.env.example`. */
  readonly example: string;
  readonly secret?: boolean;
}

/** The notes of each variable's schema. */
export const variableNotes = z.registry<VariableNotes>();

/** Names of the request limits; each is read from `RATE_LIMIT_<NAME IN CAPITALS>`. */
export const rateLimitNames = [
  'register', 'login', 'send_message', 'chat_events', 'messages', 'test_provider', 'health', 'default_hour', 'default_day',
] as const;
export type RateLimitName = (typeof rateLimitNames)[number];

/** Networks in CIDR notation, or single addresses. */
const networks = z
  .string()
  .transform((list) => list.split(',').map((network) => network.trim()).filter((network) => network !== ''))
  .refine((list) => list.length > 0 && list.every((network) => ipaddr.isValidCIDR(network) || ipaddr.IPv4.isValidFourPartDecimal(network) || ipaddr.IPv6.isValid(network)));

/** 24 days: a timer can wait no longer. */
const longestWindowSeconds = 24 * 86_400;

/** So many requests in so many seconds. */
export interface RateLimit {
  readonly count: number;
  readonly seconds: number;
}

const environments = ['development', 'test', 'staging', 'production'] as const;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const roles = ['all', 'api', 'worker'] as const;

type Notes = Omit<VariableNotes, 'allowed' | 'example'> & Partial<Pick<VariableNotes, 'example'>>;

/** The schema of the whole environment; keys are the variables' names, absent values are `undefined` or the default. */
export const environmentSchema = z.object({
  NODE_ENV: choice(environments, {
    group: 'Process',
    description: 'Where this runs. production and staging insist on real secrets; development seeds demo data.',
  }).default('development'),
  PORT: whole(0, 65_535, 4000, { group: 'Process', description: 'Port to listen on; 0 takes any free one.' }),
  HOST: text(
    { group: 'Process', description: 'Address to listen on. Default: 127.0.0.1, in production 0.0.0.0.' },
    '127.0.0.1',
    'a host name or an IP address',
    /^[A-Za-z0-9.:_%-]+$/,
  ).optional(),
  APP_ROLE: choice(roles, {
    group: 'Process',
    description: 'api answers requests, worker runs background jobs, all does both. Anything but all needs DATABASE_URL.',
  }).default('all'),
  WORKERS: note(
    z.union([z.literal('auto'), wholeNumber(1, 64)]).default(1),
    {
      group: 'Process',
      description: 'Processes to start; auto is one per processor (one with the embedded database). More than 1 needs DATABASE_URL.',
      allowed: 'auto, or a whole number from 1 to 64',
      example: '1',
    },
  ),
  DRAIN_TIMEOUT_SECONDS: whole(1, 600, 25, {
    group: 'Process',
    description: 'Seconds that answers and documents under way may still take when the process stops; then others go on with them. Closing takes up to 5 more.',
  }),
  RUN_CAPACITY: whole(1, 1000, 64, { group: 'Process', description: 'Answers that one process writes at once; more wait.' }),
  RUN_LEASE_SECONDS: whole(1, 300, 15, {
    group: 'Process',
    description: 'Seconds of silence after which another process takes over an answer.',
  }),
  INTERRUPT_TTL_SECONDS: whole(1, 2_592_000, 86_400, {
    group: 'Process',
    description: 'Seconds that an answer waits for what it asks a person; then it ends as TIMED_OUT.',
  }),
  LOG_LEVEL: choice(logLevels, {
    group: 'Process',
    description: 'The least serious messages to log. Default: info, in test warn.',
    example: 'info',
  }).optional(),
  SEED: note(z.stringbool().optional(), {
    group: 'Process',
    description: 'Whether to fill an empty database with demo data at start. Default: true in development only.',
    allowed: 'true or false',
    example: 'true',
  }),

  DATA_DIR: text(
    { group: 'Storage', description: 'Directory of the embedded database and of the generated signing secret.' },
    '.data',
    'a path',
  ).default('.data'),
  DATABASE_URL: url(['postgres', 'postgresql'], 'postgresql://parley:password@localhost:5432/parley', {
    group: 'Storage',
    description: 'PostgreSQL to use. Absent: an embedded PostgreSQL in DATA_DIR, for a single process.',
    secret: true,
  }),
  POSTGRES_URL: url(['postgres', 'postgresql'], 'postgresql://parley:password@localhost:5432/parley', {
    group: 'Storage',
    description: 'Another name for DATABASE_URL; set one of the two.',
    secret: true,
  }),
  DATABASE_POOL_SIZE: whole(1, 200, 10, {
    group: 'Storage',
    description: 'Connections to PostgreSQL that each process may hold.',
  }),
  DATABASE_TIMEOUT_SECONDS: whole(1, 120, 15, {
    group: 'Storage',
    description: 'Seconds to wait at most for a free connection to PostgreSQL.',
  }),
  REDIS_URL: url(['redis', 'rediss'], 'redis://localhost:6379', {
    group: 'Storage',
    description: 'Redis that carries live events and counts limits between processes. Absent: within the process.',
    secret: true,
  }),
  REDIS_POOL_SIZE: whole(1, 16, 1, { group: 'Storage', description: 'Connections to Redis for commands; one more listens.' }),
  REDIS_COMMAND_TIMEOUT_MS: whole(50, 2000, 1000, {
    group: 'Storage',
    description: 'Milliseconds after which a command of Redis is given up; the process goes on without.',
  }),

  JWT_SECRET_KEY: secretText({
    group: 'Sign-in',
    description:
      'Secret that signs tokens, at least 32 characters (openssl rand -base64 48). Required in production and staging; ' +
      'elsewhere one is made in DATA_DIR.',
  }),
  SECRETS_KEY: secretText({
    group: 'Sign-in',
    description:
      'Secret under which the API keys that workspaces enter are encrypted, at least 32 characters (openssl rand -base64 48). Absent: ' +
      'JWT_SECRET_KEY. When it changes, these keys have to be entered again.',
  }),
  JWT_ACCESS_TOKEN_EXPIRE_HOURS: decimal(1 / 60, 720, 0.25, {
    group: 'Sign-in',
    description: 'Hours an access token is valid; fractions are allowed.',
  }),
  JWT_REFRESH_TOKEN_EXPIRE_DAYS: decimal(1 / 24, 3650, 30, {
    group: 'Sign-in',
    description: 'Days a refresh token is valid; fractions are allowed.',
  }),
  ALLOWED_ORIGINS: note(
    z
      .string()
      .transform((list) => list.split(',').map((item) => item.trim().replace(/\/$/, '')).filter((item) => item !== ''))
      .pipe(z.array(z.string().refine((item) => item === '*' || isOrigin(item))))
      .optional(),
    {
      group: 'Sign-in',
      description:
        'Origins whose pages may call the API, separated by commas. Default: ports 3000 and 5173 of localhost, in ' +
        'production and staging none. * (any) is refused in production.',
      allowed: 'origins such as https://chat.example.com, separated by commas, or *',
      example: 'https://chat.example.com,https://admin.example.com',
    },
  ),

  TRUSTED_PROXIES: whole(0, 10, 0, {
    group: 'Limits',
    description: 'Proxies in front whose X-Forwarded-For is believed; requests are limited by the address that the outermost of them saw.',
  }),
  ...rateLimitVariables(),

  CONFIG_FILE: text(
    { group: 'Models', description: 'File of the providers, models and profiles of this installation (docs/providers.md). Absent: config/config.json of the program.' },
    'config/config.json',
    'a path',
  ).optional(),
  LLM_API_KEY: secretText({
    group: 'Models',
    description: 'Key of the OpenAI-compatible provider; goes before OPENAI_API_KEY. Without any key the offline model answers.',
  }),
  OPENAI_API_KEY: secretText({ group: 'Models', description: 'Key of the OpenAI-compatible provider.' }),
  OPENAI_BASE_URL: url(['http', 'https'], 'https://api.openai.com/v1', {
    group: 'Models',
    description: 'Address of an OpenAI-compatible API. Absent: that of OpenAI.',
  }),
  LLM_MODEL: text(
    { group: 'Models', description: 'Model that answers when a profile names none. Absent: the first of the configuration file whose provider has a key.' },
    'openai:gpt-4o-mini',
    'a model as provider:name, or its name alone',
  ).optional(),
  EMBEDDING_MODEL: text(
    { group: 'Models', description: 'Model that embeds passages when nothing else is chosen. Absent: as with LLM_MODEL.' },
    'openai:text-embedding-3-small',
    'a model as provider:name, or its name alone',
  ).optional(),
  ANTHROPIC_API_KEY: secretText({ group: 'Models', description: 'Key of Anthropic.' }),
  ANTHROPIC_BASE_URL: url(['http', 'https'], 'https://api.anthropic.com', {
    group: 'Models',
    description: 'Address of an Anthropic-compatible API. Absent: that of Anthropic.',
  }),
  GOOGLE_API_KEY: secretText({ group: 'Models', description: 'Key of Google Gemini.' }),
  GOOGLE_BASE_URL: url(['http', 'https'], 'https://generativelanguage.googleapis.com', {
    group: 'Models',
    description: 'Address of a Gemini-compatible API. Absent: that of Google.',
  }),
  PINECONE_API_KEY: secretText({ group: 'Models', description: 'Key of Pinecone, for the vector store that docs/extending.md shows.' }),
  RETRY_MAX_ATTEMPTS: whole(1, 10, 3, { group: 'Models', description: 'How often a call to a provider is tried in all.' }),
  RETRY_BASE_DELAY_MS: whole(0, 60_000, 500, {
    group: 'Models',
    description: 'Milliseconds before the second attempt; doubles from there.',
  }),
  RETRY_MAX_DELAY_MS: whole(0, 600_000, 10_000, { group: 'Models', description: 'Longest pause between attempts in milliseconds.' }),
  MODEL_POOL_SIZE: whole(1, 10_000, 64, { group: 'Models', description: 'Connections that one process keeps to one provider at most; further calls wait for one.' }),
  MODEL_CONNECT_TIMEOUT_MS: whole(10, 120_000, 5_000, { group: 'Models', description: 'Milliseconds that connecting to a provider may take.' }),
  PROVIDER_ALLOWED_NETWORKS: note(networks.optional(), {
    group: 'Models',
    description: 'Networks that providers of workspaces may lie in although they are not public. Providers of the installation may lie anywhere.',
    allowed: 'networks or addresses, separated by commas',
    example: '10.1.0.0/16,192.168.1.20',
  }),
  MODEL_FIRST_TOKEN_TIMEOUT_SECONDS: decimal(0.05, 3600, 60, { group: 'Models', description: 'Seconds until a model must have begun to answer.' }),
  MODEL_SILENCE_TIMEOUT_SECONDS: decimal(0.05, 3600, 30, { group: 'Models', description: 'Seconds that a model may be silent within its answer.' }),
  EMBEDDING_TIMEOUT_SECONDS: decimal(0.05, 3600, 30, { group: 'Models', description: 'Seconds that one request for embeddings may take.' }),
  CIRCUIT_FAILURES: whole(1, 1000, 5, { group: 'Models', description: 'Failures of a model in a row after which it is left alone for a while.' }),
  CIRCUIT_OPEN_SECONDS: decimal(0.05, 3600, 30, { group: 'Models', description: 'Seconds until such a model is tried again; doubles each time that fails, up to ten times.' }),

  UPLOAD_MAX_BYTES: whole(1, 1024 ** 3, 25 * 1024 ** 2, { group: 'Documents', description: 'Largest uploaded file in bytes.' }),
  UPLOAD_MAX_FILES: whole(1, 100, 10, { group: 'Documents', description: 'Most files in one request.' }),
  EXTRACTION_TIMEOUT_SECONDS: whole(1, 3600, 60, {
    group: 'Documents',
    description: 'Seconds the text of one document may take to be read.',
  }),
  EXTRACTION_MEMORY_MB: whole(64, 65_536, 1024, {
    group: 'Documents',
    description: 'Megabytes of memory that reading one document may take.',
  }),

  RUN_MAX_TOKENS: whole(1, 1_000_000_000, 200_000, {
    group: 'Bounds',
    description: 'Tokens that the calls of models for one answer may take together, input and output; an answer that takes more fails.',
  }),
  RUN_MAX_STEPS: whole(1, 1_000_000, 200, {
    group: 'Bounds',
    description: "Steps that one answer may take; fewer where the bounds of its profile's graph allow fewer.",
  }),
  RUN_MAX_SECONDS: whole(1, 86_400, 900, { group: 'Bounds', description: 'Seconds that one answer may take, all attempts together.' }),
  MAX_MESSAGE_CHARS: whole(1, 1_000_000, 32_000, { group: 'Bounds', description: 'Longest message in characters.' }),
  MAX_BODY_BYTES: whole(1024, 64 * 1024 ** 2, 1024 ** 2, {
    group: 'Bounds',
    description: 'Largest request body in bytes, uploads apart.',
  }),
  MAX_QUERY_DEPTH: whole(3, 100, 12, { group: 'Bounds', description: 'Deepest nesting of fields in one operation.' }),
  MAX_QUERY_COST: whole(10, 10_000_000, 10_000, {
    group: 'Bounds',
    description: 'Highest cost of one operation: an object costs 1, a value a tenth, a list its length times what is in it.',
  }),
  MAX_SUBSCRIPTIONS_PER_CONNECTION: whole(1, 10_000, 50, {
    group: 'Bounds',
    description: 'Subscriptions that one WebSocket may hold at a time.',
  }),
  MAX_CONNECTIONS_PER_USER: note(wholeNumber(1, 100_000).optional(), {
    group: 'Bounds',
    description: 'WebSockets and event streams together that one user may have open on one instance. Default: 50, in development and test 10000.',
    allowed: 'a whole number from 1 to 100000',
    example: '50',
  }),
  KEEPALIVE_SECONDS: whole(3, 3600, 12, {
    group: 'Bounds',
    description: 'Seconds between two pings of a WebSocket; one that does not answer before the next is closed, as is an HTTP connection on which nothing moves for five times as long.',
  }),
  REPLAY_WINDOW_EVENTS: whole(1, 100_000, 1000, {
    group: 'Bounds',
    description: 'Events a reader may be behind and still get one by one; beyond it gets a snapshot.',
  }),

  LANGFUSE_PUBLIC_KEY: text({ group: 'Evaluation', description: 'Public key of Langfuse; set with the secret key to export traces.' }, 'pk-lf-…').optional(),
  LANGFUSE_SECRET_KEY: secretText({ group: 'Evaluation', description: 'Secret key of Langfuse.' }),
  LANGFUSE_HOST: url(['http', 'https'], 'https://cloud.langfuse.com', {
    group: 'Evaluation',
    description: 'Address of Langfuse. Absent: its cloud.',
  }),
  EVALUATION_LLM: text(
    { group: 'Evaluation', description: 'Model that judges answers. Absent: LLM_MODEL.' },
    'openai:gpt-4o',
    'a model as provider:name',
  ).optional(),
  EVALUATION_API_KEY: secretText({ group: 'Evaluation', description: 'Key for the judging model. Absent: the key of its provider.' }),
});

/** The environment as read: a value, a default or `undefined` for each variable. */
export type Environment = z.output<typeof environmentSchema>;

/** The text of `.env.example`: every variable, commented out, so that a plain copy changes nothing. */
export function envExample(): string {
  const lines = [
    '# Copy this file to .env and uncomment what you change; nothing here is needed for a first start.',
    '# Printed by: node src/platform/config-variables.ts > .env.example',
  ];
  let group = '';
  for (const [name, schema] of Object.entries(environmentSchema.shape)) {
    const notes = notesOf(schema);
    if (notes.group !== group) lines.push('', `## ${(group = notes.group)}`);
    lines.push('', `# ${notes.description}`, `# Allowed: ${notes.allowed}.`);
    lines.push(`#${name}=${notes.secret === true && !notes.example.includes('://') ? '' : notes.example}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The notes of a variable, whether they were put on its schema or on the one inside its default. */
export function notesOf(schema: z.ZodType): VariableNotes {
  const notes = variableNotes.get(schema) ?? (hasInner(schema) ? notesOf(schema.def.innerType) : undefined);
  if (notes === undefined) throw new Error('A variable has no notes in src/platform/config-variables.ts');
  return notes;
}

function hasInner(schema: z.ZodType): schema is z.ZodType & { def: { innerType: z.ZodType } } {
  return 'innerType' in schema.def;
}

function note<S extends z.ZodType>(schema: S, notes: VariableNotes): S {
  variableNotes.add(schema, notes);
  return schema;
}

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d+$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
}

function whole(min: number, max: number, fallback: number, notes: Notes) {
  return note(wholeNumber(min, max).default(fallback), {
    allowed: `a whole number from ${min} to ${max}`,
    example: String(fallback),
    ...notes,
  });
}

function decimal(min: number, max: number, fallback: number, notes: Notes) {
  const schema = z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
  return note(schema.default(fallback), {
    allowed: `a number from ${Number(min.toFixed(4))} to ${max}, such as ${fallback}`,
    example: String(fallback),
    ...notes,
  });
}

function choice<const V extends readonly [string, ...string[]]>(values: V, notes: Notes) {
  return note(z.enum(values), { allowed: values.join(', '), example: values[0], ...notes });
}

function text(notes: Notes, example: string, allowed = 'any text', pattern = /^\P{Cc}+$/u) {
  return note(z.string().regex(pattern), { allowed, example, ...notes });
}

/** Text that is never printed. Control characters are refused: they come from a broken copy and would break a header. */
function secretText(notes: Notes) {
  const schema = z.string().regex(/^\P{Cc}+$/u).optional();
  return note(schema, { allowed: 'text without control characters', example: '', secret: true, ...notes });
}

function url(protocols: readonly string[], example: string, notes: Notes) {
  const schema = z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1)))
    .optional();
  return note(schema, { allowed: `an address that starts with ${protocols.map((p) => `${p}://`).join(' or ')}`, example, ...notes });
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) && new URL(value).origin === value.toLowerCase();
}

function rateLimitVariables() {
  type Key = `RATE_LIMIT_${Uppercase<RateLimitName>}`;
  const examples: Record<RateLimitName, [example: string, description: string]> = {
    register: ['10/3600', 'Registrations per address'],
    login: ['20/60', 'Attempts to sign in per address'],
    send_message: ['30/60', 'Messages sent per user'],
    chat_events: ['20/60', 'Event streams opened per user'],
    messages: ['50/60', 'Reads of message lists per user'],
    test_provider: ['10/60', 'Test calls to providers per user'],
    health: ['20/60', 'Requests to /health per address'],
    default_hour: ['50/3600', 'All other operations in the shorter window'],
    default_day: ['200/86400', 'All other operations in the longer window'],
  };
  return Object.fromEntries(rateLimitNames.map((name) => {
    const [example, description] = examples[name];
    return [`RATE_LIMIT_${name.toUpperCase()}`, rateLimit(example, `${description}, as count/seconds; the example is production's default.`)];
  })) as unknown as Record<Key, ReturnType<typeof rateLimit>>;
}

function rateLimit(example: string, description: string) {
  const schema = z
    .string()
    .transform((value): RateLimit | 'off' | null => {
      if (value === 'off') return 'off';
      const [, count, seconds] = /^(\d{1,9})\/(\d{1,7})$/.exec(value) ?? [];
      return Number(count) > 0 && Number(seconds) > 0 && Number(seconds) <= longestWindowSeconds ? { count: Number(count), seconds: Number(seconds) } : null;
    })
    .pipe(z.custom<RateLimit | 'off'>((value) => value !== null))
    .optional();
  return note(schema, {
    group: 'Limits',
    description,
    allowed: `count/seconds, both above 0, at most ${longestWindowSeconds} seconds, or off outside production`,
    example,
  });
}

if (import.meta.main) process.stdout.write(envExample());
