/**
 * The settings of one process, read once at start from the environment. `loadConfig` either returns a complete
 * `Config` or throws one `ConfigError` that lists every fault, so that an operator mends all of them in one go.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import {
  environmentSchema, notesOf, rateLimitNames, type Environment, type RateLimit, type RateLimitName,
} from './config-variables.ts';

export type { RateLimit, RateLimitName } from './config-variables.ts';

/** Everything that can be set from outside, with defaults filled in; `null` where absence means something. */
export interface Config {
  readonly environment: 'development' | 'test' | 'staging' | 'production';
  /** From package.json. */
  readonly version: string;
  /** Eight random hexadecimal digits, new for each process. */
  readonly instanceId: string;
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  /** `null`: the embedded database in `dataDir`. */
  readonly databaseUrl: string | null;
  /** Connections at most; `databaseTimeoutMs` is how long one may be waited for. */
  readonly databasePoolSize: number;
  readonly databaseTimeoutMs: number;
  /** `url` null: events, cache and limits stay within the process. */
  readonly redis: { readonly url: string | null; readonly poolSize: number; readonly commandTimeoutMs: number };
  /** `null`: a secret is made once in `dataDir`; never `null` in production and staging. */
  readonly jwtSecret: string | null;
  /** `null`: API keys of workspaces are encrypted under the signing secret. */
  readonly secretsKey: string | null;
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  /** Exact origins, lower case and without a slash at the end, or `*`. */
  readonly allowedOrigins: readonly string[];
  /** Proxies in front, each of which adds the address it saw to X-Forwarded-For; 0 believes no such header. */
  readonly trustedProxies: number;
  readonly role: 'all' | 'api' | 'worker';
  readonly workers: number;
  /** How long runs and jobs may still take when the process stops; what is open is closed in at most 5 s after that. */
  readonly drainMs: number;
  /** Runs at once in this process; a run whose owner is silent for `leaseSeconds` is taken over; one that asks waits for `interruptSeconds`. What one run may take at most, all its attempts together. */
  readonly runs: { readonly capacity: number; readonly leaseSeconds: number; readonly interruptSeconds: number; readonly maxTokens: number; readonly maxSteps: number; readonly maxSeconds: number };
  readonly seed: boolean;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** `null`: switched off. */
  readonly rateLimits: Readonly<Record<RateLimitName, RateLimit | null>>;
  /** `null`: the file that the program brings. */
  readonly configFile: string | null;
  /** The value of any variable, for the references of the configuration file; null when it is absent or empty. */
  readonly variable: (name: string) => string | null;
  readonly models: {
    readonly openaiApiKey: string | null;
    readonly openaiBaseUrl: string | null;
    readonly chatModel: string | null;
    readonly embeddingModel: string | null;
    readonly anthropicApiKey: string | null;
    readonly anthropicBaseUrl: string | null;
    readonly googleApiKey: string | null;
    readonly googleBaseUrl: string | null;
    readonly pineconeApiKey: string | null;
  };
  readonly uploads: { readonly maxBytes: number; readonly maxFiles: number };
  readonly extraction: { readonly timeoutMs: number; readonly memoryMb: number };
  readonly limits: {
    readonly maxMessageChars: number;
    readonly maxQueryDepth: number;
    readonly maxQueryCost: number;
    readonly maxSubscriptionsPerConnection: number;
    readonly maxConnectionsPerUser: number;
    readonly replayWindowEvents: number;
    readonly maxBodyBytes: number;
  };
  /** Between two pings of a socket. */
  readonly keepaliveMs: number;
  readonly retry: { readonly maxAttempts: number; readonly baseDelayMs: number; readonly maxDelayMs: number };
  /** How long calls of models may take: until the first piece, between two, and for one request for embeddings. */
  readonly calls: { readonly firstTokenMs: number; readonly silenceMs: number; readonly embeddingMs: number };
  readonly outbound: { readonly poolSize: number; readonly connectTimeoutMs: number; readonly allowedNetworks: readonly string[] };
  readonly circuit: { readonly failures: number; readonly openMs: number };
  /** `null`: no traces are exported. */
  readonly langfuse: { readonly publicKey: string; readonly secretKey: string; readonly host: string } | null;
  readonly evaluation: { readonly model: string | null; readonly apiKey: string | null };
}

