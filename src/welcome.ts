// What a start prints: where everything is, what is embedded, and what to do next.
import type { App } from './context.ts';
import type { Demo } from './demo.ts';
import type { RunningServer } from './server.ts';

/** The first screen. */
export function welcome(app: App, server: RunningServer, demo: Demo | null, milliseconds: number): string {
  const { url } = server;
  const { config, database, models } = app;
  const offline = models.defaultChatModelId.startsWith('offline:');
  const lines = [
    '',
    `  Parley ${config.version} is ready (${(milliseconds / 1000).toFixed(1)} s).`,
    '',
    ...(config.environment === 'development' ? [`  GraphiQL    ${url}/graphql`] : []),
    `  HTTP        ${url}/graphql`,
    `  WebSocket   ${url.replace('http', 'ws')}/graphql  (graphql-transport-ws)`,
    `  SSE         ${url}/graphql  (accept: text/event-stream)`,
    `  Health      ${url}/health`,
    `  Readiness   ${url}/ready`,
    '',
    `  Embedded: ${[database.kind === 'pglite' && `PGlite in ${config.dataDir}`, 'in-process events'].filter(Boolean).join(', ')}. ` +
      `Answers: ${models.defaultChatModelId}. Embeddings: ${models.defaultEmbeddingModelId}.`,
    ...(demo ? [`  Demo login: ${demo.email} / ${demo.password}`] : []),
    ...(offline ? ['  For a real model: OPENAI_API_KEY=sk-… npm start'] : []),
    '',
  ];
  return lines.join('\n');
}
