// Several processes on one port (node:cluster). The primary accepts connections and hands them out in turn; it starts the
// workers, starts another when one dies, passes on that all should stop, and ends when they have. Workers are told by
// messages and not by signals: who signals a whole group, as terminals and service managers do, has told them already.
import cluster, { type Worker } from 'node:cluster';
import type { Config } from './config.ts';
import type { Logger } from './log.ts';
import { answerMetrics } from './worker-metrics.ts';
import { onStopSignals } from './signals.ts';

/** A worker that dies sooner than this died at once. */
const earlyMs = 30_000;
/** So many that died at once, one after the other: it is no accident. */
const maxEarlyDeaths = 5;
/** Milliseconds before another is started; doubles with each that died at once. */
const firstPauseMs = 500;
/** A worker that has not ended so long after its own limit is killed. */
const graceMs = 4_850;

type FromWorker = { readonly type: 'parley:ready'; readonly facts: unknown };
type ToWorker = { readonly type: 'parley:stop' };

export interface WorkersOptions<Facts> {
  readonly config: Pick<Config, 'workers' | 'drainMs'>;
  readonly log: Logger;
  /** Called once, when all of them are ready, with what the last one said. */
  readonly onReady: (facts: Facts) => void;
}

/** Whether this process is one of several that a primary has started. */
export const isWorker: boolean = cluster.isWorker;

/**
 * Runs the workers until they are asked to stop; resolves with the exit code. The first one starts alone, so that it makes
 * what is made once; when one dies before all are ready, the start has failed, and it has said why.
 */
export function runWorkers<Facts>({ config, log, onReady }: WorkersOptions<Facts>): Promise<number> {
  const { workers: count, drainMs } = config;
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const alive = new Map<number, { readonly worker: Worker; readonly forkedAt: number; ready: boolean }>();
  let isUp = false;
  let exitCode: number | null = null;
  let earlyDeaths = 0;

  function fork(): void {
    if (exitCode !== null) return;
    const worker = cluster.fork();
    alive.set(worker.id, { worker, forkedAt: performance.now(), ready: false });
  }

  function stop(code: number): void {
    exitCode ??= code;
    if (alive.size === 0) return end(exitCode);
    for (const { worker, ready } of alive.values()) {
      // One that is still starting has nothing to finish.
      if (ready && worker.isConnected()) worker.send({ type: 'parley:stop' } satisfies ToWorker);
      else worker.process.kill('SIGTERM');
    }
    setTimeout(() => {
      log.error({ workers: alive.size }, 'workers did not stop in time and are killed');
      exitCode = 1;
      killAll();
    }, drainMs + graceMs).unref();
  }

  function killAll(): void {
    for (const { worker } of alive.values()) worker.process.kill('SIGKILL');
  }

  cluster.on('message', (worker: Worker, message: FromWorker) => {
    const known = alive.get(worker.id);
    if (message.type !== 'parley:ready' || !known) return;
    known.ready = true;
    if (isUp || exitCode !== null) return;
    if (alive.size === 1) for (let index = 1; index < count; index++) fork();
    if ([...alive.values()].some(({ ready }) => !ready)) return;
    isUp = true;
    onReady(message.facts as Facts);
  });

  cluster.on('exit', (worker: Worker, code: number | null, signal: string | null) => {
    const known = alive.get(worker.id);
    alive.delete(worker.id);
    if (exitCode !== null) {
      // One that had not yet started need not say farewell.
      if (code !== 0 && known?.ready) exitCode = exitCode === 0 ? 1 : exitCode;
      if (alive.size === 0) end(exitCode);
    } else if (!isUp) {
      stop(code === null || code === 0 ? 1 : code);
    } else {
      replace(known ? performance.now() - known.forkedAt : 0, { pid: worker.process.pid, code, signal });
    }
  });

  function replace(livedMs: number, death: object): void {
    earlyDeaths = livedMs < earlyMs ? earlyDeaths + 1 : 0;
    if (earlyDeaths >= maxEarlyDeaths) {
      log.fatal({ ...death, deaths: earlyDeaths }, 'Workers die as soon as they have started; giving up. What they printed before says why: mend it and start again.');
      return stop(1);
    }
    const pauseMs = firstPauseMs * 2 ** Math.max(0, earlyDeaths - 1);
    log.warn({ ...death, pauseMs }, 'a worker has ended; another is started');
    setTimeout(fork, pauseMs);
  }

  answerMetrics();
  onStopSignals(
    () => stop(0),
    (code) => {
      killAll();
      process.exit(code);
    },
  );
  fork();
  return ended;
}

/** Tells the primary that this worker serves. */
export function tellReady(facts: object): void {
  process.send?.({ type: 'parley:ready', facts } satisfies FromWorker);
}

/** Calls `stop` when the primary says so. */
export function onStopMessage(stop: () => void): void {
  process.on('message', (message: ToWorker) => {
    if (message.type === 'parley:stop') stop();
  });
}
