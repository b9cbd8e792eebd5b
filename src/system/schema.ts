// What the installation itself is: health, status, and the configuration that clients need to know.
import { builder } from '../builder.ts';
import { permit, requireViewer, type Context } from '../context.ts';
import { cacheKinds } from '../platform/cache.ts';
import { componentStatuses, overallState, type ComponentStatus, type HealthState } from './status.ts';

const HealthStateEnum = builder.enumType('HealthState', {
  description: 'How something is.',
  values: {
    OK: { description: 'All of it works.' },
    DEGRADED: { description: 'It works, with something missing; the message says what.' },
    DOWN: { description: 'It does not work.' },
  },
});

const Health = builder.objectRef<{ state: HealthState }>('Health').implement({
  description: 'Whether the process answers.',
  fields: (t) => ({ state: t.expose('state', { type: HealthStateEnum, description: 'OK while the process answers.' }) }),
});

const ComponentStatusObject = builder.objectRef<ComponentStatus>('ComponentStatus').implement({
  description: 'One thing that the installation is made of.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'E.g. "database".' }),
    state: t.expose('state', { type: HealthStateEnum, description: 'How it is.' }),
    latencyMs: t.exposeFloat('latencyMs', { nullable: true, description: 'Milliseconds of one round trip, where there is one.' }),
    message: t.exposeString('message', { nullable: true, description: 'What is in use, or what is missing.' }),
  }),
});

const ProcessRoleEnum = builder.enumType('ProcessRole', {
  description: 'What a process does (APP_ROLE).',
  values: {
    ALL: { value: 'all' as const, description: 'It serves this API, answers messages and reads documents.' },
    API: { value: 'api' as const, description: 'It serves this API; messages are answered and documents read by others.' },
    WORKER: { value: 'worker' as const, description: 'It answers messages and reads documents, and serves no GraphQL: its role is told by its /ready.' },
  },
});

interface SystemStatus {
  readonly components: readonly ComponentStatus[];
  readonly queuedJobs: number;
}
const SystemStatusObject = builder.objectRef<SystemStatus>('SystemStatus').implement({
  description: 'How this instance is and what it does right now.',
  fields: (t) => ({
    state: t.field({ type: HealthStateEnum, description: 'The worst of its components.', resolve: ({ components }) => overallState(components) }),
    version: t.string({ description: 'Version of Parley.', resolve: (_status, _args, { app }) => app.config.version }),
    environment: t.string({ description: 'E.g. "production".', resolve: (_status, _args, { app }) => app.config.environment }),
    instanceId: t.string({ description: 'Names this process.', resolve: (_status, _args, { app }) => app.config.instanceId }),
    role: t.field({ type: ProcessRoleEnum, description: 'What this process does.', resolve: (_status, _args, { app }) => app.config.role }),
    startedAt: t.field({ type: 'DateTime', description: 'When this process started.', resolve: (_status, _args, { app }) => app.startedAt }),
    draining: t.boolean({ description: 'Whether it is about to stop and refuses new work.', resolve: (_status, _args, { app }) => app.draining }),
    activeSubscriptions: t.int({ description: 'Subscriptions open on this instance.', resolve: (_status, _args, { app }) => app.activity.subscriptions }),
    activeRuns: t.int({ description: 'Runs that this instance works on.', resolve: (_status, _args, { app }) => app.activity.runs }),
    queuedJobs: t.exposeInt('queuedJobs', { description: 'Background jobs that wait or are worked on, over all instances.' }),
    components: t.field({ type: [ComponentStatusObject], description: 'What it is made of.', resolve: ({ components }) => [...components] }),
  }),
});