/** The environment cannot be used; `faults` holds one sentence group per fault and `message` all of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? 'One setting is' : `${faults.length} settings are`;
    super(`${count} wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads and checks the environment; an empty value counts as absent. Throws `ConfigError` with every fault. */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = withoutEmpty(env);
  const { values, faults } = readEach(given);
  faults.push(...unknownLimits(given), ...contradictions(values, given));
  if (faults.length > 0) throw new ConfigError(faults);
  // A function, so that whoever prints the configuration prints no environment.
  return { ...toConfig(values as Environment), variable: (name) => (Object.hasOwn(given, name) ? (given[name] as string) : null) };
}

function withoutEmpty(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const trimmed = Object.entries(env).map(([name, value]) => [name, value?.trim() ?? ''] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value !== ''));
}

/** Reads variable by variable, so that the rules across variables can still look at those that are sound. */
function readEach(given: Readonly<Record<string, string>>): { values: Partial<Environment>; faults: string[] } {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [name, schema] of Object.entries<z.ZodType>(environmentSchema.shape)) {
    const result = schema.safeParse(given[name]);
    if (result.success) values[name] = result.data;
    else faults.push(faultOf(name, given[name] ?? '', schema));
  }
  return { values: values as Partial<Environment>, faults };
}

function faultOf(name: string, value: string, schema: z.ZodType): string {
  const { allowed, example, secret } = notesOf(schema);
  const shown = secret === true ? 'has a value that cannot be used (not shown)' : `is ${JSON.stringify(shorten(value))}`;
  const remedy = example === '' ? 'Correct it or remove it.' : `Correct it, for example ${name}=${example}, or remove it.`;
  return `${name} ${shown}. Allowed: ${allowed}. ${remedy}`;
}

function shorten(value: string): string {
  return value.length > 80 ? `${value.slice(0, 79)}…` : value;
}

function unknownLimits(given: Readonly<Record<string, string>>): string[] {
  return Object.keys(given)
    .filter((name) => name.startsWith('RATE_LIMIT_') && !Object.hasOwn(environmentSchema.shape, name))
    .map((name) => {
      const known = rateLimitNames.map((limit) => `RATE_LIMIT_${limit.toUpperCase()}`).join(', ');
      return `${name} names no limit. Allowed: ${known}. Correct the name or remove it.`;
    });
}

/** Rules across variables; a variable that could not be read is `undefined` here and breaks no rule a second time. */
function contradictions(values: Partial<Environment>, given: Readonly<Record<string, string>>): string[] {
  const faults: string[] = [];
  const environment = values.NODE_ENV;
  const serious = environment === 'production' || environment === 'staging';
  if (serious && given.JWT_SECRET_KEY === undefined) {
    faults.push(
      `JWT_SECRET_KEY is absent, and ${environment} needs one of its own. Allowed: at least 32 characters. ` +
        'Make one with: openssl rand -base64 48',
    );
  } else if (serious && (values.JWT_SECRET_KEY?.length ?? 32) < 32) {
    faults.push(
      `JWT_SECRET_KEY has ${values.JWT_SECRET_KEY?.length} characters (not shown). Allowed in ${environment}: ` +
        'at least 32 characters. Make one with: openssl rand -base64 48',
    );
  }
  if (serious && (values.SECRETS_KEY?.length ?? 32) < 32) {
    faults.push(`SECRETS_KEY has ${values.SECRETS_KEY?.length} characters (not shown). Allowed in ${environment}: at least 32 characters. Make one with: openssl rand -base64 48`);
  }
  if (values.DATABASE_URL !== undefined && values.POSTGRES_URL !== undefined && values.DATABASE_URL !== values.POSTGRES_URL) {
    faults.push(
      'DATABASE_URL and POSTGRES_URL name different databases (not shown). Allowed: one of them, or the same value. ' +
        'Remove POSTGRES_URL if DATABASE_URL is right.',
    );
  }
  if (given.DATABASE_URL === undefined && given.POSTGRES_URL === undefined) {
    const shared = 'several processes need a shared PostgreSQL. Set DATABASE_URL, or';
    if (typeof values.WORKERS === 'number' && values.WORKERS > 1) {
      faults.push(`WORKERS is ${values.WORKERS} without DATABASE_URL. Allowed: 1 or auto; ${shared} WORKERS=1.`);
    }
    if (values.APP_ROLE !== undefined && values.APP_ROLE !== 'all') {
      faults.push(`APP_ROLE is "${values.APP_ROLE}" without DATABASE_URL. Allowed: all; ${shared} APP_ROLE=all.`);
    }
  }
  if (environment === 'production') {
    if (values.ALLOWED_ORIGINS?.includes('*')) {
      faults.push('ALLOWED_ORIGINS is "*" in production. Allowed: exact origins. Name them, such as https://chat.example.com.');
    }
    if (values.SEED === true) faults.push('SEED is on in production. Allowed: off; the demo user has a password that everybody knows. Remove it.');
    for (const limit of rateLimitNames.map(variableOf)) {
      if (values[limit] === 'off') faults.push(`${limit} is "off" in production. Allowed: count/seconds. Set a number, such as 100/60.`);
    }
  }
  if ((values.RETRY_MAX_DELAY_MS ?? Infinity) < (values.RETRY_BASE_DELAY_MS ?? 0)) {
    faults.push(
      `RETRY_MAX_DELAY_MS is ${values.RETRY_MAX_DELAY_MS}, less than RETRY_BASE_DELAY_MS (${values.RETRY_BASE_DELAY_MS}). ` +
        'Allowed: at least as much. Raise it or lower the other.',
    );
  }
  if ((given.LANGFUSE_PUBLIC_KEY === undefined) !== (given.LANGFUSE_SECRET_KEY === undefined)) {
    faults.push('Only one of LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY is set. Allowed: both or none. Set the other or remove both.');
  }
  return faults;
}

