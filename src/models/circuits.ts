// Circuit breakers around models: after failures in a row nobody calls for a while, then one call probes. All instances
// share a circuit's state through Redis; without it, or while it is away, each instance keeps its own.
//
// cockatiel's breakers keep their state within the process. So the machine is written here: pure functions over a small row,
// which Redis stores by compare-and-set, in Redis's time.
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
  return { failures, openMs, maxOpenMs: 10 * openMs, probeMs: Math.max(calls.firstTokenMs, calls.embeddingMs) + 10_000 };
}

/** Leave to make one call. Say how it went, once; what is said never rejects, and resolves when it counts. */
export interface Pass {
  /** It begins to answer: if it is a probe, all calls pass again, but the first that fails opens the circuit anew. */
  answered(): Promise<void>;
  succeeded(): Promise<void>;
  failed(): Promise<void>;
  /** It says nothing about the model, e.g. because the caller gave up: a probe is given back. */
  left(): Promise<void>;
}

export interface Circuits {
  /** Leave to call, or, while calls do not pass, the milliseconds until it is worth another try. `label` is for onOpen. */
  enter(key: string, label?: string): Promise<Pass | { readonly retryAfterMs: number }>;
  state(key: string): Promise<CircuitState>;
}

export interface CircuitParts {
  readonly redis: Pick<Redis, 'attempt'> | null;
  readonly rules: CircuitRules;
  /** Called when one opens, by the instance whose call decided it, with the label of that call. */
  readonly onOpen?: (label: string) => void;
  /** Milliseconds since the epoch where Redis does not tell the time; Date.now unless a test says otherwise. */
  readonly now?: () => number;
}

/** A circuit as it is stored; one without a failure since the last success is not stored at all. */
interface Row {
  /** In a row. */
  readonly failures: number;
  /** How often it has opened since the last success. */
  readonly opened: number;
  /** Null while calls pass. */
  readonly openUntil: number | null;
  readonly probe: { readonly id: string; readonly until: number } | null;
}

const closed: Row = { failures: 0, opened: 0, openUntil: null, probe: null };

/** What a row becomes at a moment; the same row where nothing changes. */
type Change = (row: Row, now: number) => Row;

/** Nobody remembers a circuit for longer than this after its last change, or than it can be open. */
const forgetMs = 3_600_000;
/** When it is worth another try while somebody probes. */
const probeNewsMs = 1_000;
/** Others may write between reading and writing. Nobody loses so often in a row but under a storm of failures. */
const maxRaces = 50;
const readWithTime = `local time = redis.call('time') return {redis.call('get', KEYS[1]) or '', time[1], time[2]}`;
/** Stores ARGV[2] ('' for nothing) for ARGV[3] ms, unless what stands there is no longer ARGV[1] ('' for nothing). */
const storeIfUnchanged = `if (redis.call('get', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('del', KEYS[1]) else redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) end return 1`;

/** The circuits of one instance. While no circuit changes, a call waits for one command of Redis. */
export function createCircuits({ redis, rules, onOpen = () => undefined, now = Date.now }: CircuitParts): Circuits {
  const keepMs = forgetMs + rules.maxOpenMs;
  const here = new LRUCache<string, Row>({ max: 10_000, ttl: keepMs });

  /** Applies a change to the row, wherever it is kept, and returns what it was and is, and when. */
  async function change(key: string, next: Change): Promise<{ before: Row; after: Row; at: number }> {
    const id = `parley:circuit:${key}`;
    for (let race = 1; redis; race++) {
      const read = (await redis.attempt((client) => client.eval(readWithTime, 1, id))) as [string, string, string] | null;
      if (read === null) break;
      const [text, seconds, microseconds] = read;
      const at = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
      const before = readRow(text);
      const after = next(before, at);
      if (after === before || race > maxRaces) return { before, after: before, at };
      const written = await redis.attempt((client) => client.eval(storeIfUnchanged, 1, id, text, after === closed ? '' : JSON.stringify(after), keepMs));
      if (written === null) break;
      if (written === 1) return { before, after, at };
    }
    const at = now();
    const before = here.get(key) ?? closed;
    const after = next(before, at);
    if (after === closed) here.delete(key);
    else if (after !== before) here.set(key, after);
    return { before, after, at };
  }

  const failure = (probe: string): Change => (row, at) => {
    const isProbe = row.probe?.id === probe;
    // It is open already: this call began before.
    if (row.openUntil !== null && !isProbe) return row;
    const failures = row.failures + 1;
    if (!isProbe && failures < rules.failures) return { ...row, failures };
    return { failures, opened: row.opened + 1, openUntil: at + Math.min(rules.openMs * 2 ** row.opened, rules.maxOpenMs), probe: null };
  };
  // A probe that begins to answer and then breaks off is no success, but whoever waits for its end waits for a whole answer.
  const answer = (probe: string): Change => (row) => (row.probe?.id === probe ? { ...row, failures: rules.failures - 1, openUntil: null, probe: null } : row);
  // Late news of a call from before does not close what has opened since.
  const success = (probe: string): Change => (row) => (row === closed || (row.openUntil !== null && row.probe?.id !== probe) ? row : closed);
  const leave = (probe: string): Change => (row) => (row.probe?.id === probe ? { ...row, probe: null } : row);

  return {
    async enter(key, label = key) {
      const probe = randomUUID();
      const { after: row, at } = await change(key, (row, at) => {
        const isFree = row.openUntil !== null && row.openUntil <= at && (row.probe === null || row.probe.until <= at);
        return isFree ? { ...row, probe: { id: probe, until: at + rules.probeMs } } : row;
      });
      const probes = row.probe?.id === probe;
      if (row.openUntil !== null && !probes) return { retryAfterMs: row.openUntil > at ? row.openUntil - at : probeNewsMs };
      // In order, so that a success does not overtake what came before it. An absent Redis has an answer, so nothing rejects.
      let last = Promise.resolve();
      const say = (next: Change): Promise<void> =>
        (last = last.then(async () => {
          const { before, after } = await change(key, next);
          if (after.opened > before.opened) onOpen(label);
        }));
      return {
        answered: async () => void (probes && (await say(answer(probe)))),
        succeeded: () => say(success(probe)),
        failed: () => say(failure(probe)),
        left: async () => void (probes && (await say(leave(probe)))),
      };
    },
    async state(key) {
      const { after: row, at } = await change(key, (row) => row);
      if (row.openUntil === null) return 'CLOSED';
      return row.openUntil > at ? 'OPEN' : 'HALF_OPEN';
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
