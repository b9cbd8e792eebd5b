// Circuit breakers around models: after failures in a row nobody calls for a while, then one call probes. All instances
// share a circuit's state through Redis; without it, or while it is away, each instance keeps its own.
//
// A breaker of cockatiel keeps its state within the process, so the machine is written here: a pure function over a small
// row, which Redis stores by compare-and-set. Clocks of instances may differ by a little; a pause is thirty seconds.
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Config } from '../platform/config.ts';
import type { Redis } from '../platform/redis.ts';

/** CLOSED: calls pass. OPEN: none does. HALF_OPEN: one probes, or may. */
export type CircuitState = 'CLOSED' | 'HALF_OPEN' | 'OPEN';

export interface CircuitRules {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open the first time; twice as long after each probe that fails, up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** How long a probe is waited for; then its caller has died, and another may probe. */
  readonly probeMs: number;
}

/** The rules of an installation: an open circuit is tried again at least every ten times its first pause. */
export function circuitRules({ circuit, calls }: Pick<Config, 'circuit' | 'calls'>): CircuitRules {
  const { failures, openMs } = circuit;
  return { failures, openMs, maxOpenMs: 10 * openMs, probeMs: calls.firstTokenMs + 10_000 };
}

/** Leave to make one call. Say how it went, once. */
export interface Pass {
  /** It begins to answer: a probe has found out enough, and all calls pass again. */
  answered(): void;
  succeeded(): void;
  /** Resolves when it counts. */
  failed(): Promise<void>;
  /** It says nothing about the model, e.g. because the caller gave up: a probe is given back. */
  left(): void;
}

export interface Circuits {
  /** Null, with the milliseconds until it is worth another try, while calls do not pass. */
  enter(key: string): Promise<Pass | { readonly retryAfterMs: number }>;
  state(key: string): Promise<CircuitState>;
}

export interface CircuitParts {
  readonly redis: Pick<Redis, 'attempt'> | null;
  readonly rules: CircuitRules;
  /** Called when one opens, by the instance whose call decided it. */
  readonly onOpen?: (key: string) => void;
  /** Milliseconds since the epoch; Date.now unless a test says otherwise. */
  readonly now?: () => number;
}

/** A circuit as it is stored; one that is closed and without a failure is not stored at all. */
interface Row {
  readonly failures: number;
  /** How often it has opened without closing in between; 0: it is closed. */
  readonly opened: number;
  readonly openUntil: number;
  readonly probe: { readonly id: string; readonly until: number } | null;
}

const closed: Row = { failures: 0, opened: 0, openUntil: 0, probe: null };

/** Nobody may remember a circuit for longer than this after its last change. */
const forgetMs = 3_600_000;
/** Others may write between reading and writing; whoever loses so often in a row decides by what it has read. */
const maxRaces = 8;
/** Stores ARGV[2] ('' for nothing) for ARGV[3] ms, unless what stands there is no longer ARGV[1] ('' for nothing). */
const storeIfUnchanged = `if (redis.call('get', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('del', KEYS[1]) else redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) end return 1`;

/** The circuits of one instance. No call waits longer than two commands of Redis may take. */
export function createCircuits({ redis, rules, onOpen = () => undefined, now = Date.now }: CircuitParts): Circuits {
  const here = new LRUCache<string, Row>({ max: 10_000, ttl: forgetMs });

  /** Applies a change to the row, wherever it is kept, and returns what it was and is. */
  async function change(key: string, next: (row: Row) => Row): Promise<{ before: Row; after: Row }> {
    const id = `parley:circuit:${key}`;
    for (let race = 0; redis && race < maxRaces; race++) {
      const read = await redis.attempt(async (client) => ({ text: (await client.get(id)) ?? '' }));
      if (!read) break;
      const before = readRow(read.text);
      const after = next(before);
      if (after === before) return { before, after };
      const written = await redis.attempt((client) => client.eval(storeIfUnchanged, 1, id, read.text, after === closed ? '' : JSON.stringify(after), forgetMs));
      if (written === null) break;
      if (written === 1) return { before, after };
    }
    const before = here.get(key) ?? closed;
    const after = next(before);
    if (after === closed) here.delete(key);
    else if (after !== before) here.set(key, after);
    return { before, after };
  }

  async function fail(key: string, probe: string | null): Promise<void> {
    const { before, after } = await change(key, (row) => {
      const isProbe = probe !== null && row.probe?.id === probe;
      // It is open already: this call began before.
      if (row.opened > 0 && !isProbe) return row;
      const failures = row.failures + 1;
      if (!isProbe && failures < rules.failures) return { ...row, failures };
      const opened = row.opened + 1;
      return { failures, opened, openUntil: now() + Math.min(rules.openMs * 2 ** (opened - 1), rules.maxOpenMs), probe: null };
    });
    if (after.opened > before.opened) onOpen(key);
  }

  /** Background work of a call that goes on: it never rejects, since each step has an answer for an absent Redis. */
  const close = (key: string): void => void change(key, (row) => (row === closed ? row : closed));

  return {
    async enter(key) {
      const probe = randomUUID();
      const { after: row } = await change(key, (row) => {
        const isFree = row.opened > 0 && row.openUntil <= now() && (row.probe === null || row.probe.until <= now());
        return isFree ? { ...row, probe: { id: probe, until: now() + rules.probeMs } } : row;
      });
      const probes = row.probe?.id === probe;
      if (row.opened > 0 && !probes) return { retryAfterMs: Math.max(0, Math.max(row.openUntil, row.probe?.until ?? 0) - now()) };
      let over = false;
      return {
        answered: () => {
          if (probes && !over) close(key);
          over ||= probes;
        },
        succeeded: () => {
          // Late news of a call from before do not close what has opened since.
          if (probes && !over) close(key);
          else if (row.failures > 0) void change(key, (latest) => (latest.opened > 0 ? latest : closed));
        },
        failed: () => fail(key, probes && !over ? probe : null),
        left: () => {
          if (probes && !over) void change(key, (latest) => (latest.probe?.id === probe ? { ...latest, probe: null } : latest));
        },
      };
    },
    async state(key) {
      const { after: row } = await change(key, (row) => row);
      if (row.opened === 0) return 'CLOSED';
      return row.openUntil > now() ? 'OPEN' : 'HALF_OPEN';
    },
  };
}

/** What nobody here can read, e.g. of a later version, is as good as nothing. */
function readRow(text: string): Row {
  try {
    return text === '' ? closed : { ...closed, ...(JSON.parse(text) as Row) };
  } catch {
    return closed;
  }
}