function toConfig(values: Environment): Omit<Config, 'variable'> {
  const environment = values.NODE_ENV;
  const local = environment === 'development' || environment === 'test';
  const databaseUrl = values.DATABASE_URL ?? values.POSTGRES_URL ?? null;
  return {
    environment,
    version: packageJson.version,
    instanceId: randomBytes(4).toString('hex'),
    port: values.PORT,
    host: values.HOST ?? (environment === 'production' ? '0.0.0.0' : '127.0.0.1'),
    dataDir: values.DATA_DIR,
    databaseUrl,
    databasePoolSize: values.DATABASE_POOL_SIZE,
    databaseTimeoutMs: values.DATABASE_TIMEOUT_SECONDS * 1000,
    redis: { url: values.REDIS_URL ?? null, poolSize: values.REDIS_POOL_SIZE, commandTimeoutMs: values.REDIS_COMMAND_TIMEOUT_MS },
    jwtSecret: values.JWT_SECRET_KEY ?? null,
    secretsKey: values.SECRETS_KEY ?? null,
    accessTokenSeconds: Math.round(values.JWT_ACCESS_TOKEN_EXPIRE_HOURS * 3600),
    refreshTokenSeconds: Math.round(values.JWT_REFRESH_TOKEN_EXPIRE_DAYS * 86_400),
    allowedOrigins: values.ALLOWED_ORIGINS?.map((origin) => origin.toLowerCase()) ?? (local ? localOrigins : []),
    trustedProxies: values.TRUSTED_PROXIES,
    role: values.APP_ROLE,
    workers: values.WORKERS === 'auto' ? (databaseUrl === null ? 1 : availableParallelism()) : values.WORKERS,
    drainMs: values.DRAIN_TIMEOUT_SECONDS * 1000,
    runs: { capacity: values.RUN_CAPACITY, leaseSeconds: values.RUN_LEASE_SECONDS, interruptSeconds: values.INTERRUPT_TTL_SECONDS, maxTokens: values.RUN_MAX_TOKENS, maxSteps: values.RUN_MAX_STEPS, maxSeconds: values.RUN_MAX_SECONDS },
    seed: values.SEED ?? environment === 'development',
    logLevel: values.LOG_LEVEL ?? (environment === 'test' ? 'warn' : 'info'),
    rateLimits: rateLimitsOf(values),
    configFile: values.CONFIG_FILE ?? null,
    models: {
      openaiApiKey: values.LLM_API_KEY ?? values.OPENAI_API_KEY ?? null,
      openaiBaseUrl: values.OPENAI_BASE_URL ?? null,
      chatModel: values.LLM_MODEL ?? null,
      embeddingModel: values.EMBEDDING_MODEL ?? null,
      anthropicApiKey: values.ANTHROPIC_API_KEY ?? null,
      anthropicBaseUrl: values.ANTHROPIC_BASE_URL ?? null,
      googleApiKey: values.GOOGLE_API_KEY ?? null,
      googleBaseUrl: values.GOOGLE_BASE_URL ?? null,
      pineconeApiKey: values.PINECONE_API_KEY ?? null,
    },
    uploads: { maxBytes: values.UPLOAD_MAX_BYTES, maxFiles: values.UPLOAD_MAX_FILES },
    extraction: { timeoutMs: values.EXTRACTION_TIMEOUT_SECONDS * 1000, memoryMb: values.EXTRACTION_MEMORY_MB },
    limits: {
      maxMessageChars: values.MAX_MESSAGE_CHARS,
      maxQueryDepth: values.MAX_QUERY_DEPTH,
      maxQueryCost: values.MAX_QUERY_COST,
      maxSubscriptionsPerConnection: values.MAX_SUBSCRIPTIONS_PER_CONNECTION,
      maxConnectionsPerUser: values.MAX_CONNECTIONS_PER_USER ?? (local ? 10_000 : 50),
      replayWindowEvents: values.REPLAY_WINDOW_EVENTS,
      maxBodyBytes: values.MAX_BODY_BYTES,
    },
    keepaliveMs: values.KEEPALIVE_SECONDS * 1000,
    retry: {
      maxAttempts: values.RETRY_MAX_ATTEMPTS,
      baseDelayMs: values.RETRY_BASE_DELAY_MS,
      maxDelayMs: values.RETRY_MAX_DELAY_MS,
    },
    calls: {
      firstTokenMs: values.MODEL_FIRST_TOKEN_TIMEOUT_SECONDS * 1000,
      silenceMs: values.MODEL_SILENCE_TIMEOUT_SECONDS * 1000,
      embeddingMs: values.EMBEDDING_TIMEOUT_SECONDS * 1000,
    },
    outbound: { poolSize: values.MODEL_POOL_SIZE, connectTimeoutMs: values.MODEL_CONNECT_TIMEOUT_MS, allowedNetworks: values.PROVIDER_ALLOWED_NETWORKS ?? [] },
    circuit: { failures: values.CIRCUIT_FAILURES, openMs: values.CIRCUIT_OPEN_SECONDS * 1000 },
    langfuse:
      values.LANGFUSE_PUBLIC_KEY === undefined || values.LANGFUSE_SECRET_KEY === undefined
        ? null
        : {
            publicKey: values.LANGFUSE_PUBLIC_KEY,
            secretKey: values.LANGFUSE_SECRET_KEY,
            host: values.LANGFUSE_HOST ?? 'https://cloud.langfuse.com',
          },
    evaluation: { model: values.EVALUATION_LLM ?? null, apiKey: values.EVALUATION_API_KEY ?? null },
  };
}

