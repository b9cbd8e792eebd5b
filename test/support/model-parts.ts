// What a catalog of models is made with, for tests without an app: nothing shared, and waits that take no time but are kept.
import { createModels, type ModelParts, type Models } from '../../src/models/catalog.ts';
import { createCircuits } from '../../src/models/circuits.ts';
import { createOutbound } from '../../src/models/outbound.ts';
import { createProviderHealth } from '../../src/models/provider-health.ts';
import { createMetrics, type Metrics } from '../../src/platform/metrics.ts';
import { installationOf, type EnvironmentModels } from './installation.ts';

/** Parts with defaults of their own; `pauses` holds the milliseconds of every wait between two calls. */
export function modelParts(change: Partial<Omit<ModelParts, 'metrics'>> = {}): ModelParts & { readonly pauses: number[]; readonly metrics: Metrics } {
  const pauses: number[] = [];
  return {
    outbound: createOutbound({ poolSize: 10, connectTimeoutMs: 20_000, rules: { allowed: [], plainHttp: true } }),
    retry: { maxAttempts: 3, baseDelayMs: 500, maxDelayMs: 10_000 },
    limits: { firstTokenMs: 30_000, silenceMs: 30_000, embeddingMs: 30_000 },
    circuits: createCircuits({ redis: null, rules: { failures: 1_000, openMs: 30_000, maxOpenMs: 300_000, probeMs: 60_000 } }),
    health: createProviderHealth(null),
    metrics: createMetrics({ process: false }),
    pause: async (ms, signal) => {
      signal.throwIfAborted();
      pauses.push(ms);
    },
    pauses,
    ...change,
  };
}

/** The catalog of an environment. */
export function modelsOf(environment: EnvironmentModels = {}, change: Partial<ModelParts> = {}): Models {
  return createModels(installationOf(environment), modelParts(change));
}
