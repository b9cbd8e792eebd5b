// Several real processes on one real PostgreSQL (without pgvector) and one real Redis, all on free ports of this machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { startProgram, type Ending } from './program.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { visit, type Door } from './visitor.ts';

/** One process of the cluster. */
export interface Instance extends Door {
  readonly pid: number;
  readonly output: () => string;
  readonly ending: Promise<Ending>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** SIGTERM; resolves with its end. */
  stop(): Promise<Ending>;
}

export interface Cluster {
  readonly postgres: TestPostgres;
  readonly redis: TestRedis;
  readonly databaseUrl: string;
  /** Starts another instance; `env` overrides variables, `withEffects` gives it the node type "tally". */
  start(env?: Record<string, string>, options?: { withEffects?: boolean }): Promise<Instance>;
  close(): Promise<void>;
}

const entryWithEffects = fileURLToPath(new URL('./instance.ts', import.meta.url));

/** Starts PostgreSQL and Redis; instances are started by the test. `env` holds for all of them. */
export async function startCluster(env: Record<string, string> = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-cluster-'));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const databaseUrl = await postgres.createDatabase('parley');
  const running = new Set<Instance>();
  return {
    postgres,
    redis,
    databaseUrl,
    async start(own = {}, { withEffects = false } = {}) {
      const program = await startProgram({
        cwd: folder,
        env: {
          NODE_ENV: 'test',
          PORT: '0',
          DATABASE_URL: databaseUrl,
          REDIS_URL: redis.url,
          JWT_SECRET_KEY: 'a secret that all instances of a test share',
          // Short, so that a takeover can be waited for.
          RUN_LEASE_SECONDS: '3',
          ...env,
          ...own,
        },
        ...(withEffects && { entry: entryWithEffects }),
      });
      const door = visit(program.url);
      const end = async (signal: NodeJS.Signals): Promise<Ending> => {
        running.delete(instance);
        await door.leave();
        return await program.stop(signal);
      };
      const instance: Instance = {
        ...door,
        pid: program.pid,
        output: program.output,
        ending: program.ending,
        kill: async () => void (await end('SIGKILL')),
        pause: () => void process.kill(program.pid, 'SIGSTOP'),
        resume: () => void process.kill(program.pid, 'SIGCONT'),
        stop: () => end('SIGTERM'),
      };
      running.add(instance);
      return instance;
    },
    async close() {
      await Promise.all([...running].map((instance) => instance.kill()));
      await redis.close();
      await postgres.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
