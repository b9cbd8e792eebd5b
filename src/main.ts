// Starts Parley: reads the configuration, opens the app, listens, says where, and stops in order on SIGTERM or SIGINT.
import { createApp } from './app.ts';
import { demoToken, seedDemo } from './demo.ts';
import { loadConfig, type Config } from './platform/config.ts';
import { withEnvFiles } from './platform/env-files.ts';
import { assertPortFree, printStartupFailure } from './platform/startup.ts';
import { startServer } from './server.ts';
import { welcome } from './welcome.ts';

let config: Config | undefined;
try {
  config = loadConfig(withEnvFiles());
  // Before the database is opened and filled, which takes seconds at a first start.
  await assertPortFree(config);
  const app = await createApp(config);
  try {
    const ignored = ignoredSettings(config);
    if (ignored.length > 0) app.log.warn(`This version does nothing with ${ignored.join(', ')}.`);
    const demo = config.seed ? await seedDemo(app) : null;
    const developing = config.environment === 'development';
    const server = await startServer(app, developing ? { developmentToken: () => demoToken(app) } : {});
    console.log(welcome(app, server, demo, performance.now()));
    const stop = (): void => {
      // A second signal ends at once.
      process.once('SIGINT', () => process.exit(130));
      app.draining = true;
      server
        .close()
        .then(() => app.close())
        .then(() => process.exit(0))
        .catch((error: unknown) => {
          app.log.error({ err: error }, 'the stop failed');
          process.exit(1);
        });
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
} catch (error) {
  printStartupFailure(error, config);
  process.exit(1);
}

/** Settings that are checked but not acted upon yet: whoever sets them must not believe otherwise. */
function ignoredSettings({ workers, langfuse, models }: Config): string[] {
  const given: Readonly<Record<string, boolean>> = {
    WORKERS: workers > 1,
    LANGFUSE_PUBLIC_KEY: langfuse !== null,
    ANTHROPIC_API_KEY: models.anthropicApiKey !== null,
    GOOGLE_API_KEY: models.googleApiKey !== null,
    PINECONE_API_KEY: models.pineconeApiKey !== null,
  };
  return Object.keys(given).filter((name) => given[name]);
}
