// A whole Parley for a test: the real app on an in-memory PGlite behind a real HTTP server on a free port, and clients.
import { openAsBlob } from 'node:fs';
import { inject } from 'vitest';
import { createApp, type AppOptions, type RunningApp } from '../../src/app.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { startServer, type RunningServer, type ServerOptions } from '../../src/server.ts';
import { visit, type Door } from './visitor.ts';

export { password, type Answer, type Subscription, type TestUser } from './visitor.ts';

export interface TestApp extends Omit<Door, 'leave'> {
  readonly app: RunningApp;
  readonly server: RunningServer;
  /** Closes clients, server and app; `drainMs` as in the app's close. */
  close(drainMs?: number): Promise<void>;
}

/** Starts an app, in memory or (`onDisk`) in DATA_DIR; close it in afterAll. `env` overrides variables, `log` takes what would be printed, `nodeTypes` and `tools` are added. */
export async function createTestApp(env: Record<string, string> = {}, options: ServerOptions & Pick<AppOptions, 'log' | 'nodeTypes' | 'tools'> & { onDisk?: boolean } = {}): Promise<TestApp> {
  const config = loadConfig({ NODE_ENV: 'test', PORT: '0', LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'fatal', ...env });
  const app = await createApp(config, { inMemory: !options.onDisk, template: await openAsBlob(inject('databaseTemplate')), ...(options.log && { log: options.log }), ...(options.nodeTypes && { nodeTypes: options.nodeTypes }), ...(options.tools && { tools: options.tools }) });
  const server = await startServer(app, options);
  const { leave, ...door } = visit(server.url);
  return {
    ...door,
    app,
    server,
    async close(drainMs) {
      await leave();
      await server.close();
      await app.close(drainMs);
    },
  };
}
