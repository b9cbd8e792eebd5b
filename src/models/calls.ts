// What surrounds every call to a provider: how often it is made, with which pauses, and how long it may take.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { halfJitterGenerator } from 'cockatiel';
import type { Metrics } from '../platform/metrics.ts';
import type { Circuits } from './circuits.ts';
import { CallTimedOutError, circuitOpen, classifyProviderError, failureRules, ProviderError, type ProviderFailure, type ProviderFailureCode } from './failures.ts';
import type { ProviderHealth } from './provider-health.ts';

/** How failed calls are repeated; see configuration.retry. */
export interface RetryPolicy {
  /** Calls in all. */
  readonly maxAttempts: number;
  /** Before the second call; twice as long before each further one, and up to half less at random. */
  readonly baseDelayMs: number;
  /** No wait is longer; a provider that asks for a longer one is not called again. */
  readonly maxDelayMs: number;
}

/** How long calls may take. */
export interface CallLimits {
  /** Until the first piece of an answer. */
  readonly firstTokenMs: number;
  /** Between two pieces. */
  readonly silenceMs: number;
  /** One request for embeddings. */
  readonly embeddingMs: number;
}

/** Milliseconds of a request while somebody waits for what was found: less than search is patient, so that it counts as failed. */
export function waitedForMs({ limits }: Pick<CallParts, 'limits'>): number {
  return Math.min(limits.embeddingMs, searchPatienceMs - 2_000);
}

/** After this search goes on without the model that it waits for. */
export const searchPatienceMs = 10_000;