/** Where the usual development servers of front ends run. */
const localOrigins = [3000, 5173].flatMap((port) => [`http://localhost:${port}`, `http://127.0.0.1:${port}`]);

const productionLimits: Record<RateLimitName, RateLimit> = {
  register: { count: 10, seconds: 3600 },
  login: { count: 20, seconds: 60 },
  send_message: { count: 30, seconds: 60 },
  chat_events: { count: 20, seconds: 60 },
  messages: { count: 50, seconds: 60 },
  test_provider: { count: 10, seconds: 60 },
  health: { count: 20, seconds: 60 },
  default_hour: { count: 50, seconds: 3600 },
  default_day: { count: 200, seconds: 86_400 },
};

function rateLimitsOf(values: Environment): Record<RateLimitName, RateLimit | null> {
  const limits = rateLimitNames.map((name) => {
    const set = values[variableOf(name)];
    return [name, set === 'off' ? null : (set ?? defaultLimit(name, values.NODE_ENV))] as const;
  });
  return Object.fromEntries(limits) as Record<RateLimitName, RateLimit | null>;
}

/** Production's numbers; staging's are wider where nothing is guessed at, those of one's own machine never in the way of a load test. */
function defaultLimit(name: RateLimitName, environment: Environment['NODE_ENV']): RateLimit {
  const { count, seconds } = productionLimits[name];
  if (environment === 'production') return { count, seconds };
  if (environment === 'staging') {
    return { count: name === 'default_day' ? 500 : name === 'default_hour' ? 100 : count, seconds };
  }
  return { count: count * 1000, seconds };
}

function variableOf<N extends RateLimitName>(name: N): `RATE_LIMIT_${Uppercase<N>}` {
  return `RATE_LIMIT_${name.toUpperCase() as Uppercase<N>}`;
}
