// The composition root: the only file that chooses PGlite or PostgreSQL, memory or Redis; it registers what
// rooms offer, and starts and stops background work.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accountHooks } from './accounts/hooks.ts';
import { createToolRegistry, type Tool } from './agent/tools.ts';
import type { App } from './context.ts';
import { close as closeReaders } from './documents/extract.ts';
import { defineIngestion } from './documents/ingest.ts';
import { defineReembedding } from './documents/reembedding.ts';
import { defineRemoval } from './documents/removal.ts';
import { attachWithin } from './documents/service.ts';
import { createPgVectorStore } from './documents/vector-store.ts';
import { entities } from './entities.ts';
import { createGraphs } from './graph/build.ts';
import { createRegistry, type NodeType } from './graph/node.ts';
import { readNetwork } from './models/addresses.ts';
import { createModels, type ModelParts } from './models/catalog.ts';
import { circuitRules, createCircuits } from './models/circuits.ts';
import { readInstallation, withOwnProviders } from './models/installation.ts';
import { createOutbound } from './models/outbound.ts';
import { createProviderHealth } from './models/provider-health.ts';
import { createRunEngine } from './chat/engine.ts';
import { createTails } from './chat/tails.ts';
import * as registeredNodeTypes from './node-types.ts';
import { createRedisBus } from './platform/bus.redis.ts';
import { createLocalBus } from './platform/bus.ts';
import { openCache } from './platform/cache.ts';
import { openCheckpoints } from './platform/checkpoints.ts';
import type { Config } from './platform/config.ts';
import { openDataDirectory } from './platform/data-directory.ts';
import { openDatabase } from './platform/database.ts';
import { createJobs } from './platform/jobs.ts';
import { createLimits } from './platform/limits.ts';
import { createLog, type Logger } from './platform/log.ts';
import { createMetrics } from './platform/metrics.ts';
import { openRedis } from './platform/redis.ts';
import { lockStart } from './platform/start-lock.ts';
import { within } from './platform/within.ts';
import { defaultGraph, toolGraph } from './profiles/defaults.ts';
import { readDefaultProfiles, seedProfiles } from './profiles/seed.ts';
import { profileHooks } from './profiles/service.ts';
import { followProviderChanges } from './providers/catalog.ts';
import { taskAssistantGraph } from './tasks/graph.ts';
import * as registeredTools from './tools.ts';

/** What the steps of a graph may do. */
export const nodeTypes = Object.values(registeredNodeTypes) as unknown as readonly NodeType[];

/** What models may call. */
const tools = Object.values(registeredTools) as unknown as readonly Tool[];

export interface RunningApp extends App {
  /** Names of the migrations that this start applied. */
  readonly migrated: readonly string[];
  /**
   * Takes no more work and gives runs and jobs `timeoutMs` to finish before they are handed over; everything else goes on.
   * Takes no more than 1.5 s longer. A second call waits for the first.
   */
  drain(timeoutMs: number): Promise<void>;
  /** Drains, for `drainMs` (10 s) unless that was done before, and closes what is open. A second call waits for the first. */
  close(drainMs?: number): Promise<void>;
}

/** How long runs and jobs have to let go when their time is over. */
const handOverMs = 1_500;
/** How long another server's farewell is waited for; without it connections end with the process. */
const farewellMs = 500;

export interface AppOptions {
  /** Keeps the database in memory and touches no disk; for tests. */
  readonly inMemory?: boolean;
  /** A dump of a migrated PGlite to start from. */
  readonly template?: Blob;
  readonly log?: Logger;
  /** Types of nodes beside the product's own. */
  readonly nodeTypes?: readonly NodeType[];
  /** Tools beside the product's own. */
  readonly tools?: readonly Tool[];
}

/** What profiles lend to accounts, and documents and the agent to profiles. */
accountHooks.workspaceMade = seedProfiles;
profileHooks.attachDocuments = attachWithin;
profileHooks.tools = (app) => app.tools.descriptions;

