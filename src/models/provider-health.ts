// What the last calls of each provider said, for whoever looks at it: kept for a week by all instances together, or, without
// Redis, by each for itself.
import { LRUCache } from 'lru-cache';
import type { Redis } from '../platform/redis.ts';

export interface CallHistory {
  /** The last failure in our own words. */
  readonly lastError: string | null;
  readonly lastSucceededAt: Date | null;
}

export interface ProviderHealth {
  succeeded(key: string): void;
  failed(key: string, message: string): void;
  read(key: string): Promise<CallHistory>;
}

const keepMs = 7 * 86_400_000;
/** A success is news again after so long; between, the path of an answer is spared the writing. */
const newsMs = 5_000;

export function createProviderHealth(redis: Pick<Redis, 'attempt'> | null): ProviderHealth {
  const here = new LRUCache<string, { lastError: string | null; lastSucceededAt: number | null }>({ max: 10_000, ttl: keepMs });

  function note(key: string, field: 'lastError' | 'lastSucceededAt', value: string | number): void {
    here.set(key, { lastError: null, lastSucceededAt: null, ...here.get(key), [field]: value });
    const id = idOf(key);
    void redis?.attempt((client) => client.pipeline().hset(id, field, value).pexpire(id, keepMs).exec());
  }

  return {
    succeeded(key) {
      if (Date.now() - (here.get(key)?.lastSucceededAt ?? 0) >= newsMs) note(key, 'lastSucceededAt', Date.now());
    },
    failed: (key, message) => note(key, 'lastError', message),
    async read(key) {
      const shared = redis && (await redis.attempt((client) => client.hgetall(idOf(key))));
      const known = shared ?? here.get(key);
      return {
        lastError: known?.lastError ?? null,
        lastSucceededAt: known?.lastSucceededAt == null ? null : new Date(Number(known.lastSucceededAt)),
      };
    },
  };
}

const idOf = (key: string): string => `parley:provider:${key}`;