const RetryPolicy = builder.objectRef<Context['app']['config']['retry']>('RetryPolicy').implement({
  description: 'How failed calls of a provider are repeated.',
  fields: (t) => ({
    maxAttempts: t.exposeInt('maxAttempts', { description: 'Tries in all.' }),
    baseDelayMs: t.exposeInt('baseDelayMs', { description: 'Wait before the second try; doubles with each.' }),
    maxDelayMs: t.exposeInt('maxDelayMs', { description: 'Longest wait.' }),
    jitter: t.boolean({ description: 'Whether waits vary at random.', resolve: () => true }),
  }),
});
const Limits = builder.objectRef<Context['app']['config']['limits']>('Limits').implement({
  description: 'What one request or connection may ask for.',
  fields: (t) => ({
    maxMessageChars: t.exposeInt('maxMessageChars', { description: 'UTF-16 length of a message.' }),
    maxQueryDepth: t.exposeInt('maxQueryDepth', { description: 'Nesting of an operation.' }),
    maxQueryCost: t.exposeInt('maxQueryCost', { description: 'Cost of an operation: an object costs 1, a value a tenth, a list its length times what is in it.' }),
    maxSubscriptionsPerConnection: t.exposeInt('maxSubscriptionsPerConnection', { description: 'Subscriptions on one WebSocket.' }),
    replayWindowEvents: t.exposeInt('replayWindowEvents', { description: 'Logged events that a resumed stream replays; further behind it gets StreamReset.' }),
  }),
});
const CacheTtl = builder.objectRef<{ kind: string; seconds: number }>('CacheTtl').implement({
  description: 'How long a kind of data may be served from the cache.',
  fields: (t) => ({
    kind: t.exposeString('kind', { description: 'The kind of data.' }),
    seconds: t.exposeInt('seconds', { description: 'Seconds.' }),
  }),
});
const UploadPolicy = builder.objectRef<Context['app']['config']['uploads']>('UploadPolicy').implement({
  description: 'What may be uploaded.',
  fields: (t) => ({
    maxBytes: t.exposeInt('maxBytes', { description: 'Bytes of one file.' }),
    maxFilesPerRequest: t.exposeInt('maxFiles', { description: 'Files of one request.' }),
    mediaTypes: t.stringList({ description: 'What is understood, told by content and not by name.', resolve: () => [...uploadMediaTypes] }),
  }),
});
/** What documents may be. */
export const uploadMediaTypes = [
  'application/pdf',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'text/markdown',
  'text/html',
  'text/plain',
] as const;

/** What clients need to know of the installation; rooms add their fields to it. */
export const Configuration = builder.objectRef<Context['app']['config']>('Configuration').implement({
  description: 'What clients need to know of the installation.',
  fields: (t) => ({
    environment: t.exposeString('environment', { description: 'E.g. "production".' }),
    version: t.exposeString('version', { description: 'Version of Parley.' }),
    retry: t.field({ type: RetryPolicy, description: 'How failed calls are repeated.', resolve: (config) => config.retry }),
    limits: t.field({ type: Limits, description: 'What may be asked for.', resolve: (config) => config.limits }),
    cacheTtls: t.field({ type: [CacheTtl], description: 'How long things are cached at most.', resolve: () => cacheKinds().map(({ name, ttlSeconds }) => ({ kind: name, seconds: ttlSeconds })) }),
    uploads: t.field({ type: UploadPolicy, description: 'What may be uploaded.', resolve: (config) => config.uploads }),
  }),
});

builder.queryFields((t) => ({
  health: t.field({ type: Health, description: 'Whether the process answers; for everybody.', resolve: () => ({ state: 'OK' as const }) }),
  status: t.field({
    type: SystemStatusObject,
    description: 'How this instance is.',
    resolve: async (_root, _args, ctx) => {
      requireViewer(ctx);
      const [components, queuedJobs] = await Promise.all([componentStatuses(ctx.app), ctx.app.jobs.pending()]);
      return { components, queuedJobs };
    },
  }),
  configuration: t.field({
    type: Configuration,
    description: 'What clients need to know of the installation. Needs CONFIG_READ.',
    resolve: (_root, _args, ctx) => {
      permit(ctx, 'CONFIG_READ');
      return ctx.app.config;
    },
  }),
}));
