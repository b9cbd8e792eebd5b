// An instance's bus over Redis, with what belongs to it.
import { randomBytes } from 'node:crypto';
import { createRedisBus } from '../../src/platform/bus.redis.ts';
import { createLocalBus, type Bus } from '../../src/platform/bus.ts';
import { createLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { openRedis } from '../../src/platform/redis.ts';

export interface TestBus extends Bus {
  readonly instanceId: string;
  /** What it has counted, e.g. { 'out sent': 3 }. */
  counted(): Promise<Record<string, number>>;
}

/** Opens it without waiting for Redis. */
export function openTestBus(url: string, onError: (error: unknown) => void = () => undefined, commandTimeoutMs = 1_000): TestBus {
  const instanceId = randomBytes(4).toString('hex');
  const log = createLog({ environment: 'test', logLevel: process.env['LOG_LEVEL'] === 'debug' ? 'debug' : 'silent', instanceId });
  const redis = openRedis({ redis: { url, poolSize: 1, commandTimeoutMs }, instanceId }, log);
  const metrics = createMetrics({ process: false });
  const bus = createRedisBus({ local: createLocalBus(onError), redis, instanceId, log, metrics });
  return {
    ...bus,
    instanceId,
    async counted() {
      const { values } = await metrics.busMessages.get();
      return Object.fromEntries(values.map(({ labels, value }) => [`${labels.direction} ${labels.outcome}`, value]));
    },
    async close() {
      await bus.close();
      await redis.close();
    },
  };
}
