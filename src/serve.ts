// One process: opens the app, listens, says so, and stops in order when it is asked to.
import { createApp, type AppOptions, type RunningApp } from './app.ts';
import { demoToken, seedDemo } from './demo.ts';
import type { Config } from './platform/config.ts';
import { onStopSignals } from './platform/signals.ts';
import { isWorker, onStopMessage, tellReady } from './platform/workers.ts';
import { startServer, type RunningServer } from './server.ts';
import { welcome, welcomeFacts } from './welcome.ts';

/** What a stop may take when the time of runs is over: then the process ends, whatever still hangs. */
const endMs = 4_700;
/** Requests under way may take so long to finish, and this much even when runs took all their time. */
const requestsMs = 5_000;
const shortRequestsMs = 1_000;

/** Serves until a signal or the primary says stop; rejects when it cannot start. */
export async function serve(config: Config, options: Pick<AppOptions, 'nodeTypes'> = {}): Promise<void> {
  const app = await createApp(config, options);
  try {
    const ignored = ignoredSettings(config);
    if (ignored.length > 0) app.log.warn(`This version does nothing with ${ignored.join(', ')}.`);
    if (config.models.pineconeApiKey !== null) app.log.warn('PINECONE_API_KEY is read by nothing but the vector store that docs/extending.md shows; without that one, vectors are kept in the database.');
    // The demo has documents to read and a message to answer, which an api leaves to others.
    const demo = config.seed && config.role !== 'api' ? await seedDemo(app) : null;
    const developing = config.environment === 'development';
    const server = await startServer(app, developing ? { developmentToken: () => demoToken(app) } : {});
    let stopping = false;
    const stop = (): void => {
      if (!stopping) void end(app, server);
      stopping = true;
    };
    onStopSignals(stop);
    if (isWorker) {
      onStopMessage(stop);
      tellReady(welcomeFacts(app, server, demo));
    } else {
      console.log(welcome(config, welcomeFacts(app, server, demo), performance.now()));
    }
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
}

/**
 * Ends the process: with 0, or with 1 when something could not be stopped. First runs finish or are handed over, while
 * readers still hear them and whoever asks is told that new work goes elsewhere; then connections are closed, and last
 * what they need.
 */
async function end(app: RunningApp, server: RunningServer): Promise<never> {
  const { drainMs } = app.config;
  const began = performance.now();
  setTimeout(() => {
    app.log.error('the stop takes too long; the process ends without the rest of it');
    process.exit(1);
  }, drainMs + endMs);
  try {
    await app.drain(drainMs);
    const leftMs = drainMs + endMs / 2 - (performance.now() - began);
    await server.close(Math.max(shortRequestsMs, Math.min(requestsMs, leftMs)));
    await app.close();
    process.exit(0);
  } catch (error) {
    app.log.error({ err: error }, 'the stop failed');
    process.exit(1);
  }
}

/** Settings that are checked but not acted upon yet: whoever sets them must not believe otherwise. */
function ignoredSettings({ langfuse }: Config): string[] {
  const given: Readonly<Record<string, boolean>> = {
    LANGFUSE_PUBLIC_KEY: langfuse !== null,
  };
  return Object.keys(given).filter((name) => given[name]);
}
