// The metrics of all workers as one: the worker that is asked asks the primary, which asks each of them.
import cluster, { type Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { AggregatorRegistry, type Registry } from 'prom-client';

/** The primary waits 5 s for its workers; more is waited for the primary. */
const answerMs = 6_000;

type Request = { readonly type: 'parley:metricsWanted'; readonly id: string };
type Answer = { readonly type: 'parley:metrics'; readonly id: string; readonly text: string | null };

/** In the primary: answers workers that ask for the metrics of all. */
export function answerMetrics(): void {
  const all = new AggregatorRegistry();
  cluster.on('message', (worker: Worker, { type, id }: Request) => {
    if (type !== 'parley:metricsWanted') return;
    void all
      .clusterMetrics()
      .catch(() => null)
      .then((text) => worker.isConnected() && worker.send({ type: 'parley:metrics', id, text } satisfies Answer));
  });
}

/** In a worker: lends the primary this registry, and returns how to read those of all; null when one does not answer in time. */
export function shareMetrics(registry: Registry): () => Promise<string | null> {
  AggregatorRegistry.setRegistries([registry]);
  // Listens for the primary from now on.
  new AggregatorRegistry();
  const waiting = new Map<string, (text: string | null) => void>();
  process.on('message', ({ type, id, text }: Answer) => {
    if (type === 'parley:metrics') waiting.get(id)?.(text);
  });
  return async () => {
    const id = randomUUID();
    const { promise: answered, resolve } = Promise.withResolvers<string | null>();
    waiting.set(id, resolve);
    const timer = setTimeout(resolve, answerMs, null);
    process.send?.({ type: 'parley:metricsWanted', id } satisfies Request);
    return await answered.finally(() => {
      clearTimeout(timer);
      waiting.delete(id);
    });
  };
}
