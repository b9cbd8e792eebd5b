// The process' connections to Redis: some for commands, one that listens. Redis is help, never the truth: everything that
// asks it has an answer of its own for when it is slow or gone. No caller waits longer than the command timeout, and while
// the breaker is open nobody waits at all.
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import { Redis as Client } from 'ioredis';
import type { Config } from './config.ts';
import type { Logger } from './log.ts';

export type { Client as RedisClient };

/** Redis as the process sees it. */
export interface Redis {
  /** Runs commands on one of the pool's connections. Null when Redis does not answer in time, or lately did not: go on without. */
  attempt<T>(work: (client: Client) => Promise<T>): Promise<T | null>;
  /** Another connection, for a listener; closed with the others. */
  connect(name: string): Client;
  /** False from the first failures until commands succeed again. */
  readonly available: boolean;
  /** Milliseconds of one round trip; rejects when Redis cannot be reached. */
  ping(): Promise<number>;
  close(): Promise<void>;
}

/** Commands that fail one after the other until nobody waits for Redis any more. */
const failuresUntilOpen = 3;
/** Milliseconds until one command is tried again. */
const probeAfterMs = 1_000;
/** Longest pause between two attempts to connect. */
const maxReconnectDelayMs = 2_000;

/** Opens the connections without waiting for them: an absent Redis stops no start. */
export function openRedis(config: Pick<Config, 'redis' | 'instanceId'>, log: Logger): Redis {
  const { url, poolSize, commandTimeoutMs } = config.redis;
  if (url === null) throw new TypeError('Redis is opened only when REDIS_URL names it.');
  const open = new Set<Client>();
  let complained = false;

  const connect: Redis['connect'] = (name) => {
    const client = new Client(url, {
      connectionName: `parley-${config.instanceId}-${name}`,
      connectTimeout: commandTimeoutMs,
      commandTimeout: commandTimeoutMs,
      // Commands fail at once while there is no connection, instead of waiting for one.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), maxReconnectDelayMs) * (0.5 + Math.random() / 2),
      keepAlive: 10_000,
      // Its rejection would be nobody's; who listens subscribes again.
      autoResubscribe: false,
      // A connection that is given up need not say farewell.
      disconnectTimeout: 200,
    });
    open.add(client);
    client.on('error', (error: Error) => {
      if (!complained) log.warn({ err: error, connection: name }, 'Redis cannot be reached; going on without it');
      complained = true;
    });
    client.on('ready', () => {
      if (complained) log.info({ connection: name }, 'Redis is back');
      complained = false;
    });
    return client;
  };

  const pool = Array.from({ length: poolSize }, (_, index) => connect(`commands-${index}`));
  let turn = 0;
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: probeAfterMs, breaker: new ConsecutiveBreaker(failuresUntilOpen) });

  return {
    connect,
    async attempt(work) {
      const client = pool[turn++ % pool.length] as Client;
      try {
        return await breaker.execute(() => work(client));
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) log.debug({ err: error }, 'a command of Redis failed');
        // Nobody may be left at the other end of a connection that looks well: a new one finds out.
        if (error instanceof Error && error.message === 'Command timed out' && client.status === 'ready') client.disconnect(true);
        return null;
      }
    },
    get available() {
      return breaker.state === CircuitState.Closed && pool.some((client) => client.status === 'ready');
    },
    async ping() {
      const start = performance.now();
      await (pool[0] as Client).ping();
      return performance.now() - start;
    },
    async close() {
      await Promise.all(
        [...open].map(async (client) => {
          // A Redis that does not answer is left without a word.
          await Promise.race([client.quit().catch(() => undefined), sleep(200)]);
          client.disconnect();
        }),
      );
    },
  };
}