/** Opens everything, in order, and closes what was opened when a later part fails. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<RunningApp> {
  const closers: (() => Promise<unknown>)[] = [];
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      const failures: unknown[] = [];
      for (const closer of closers.reverse()) await closer().catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be closed.');
    })());
  try {
    // First, as it takes no time and has the most faults to tell.
    const installation = readInstallation(config);
    const log = options.log ?? (await createLog(config));
    const embedded = config.databaseUrl === null && !options.inMemory;
    const directory = embedded ? await openDataDirectory(config.dataDir) : null;
    if (directory) closers.push(() => directory.close());
    // Until the last table is there.
    const unlockStart = await lockStart(config);
    closers.push(unlockStart);
    const database = await openDatabase({
      config,
      folder: directory ? join(directory.path, 'database') : null,
      entities,
      migrations: fileURLToPath(new URL('../migrations', import.meta.url)),
      ...(options.template && { template: options.template }),
    });
    /** Closes what lies elsewhere, which may not answer. What is embedded is waited for. */
    const leave = async (name: string, left: Promise<void>): Promise<void> => {
      if (database.kind === 'pglite') await left;
      else if (!(await within(farewellMs, left))) log.warn(`${name} could not be closed in time; its connections end with the process`);
    };
    closers.push(() => leave('the database', database.close()));
    const migrated = await database.migrate();
    const vectors = createPgVectorStore(database, log);
    await vectors.ensure();
    closers.push(() => leave('an index of vectors', vectors.close()));
    const redis = config.redis.url === null ? null : openRedis(config, log);
    if (redis) closers.push(() => leave('Redis', redis.close()));
    const metrics = createMetrics({ process: config.environment !== 'test' });
    const local = createLocalBus((error) => log.error({ err: error }, 'a listener failed'));
    const bus = redis ? createRedisBus({ local, redis, instanceId: config.instanceId, log, metrics }) : local;
    closers.push(() => leave('the bus', bus.close()));
    const cache = await openCache({ redis, bus, metrics, instanceId: config.instanceId });
    closers.push(() => cache.close());
    const checkpointer = await openCheckpoints(database, cache);
    const outbound = createOutbound({
      ...config.outbound,
      rules: { allowed: config.outbound.allowedNetworks.map(readNetwork), plainHttp: config.environment !== 'production' },
    });
    closers.push(() => outbound.close());
    const parts: ModelParts = {
      outbound,
      retry: config.retry,
      limits: config.calls,
      circuits: createCircuits({ redis, rules: circuitRules(config), onOpen: (model) => metrics.circuitsOpened.inc({ model }) }),
      health: createProviderHealth(redis),
      metrics,
    };
    const models = createModels(installation, parts);
    const jobs = createJobs(database, bus, log);
    closers.push(closeReaders);
    closers.push(() => leave('the queues of jobs', jobs.close()));
    const app: RunningApp = {
      config,
      log,
      database,
      redis,
      bus,
      cache,
      limits: createLimits({ limits: config.rateLimits, redis, metrics }),
      jobs,
      models,
      modelsWith: (workspaceId, own) => createModels(withOwnProviders(installation, own), parts, workspaceId),
      addressRules: outbound.rules,
      metrics,
      tails: createTails(() => app),
      vectors,
      checkpointer,
      tools: createToolRegistry([...tools, ...(options.tools ?? [])]),
      graphs: createGraphs(createRegistry([...nodeTypes, ...(options.nodeTypes ?? [])])),
      graphTemplates: [defaultGraph, toolGraph, taskAssistantGraph],
      defaultProfiles: [],
      jwtSecret: await jwtSecret(config, directory?.path ?? null),
      startedAt: new Date(),
      draining: false,
      activity: { subscriptions: 0, runs: 0 },
      migrated,
      drain: (timeoutMs) => {
        app.draining = true;
        return (draining ??= stopWork(timeoutMs));
      },
      close: (drainMs = 10_000) => app.drain(drainMs).finally(close),
    };
    app.defaultProfiles = readDefaultProfiles(app, installation);
    const engine = createRunEngine(app);
    let draining: Promise<void> | null = null;
    async function stopWork(timeoutMs: number): Promise<void> {
      const stopped = Promise.all([engine.stop(timeoutMs), jobs.stop(timeoutMs)]);
      if (!(await within(timeoutMs + handOverMs, stopped))) log.warn('work under way does not let go; it is left to others');
    }
    closers.push(await followProviderChanges(app));
    defineIngestion(app);
    defineRemoval(app);
    defineReembedding(app);
    await jobs.start({ work: config.role !== 'api' });
    await unlockStart();
    if (config.role !== 'api') await engine.start();
    return app;
  } catch (error) {
    // What made the start fail says more than what could not be closed after it.
    await close().catch(() => undefined);
    throw error;
  }
}

/** The configured secret, or one made once in the data directory so that tokens outlive a restart. */
async function jwtSecret(config: Config, directory: string | null): Promise<Uint8Array> {
  if (config.jwtSecret !== null) return new TextEncoder().encode(config.jwtSecret);
  if (directory === null) return randomBytes(48);
  const file = join(directory, 'jwt-secret');
  try {
    return await readFile(file);
  } catch {
    const secret = randomBytes(48);
    await writeFile(file, secret, { mode: 0o600, flag: 'wx' });
    return secret;
  }
}
