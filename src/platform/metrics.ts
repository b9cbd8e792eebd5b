// What is counted, for Prometheus (/metrics). Names end in their unit.
import { Counter, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
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
  /** Calls of models, and refusals of open circuits, by what came of them: OK or an error code. Models of workspaces count as one. */
  readonly modelCalls: Counter<'model' | 'outcome'>;
  /** Calls that followed a failed one of the same model, by why that failed. */
  readonly modelRetries: Counter<'model' | 'reason'>;
  /** Models that went on in place of another, by why that failed. */
  readonly modelFallbacks: Counter<'from' | 'to' | 'reason'>;
  /** Circuits that opened. */
  readonly circuitsOpened: Counter<'model'>;
  /** From a model's request to its first piece. */
  readonly modelFirstToken: Histogram<'model'>;
  readonly modelTokens: Counter<'model' | 'direction'>;
  readonly modelCost: Counter<'model'>;
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
    modelCalls: new Counter({ name: 'parley_model_calls_total', help: 'Calls of models, by outcome: OK or an error code.', labelNames: ['model', 'outcome'], registers: [registry] }),
    modelRetries: new Counter({ name: 'parley_model_retries_total', help: 'Calls that followed a failed one of the same model, by reason.', labelNames: ['model', 'reason'], registers: [registry] }),
    modelFallbacks: new Counter({ name: 'parley_model_fallbacks_total', help: 'Models that went on in place of another, by reason.', labelNames: ['from', 'to', 'reason'], registers: [registry] }),
    circuitsOpened: new Counter({ name: 'parley_circuits_opened_total', help: 'Circuits of models that opened.', labelNames: ['model'], registers: [registry] }),
    modelFirstToken: new Histogram({ name: 'parley_model_first_token_seconds', help: "From a model's request to its first piece.", labelNames: ['model'], buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers: [registry] }),
    modelTokens: new Counter({ name: 'parley_model_tokens_total', help: 'Tokens sent to models (in) and written by them (out).', labelNames: ['model', 'direction'], registers: [registry] }),
    modelCost: new Counter({ name: 'parley_model_cost_usd_total', help: "US dollars, by the catalog's prices.", labelNames: ['model'], registers: [registry] }),
    busMessages: new Counter({ name: 'parley_bus_messages_total', help: 'Messages between instances, by direction (in, out) and outcome.', labelNames: ['direction', 'outcome'], registers: [registry] }),
  };
}
