// How often something may be asked for: fixed windows, counted in Redis by all instances together. Without Redis, or while
// it is away, each instance counts for itself.
import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Config, RateLimit, RateLimitName } from './config.ts';
import { RateLimitError } from './errors.ts';
import type { Metrics } from './metrics.ts';
import type { Redis, RedisClient } from './redis.ts';

/** Where somebody stands in a limit. */
export interface LimitStatus {
  /** The limit's name. */
  readonly bucket: RateLimitName;
  /** Requests per window. */
  readonly limit: number;
  readonly remaining: number;
  readonly used: number;
  /** What the request in question costs. */
  readonly cost: number;
  /** When the window ends; for a window that has not begun, when it would if it began now. */
  readonly resetAt: Date;
}

/** A request as a limit sees it: `subject` is who is counted, e.g. "user:…". */
export interface Counted {
  readonly name: RateLimitName;
  readonly subject: string;
  /** 1 when absent. */
  readonly cost?: number;
}

export interface Limits {
  /** Counts a request; throws RateLimitError when the window is used up. Null for a limit that is off. */
  consume(name: RateLimitName, subject: string, cost?: number): Promise<LimitStatus | null>;
  /**
   * Counts one request in several limits at once. Throws the RateLimitError of the longest wait when any refuses, and
   * takes back what the others counted: who waits out a short window has not used up a long one.
   */
  consumeAll(requests: readonly Counted[]): Promise<void>;
  /** Where somebody stands, without counting; null for a limit that is off. */
  status(name: RateLimitName, subject: string): Promise<LimitStatus | null>;
}

export interface LimitParts {
  readonly limits: Config['rateLimits'];
  /** Null: each instance counts for itself. */
  readonly redis: Redis | null;
  readonly metrics: Pick<Metrics, 'rateLimited'>;
}

/** The limits of one instance. No call waits longer than one command of Redis may take. */
export function createLimits({ limits, redis, metrics }: LimitParts): Limits {
  const here = new Map<RateLimitName, RateLimiterMemory>();
  const shared = new WeakMap<RedisClient, Map<RateLimitName, RateLimiterRedis>>();

  function inMemory(name: RateLimitName, limit: RateLimit): RateLimiterMemory {
    let limiter = here.get(name);
    if (!limiter) here.set(name, (limiter = new RateLimiterMemory(optionsOf(name, limit))));
    return limiter;
  }

  function inRedis(client: RedisClient, name: RateLimitName, limit: RateLimit): RateLimiterRedis {
    let limiters = shared.get(client);
    if (!limiters) shared.set(client, (limiters = new Map()));
    let limiter = limiters.get(name);
    if (!limiter) limiters.set(name, (limiter = new RateLimiterRedis({ ...optionsOf(name, limit), storeClient: client })));
    return limiter;
  }

  /** Asks the common counter, or this instance's own where that does not answer. */
  async function ask<T>(name: RateLimitName, limit: RateLimit, work: (limiter: RateLimiterAbstract) => Promise<T>): Promise<T> {
    // In a box, as null says that Redis did not answer.
    const answer = redis && (await redis.attempt(async (client) => ({ value: await work(inRedis(client, name, limit)) })));
    return answer ? answer.value : await work(inMemory(name, limit));
  }

  async function count({ name, subject, cost = 1 }: Counted): Promise<{ status: LimitStatus; refused: RateLimitError | null } | null> {
    const limit = limits[name];
    if (!limit) return null;
    const { counted, refused } = await ask(name, limit, async (limiter) => {
      try {
        return { counted: await limiter.consume(subject, cost), refused: false };
      } catch (thrown) {
        // The limiter throws its answer when it is no.
        if (thrown instanceof RateLimiterRes) return { counted: thrown, refused: true };
        throw thrown;
      }
    });
    const status = statusOf(name, limit, counted, cost);
    if (refused) metrics.rateLimited.inc({ limit: name });
    return { status, refused: refused ? new RateLimitError(status, limit.seconds, Math.max(1, Math.ceil(counted.msBeforeNext / 1000))) : null };
  }

  return {
    async consume(name, subject, cost) {
      const outcome = await count({ name, subject, ...(cost !== undefined && { cost }) });
      if (outcome?.refused) throw outcome.refused;
      return outcome?.status ?? null;
    },
    async consumeAll(requests) {
      const outcomes = await Promise.all(requests.map(count));
      const refusals = outcomes.flatMap((outcome) => outcome?.refused ?? []);
      const [longest] = refusals.sort((a, b) => b.retryAfterSeconds - a.retryAfterSeconds);
      if (!longest) return;
      requests.forEach(({ name, subject, cost = 1 }, index) => {
        const limit = limits[name];
        // Nobody waits for it: the refusal may have waited for Redis already.
        if (limit && !outcomes[index]?.refused) void ask(name, limit, (limiter) => limiter.reward(subject, cost));
      });
      throw longest;
    },
    async status(name, subject) {
      const limit = limits[name];
      return limit && statusOf(name, limit, await ask(name, limit, (limiter) => limiter.get(subject)), 1);
    },
  };
}

/** Limits of those who need no account; the others count a user, wherever the requests come from. */
const byAddress: ReadonlySet<RateLimitName> = new Set(['register', 'login', 'health']);

/** Who is counted by a limit: the user, or the address of a guest and where accounts do not matter. */
export function subjectOf(name: RateLimitName, userId: string | null, address: string | null): string {
  return userId !== null && !byAddress.has(name) ? `user:${userId}` : `address:${networkOf(address ?? 'unknown')}`;
}

/** An IPv4 address, or the first 64 bits of an IPv6 address: one household has that many to choose from. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  const plain = address.replace(/%.*$/, '');
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::') as [string, string?];
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  return `${[...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail ?? '')].slice(0, 4).join(':')}::/64`;
}

function optionsOf(name: RateLimitName, { count, seconds }: RateLimit) {
  return { keyPrefix: `parley:limit:${name}`, points: count, duration: seconds };
}

function statusOf(bucket: RateLimitName, limit: RateLimit, counted: RateLimiterRes | null, cost: number): LimitStatus {
  const running = counted && counted.msBeforeNext > 0 ? counted : null;
  // Refused requests are counted, too, and what was taken back may leave less than nothing.
  const used = Math.min(Math.max(running?.consumedPoints ?? 0, 0), limit.count);
  return { bucket, limit: limit.count, remaining: limit.count - used, used, cost, resetAt: new Date(Date.now() + (running?.msBeforeNext ?? limit.seconds * 1000)) };
}
