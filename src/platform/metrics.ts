// What is counted, for Prometheus (/metrics). Names end in their unit.
import { Counter, Registry, collectDefaultMetrics } from 'prom-client';
import { shareMetrics } from './worker-metrics.ts';
import { isWorker } from './workers.ts';

export interface Metrics {
  readonly registry: Registry;
  /** The text for Prometheus: of all workers where there are several; null when one of them does not answer in time. */
  read(): Promise<string | null>;
  /** Markers [n] of answers that nothing supported. */
  readonly inventedCitations: Counter;
  /** Runs that ended, by status. */
  readonly runs: Counter<'status'>;
  /** Look-ups in the cache: which kind, in which layer (memory, redis), with which outcome (hit, miss). */
  readonly cacheLookups: Counter<'kind' | 'layer' | 'outcome'>;
  /** Requests that a rate limit refused, by the limit's name. */
  readonly rateLimited: Counter<'limit'>;
  /**
   * Messages between instances, by direction and outcome. Out: sent, unsent (no connection), failed, dropped (too many waited),
   * oversized. In: received; and as they came, of one or more messages: own, unknown_version, oversized, junk.
   */
  readonly busMessages: Counter<'direction' | 'outcome'>;
}

/** A fresh registry; with `process` also the process's own figures (memory, event loop). */
export function createMetrics(options: { process: boolean }): Metrics {
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  return {
    registry,
    read: isWorker ? shareMetrics(registry) : () => registry.metrics(),
    inventedCitations: new Counter({ name: 'parley_invented_citations_total', help: 'Markers [n] of answers that nothing supported; they were dropped.', registers: [registry] }),
    runs: new Counter({ name: 'parley_runs_total', help: 'Runs that ended, by status.', labelNames: ['status'], registers: [registry] }),
    cacheLookups: new Counter({ name: 'parley_cache_lookups_total', help: 'Look-ups in the cache, by kind, layer and outcome.', labelNames: ['kind', 'layer', 'outcome'], registers: [registry] }),
    rateLimited: new Counter({ name: 'parley_rate_limited_total', help: 'Requests that a rate limit refused, by limit.', labelNames: ['limit'], registers: [registry] }),
    busMessages: new Counter({ name: 'parley_bus_messages_total', help: 'Messages between instances, by direction (in, out) and outcome.', labelNames: ['direction', 'outcome'], registers: [registry] }),
  };
}
