// Starts Parley: reads the configuration, and serves in this process or, with WORKERS, in several that this one looks after.
import { loadConfig, type Config } from './platform/config.ts';
import { withEnvFiles } from './platform/env-files.ts';
import { createLog } from './platform/log.ts';
import { assertPortFree, printStartupFailure } from './platform/startup.ts';
import { isWorker, runWorkers } from './platform/workers.ts';
import { serve } from './serve.ts';
import { welcome, type WelcomeFacts } from './welcome.ts';

let config: Config | undefined;
try {
  config = loadConfig(withEnvFiles());
  // Before the database is opened and filled, which takes seconds at a first start. Workers share the port of their primary.
  if (!isWorker) await assertPortFree(config);
  if (isWorker || config.workers === 1) await serve(config);
  else process.exit(await serveByWorkers(config));
} catch (error) {
  printStartupFailure(error, config);
  process.exit(1);
}

function serveByWorkers(config: Config): Promise<number> {
  return runWorkers<WelcomeFacts>({
    config,
    log: createLog(config),
    onReady: (facts) => console.log(welcome(config, facts, performance.now())),
  });
}
