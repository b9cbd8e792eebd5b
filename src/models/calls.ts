// What surrounds every call to a provider: how often it is made, with which pauses, and how long it may take.
import { setTimeout as sleep } from 'node:timers/promises';
import { halfJitterGenerator } from 'cockatiel';
import type { Metrics } from '../platform/metrics.ts';
import type { Circuits } from './circuits.ts';
import { CallTimedOutError, circuitOpen, classifyProviderError, failureRules, type ProviderFailure, type ProviderFailureCode } from './failures.ts';
import type { ProviderHealth } from './provider-health.ts';

/** How failed calls are repeated; see configuration.retry. */
export interface RetryPolicy {
  /** Calls in all. */
  readonly maxAttempts: number;
  /** Before the second call; twice as long before each further one, and up to half less at random. */
  readonly baseDelayMs: number;
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

/** Calls one model until it answers, as often as the policy allows. Rejects only with the signal's reason, once it aborts. */
export async function persist<T>(model: CalledModel, parts: CallParts, { signal, call, mayRepeat, onEnd }: Persistence<T>): Promise<Outcome<T>> {
  const { retry, circuits, health, metrics, pause = sleepFor } = parts;
  const end = (end: CallEnd): void => {
    metrics.modelCalls.inc({ model: model.label, outcome: end.errorCode ?? 'OK' });
    onEnd(end);
  };
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const pass = await circuits.enter(model.circuit);
    if ('retryAfterMs' in pass) {
      end({ attempt, errorCode: 'CIRCUIT_OPEN', durationMs: 0 });
      return { failure: circuitOpen(pass.retryAfterMs), cause: null };
    }
    const start = performance.now();
    const tookMs = (): number => Math.round(performance.now() - start);
    try {
      signal.throwIfAborted();
      const value = await call({ answered: () => pass.answered() });
      pass.succeeded();
      health.succeeded(model.provider);
      end({ attempt, errorCode: null, durationMs: tookMs() });
      return { value };
    } catch (cause) {
      if (signal.aborted) {
        pass.left();
        throw signal.reason;
      }
      const failure = classifyProviderError(cause);
      if (failureRules[failure.code].opensCircuit) await pass.failed();
      else pass.left();
      health.failed(model.provider, failure.message);
      end({ attempt, errorCode: failure.code, durationMs: tookMs() });
      const delayMs = Math.max(failure.retryAfterMs ?? 0, halfJitterGenerator(attempt - 1, { initialDelay: retry.baseDelayMs, maxDelay: retry.maxDelayMs, exponent: 2, generator: halfJitterGenerator })[0]);
      // A provider that asks for more patience than anybody has is not asked again.
      if (!failure.retryable || attempt >= retry.maxAttempts || delayMs > retry.maxDelayMs || !mayRepeat()) return { failure, cause };
      metrics.modelRetries.inc({ model: model.label, reason: failure.code });
      await pause(delayMs, signal);
    }
  }
}

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

/** The time that a call may still take. */
export interface TimeLimit {
  /** Aborts when the time is up or the caller's signal aborts. */
  readonly signal: AbortSignal;
  /** Begins the time anew, from now on with this many milliseconds. */
  extend(ms: number): void;
  /** What the work gives, or the reason as soon as the signal aborts: not every client listens. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the clock, and closes what still runs under the signal. */
  end(): void;
}

/** Starts the clock of one call. */
export function limitTime(ms: number, outer: AbortSignal): TimeLimit {
  const own = new AbortController();
  const signal = AbortSignal.any([outer, own.signal]);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  signal.addEventListener('abort', () => aborted.reject(signal.reason as Error), { once: true });
  if (signal.aborted) aborted.reject(signal.reason as Error);
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
    race: (work) => Promise.race([work, aborted.promise]),
    end() {
      clearTimeout(timer);
      own.abort(new CallTimedOutError('The call is over.'));
    },
  };
}