/** What all calls of a process share. */
export interface CallParts {
  readonly retry: RetryPolicy;
  readonly limits: CallLimits;
  readonly circuits: Circuits;
  readonly health: ProviderHealth;
  readonly metrics: Pick<Metrics, 'modelCalls' | 'modelFallbacks' | 'modelRetries' | 'modelFirstToken' | 'modelTokens' | 'modelCost'>;
  /** Waits; a test may wait otherwise. Rejects when the signal aborts. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A model as its calls are accounted for. */
export interface CalledModel {
  readonly id: string;
  /** Names its circuit: models of workspaces have their own, so that nobody's server closes another's. */
  readonly circuit: string;
  /** Names its provider's history of calls. */
  readonly provider: string;
  /** For metrics, where what workspaces add must not grow without bound. */
  readonly label: string;
}

/** One call, or one that was not made because the circuit is open. */
export interface CallEnd {
  /** From 1. */
  readonly attempt: number;
  readonly errorCode: ProviderFailureCode | null;
  readonly durationMs: number;
}

/** What a single call needs to know and to tell. */
export interface Call {
  /** To be called when the first piece has come. */
  readonly answered: () => void;
}

export interface Persistence<T> {
  readonly signal: AbortSignal;
  /** Makes one call. */
  readonly call: (call: Call) => Promise<T>;
  /** Whether another call may follow a failed one, e.g. not once its text was shown. */
  readonly mayRepeat: () => boolean;
  readonly onEnd: (end: CallEnd) => void;
}

export type Outcome<T> = { readonly value: T } | { readonly failure: ProviderFailure; readonly cause: unknown };

/**
 * Calls one model until it answers, as often as the policy allows. Rejects only with the signal's reason, at once when it
 * aborts: a call that is under way then is none that has ended, and says nothing about the model.
 */
export async function persist<T>(model: CalledModel, parts: CallParts, { signal, call, mayRepeat, onEnd }: Persistence<T>): Promise<Outcome<T>> {
  const { retry, health, metrics, pause = pauseFor } = parts;
  const count = (outcome: ProviderFailureCode | 'OK' | 'ABORTED'): void => metrics.modelCalls.inc({ model: model.label, outcome });
  for (let attempt = 1; ; attempt++) {
    const pass = await enter(model, parts.circuits, signal);
    if ('retryAfterMs' in pass) {
      count('CIRCUIT_OPEN');
      onEnd({ attempt, errorCode: 'CIRCUIT_OPEN', durationMs: 0 });
      return { failure: circuitOpen(pass.retryAfterMs), cause: null };
    }
    const start = performance.now();
    const end = (errorCode: ProviderFailureCode | null): void => {
      count(errorCode ?? 'OK');
      onEnd({ attempt, errorCode, durationMs: Math.round(performance.now() - start) });
    };
    try {
      const value = await call({ answered: () => void pass.answered() });
      void pass.succeeded();
      health.succeeded(model.provider);
      end(null);
      return { value };
    } catch (cause) {
      if (signal.aborted) {
        void pass.left();
        count('ABORTED');
        throw signal.reason;
      }
      const failure = classifyProviderError(cause);
      end(failure.code);
      health.failed(model.provider, failure.message);
      // Waited for, so that the next call meets the circuit that this one may have opened.
      if (failureRules[failure.code].opensCircuit) await unlessAborted(pass.failed(), signal);
      else void pass.left();
      const delayMs = Math.max(failure.retryAfterMs ?? 0, backOff(attempt, retry));
      // A provider that asks for more patience than anybody has is not asked again.
      if (!failure.retryable || attempt >= retry.maxAttempts || delayMs > retry.maxDelayMs || !mayRepeat()) return { failure, cause };
      await pause(delayMs, signal);
      metrics.modelRetries.inc({ model: model.label, reason: failure.code });
    }
  }
}

/**
 * What a request gives that shows nothing until it is complete, and so may be repeated. Each attempt takes `timeoutMs` at most. Rejects
 * with the signal's reason when it aborts, or with ProviderError.
 */
export async function insist<T>(model: CalledModel, parts: CallParts, { signal, timeoutMs, request }: { signal: AbortSignal; timeoutMs: number; request: (time: TimeLimit) => Promise<T> }): Promise<T> {
  let attempts = 0;
  const outcome = await persist(model, parts, {
    signal,
    mayRepeat: () => true,
    onEnd: ({ errorCode }) => void (errorCode === 'CIRCUIT_OPEN' || attempts++),
    async call() {
      const time = limitTime(timeoutMs, signal);
      try {
        return await request(time);
      } finally {
        time.end();
      }
    },
  });
  signal.throwIfAborted();
  if ('value' in outcome) return outcome.value;
  throw new ProviderError(outcome.failure, { providerId: model.id.split(':')[0] ?? '', attempts, cause: outcome.cause });
}

/** The circuit's leave; one that comes when nobody wants it any more is given back. */
async function enter({ circuit, label }: CalledModel, circuits: Circuits, signal: AbortSignal): ReturnType<Circuits['enter']> {
  signal.throwIfAborted();
  const entering = circuits.enter(circuit, label);
  try {
    const pass = await unlessAborted(entering, signal);
    signal.throwIfAborted();
    return pass;
  } catch (error) {
    void entering.then((pass) => 'left' in pass && void pass.left(), () => undefined);
    throw error;
  }
}

/** Milliseconds before the call after this one, by half at random: callers that failed together do not return together. */
function backOff(attempt: number, { baseDelayMs, maxDelayMs }: RetryPolicy): number {
  // This generator reads no more of its options than these.
  return halfJitterGenerator(attempt - 1, { initialDelay: baseDelayMs, maxDelay: maxDelayMs } as Parameters<typeof halfJitterGenerator>[1])[0];
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  // Timers count from when their turn of the event loop began, which may be a millisecond ago.
  const until = performance.now() + ms;
  try {
    for (let left = ms; left > 0; left = until - performance.now()) await sleep(Math.ceil(left), undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

/** What the work gives, or the reason as soon as the signal aborts; nothing is left behind. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The time that a call may still take. */
export interface TimeLimit {
  /** Aborts when the time is up or the caller's signal aborts. */
  readonly signal: AbortSignal;
  /** Begins the time anew, from now on with this many milliseconds. */
  extend(ms: number): void;
  /** What the work gives, or the reason as soon as the signal aborts: not every client listens. One work at a time. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the clock, and closes what still runs under the signal. */
  end(): void;
}

/** Starts the clock of one call. */
export function limitTime(ms: number, outer: AbortSignal): TimeLimit {
  const own = new AbortController();
  const signal = AbortSignal.any([outer, own.signal]);
  // Promise.race with one promise for the whole call would keep a reaction for every piece of a long answer.
  let giveUp: (reason: unknown) => void = () => undefined;
  signal.addEventListener('abort', () => giveUp(signal.reason), { once: true });
  let timer: NodeJS.Timeout;
  let current = ms;
  const begin = (): void => {
    timer = setTimeout(() => own.abort(new CallTimedOutError(`The call took longer than ${current} ms.`)), current);
  };
  begin();
  return {
    signal,
    extend(next) {
      if (next === current) return void timer.refresh();
      clearTimeout(timer);
      current = next;
      begin();
    },
    race: (work) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        work.then(resolve, reject);
        if (signal.aborted) reject(signal.reason as Error);
      }),
    end() {
      clearTimeout(timer);
      own.abort(new CallTimedOutError('The call is over.'));
    },
  };
}

const current = new AsyncLocalStorage<AbortSignal>();

/** Does the work, so that its requests by `abortable` close when the signal aborts; for clients that take no signal. */
export function underSignal<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return current.run(signal, work);
}

/** The same `fetch`, for underSignal. */
export function abortable(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (input, init) => {
    const signals = [init?.signal, current.getStore()].filter((signal) => signal != null);
    return fetch(input, signals.length === 0 ? init : { ...init, signal: AbortSignal.any(signals) });
  };
}
