// What a start prints: where everything is, what is embedded, and what to do next.
import type { App } from './context.ts';
import type { Demo } from './demo.ts';
import type { Config } from './platform/config.ts';
import type { RunningServer } from './server.ts';

/** What the first screen tells of a process that serves; plain data, as it may be told by another process. */
export interface WelcomeFacts {
  readonly url: string;
  readonly isDatabaseEmbedded: boolean;
  readonly areEventsEmbedded: boolean;
  readonly chatModelId: string;
  readonly embeddingModelId: string;
  readonly demo: Demo | null;
}

/** The facts of this process. */
export function welcomeFacts({ database, redis, models }: App, { url }: RunningServer, demo: Demo | null): WelcomeFacts {
  return {
    url,
    isDatabaseEmbedded: database.kind === 'pglite',
    areEventsEmbedded: redis === null,
    chatModelId: models.defaultChatModelId,
    embeddingModelId: models.defaultEmbeddingModelId,
    demo,
  };
}

/** The first screen. */
export function welcome(config: Config, facts: WelcomeFacts, milliseconds: number): string {
  const { url, demo, chatModelId, embeddingModelId } = facts;
  const { role, workers } = config;
  const embedded = [facts.isDatabaseEmbedded && `PGlite in ${config.dataDir}`, facts.areEventsEmbedded && 'in-process events'].filter(Boolean).join(', ');
  const graphql = [
    ...(config.environment === 'development' ? [`  GraphiQL    ${url}/graphql`] : []),
    `  HTTP        ${url}/graphql`,
    `  WebSocket   ${url.replace('http', 'ws')}/graphql  (graphql-transport-ws)`,
    `  SSE         ${url}/graphql  (accept: text/event-stream)`,
  ];
  const lines = [
    '',
    `  Parley ${config.version} is ready (${(milliseconds / 1000).toFixed(1)} s).`,
    '',
    ...(role === 'worker' ? [] : graphql),
    `  Health      ${url}/health`,
    `  Readiness   ${url}/ready`,
    ...(role === 'worker' ? [`  Metrics     ${url}/metrics`] : []),
    '',
    ...(workers > 1 ? [`  Processes: ${workers} on this port.`] : []),
    ...(role === 'api' ? ['  Role: api. Messages are answered and documents read by processes with APP_ROLE=worker.'] : []),
    ...(role === 'worker' ? ['  Role: worker. It answers messages and reads documents; GraphQL is served by processes with APP_ROLE=api.'] : []),
    `  ${embedded === '' ? '' : `Embedded: ${embedded}. `}Answers: ${chatModelId}. Embeddings: ${embeddingModelId}.`,
    ...(demo ? [`  Demo login: ${demo.email} / ${demo.password}`] : []),
    ...(chatModelId.startsWith('offline:') ? ['  For a real model: OPENAI_API_KEY=sk-… npm start'] : []),
    '',
  ];
  return lines.join('\n');
}
