// How the parts of this instance are, for `status`, /ready and the log.
import type { App } from '../context.ts';

export type HealthState = 'OK' | 'DEGRADED' | 'DOWN';

export interface ComponentStatus {
  readonly name: string;
  readonly state: HealthState;
  /** Milliseconds of one round trip. */
  readonly latencyMs: number | null;
  readonly message: string | null;
}

/** Asks each part; a part that fails is DOWN and does not hide the others. */
export async function componentStatuses(app: App): Promise<ComponentStatus[]> {
  const { database, models } = app;
  const answering = models.find(models.defaultChatModelId);
  const [databaseIs, redisIs] = await Promise.all([databaseStatus(app), redisStatus(app)]);
  return [
    databaseIs,
    {
      name: 'vectors',
      state: database.vectors ? 'OK' : 'DEGRADED',
      latencyMs: null,
      message: database.vectors ? 'pgvector' : 'The server has no "vector" extension: search is by keyword only.',
    },
    ...(redisIs ? [redisIs] : []),
    busStatus(app),
    { name: 'model', state: answering?.isAvailable ? 'OK' : 'DEGRADED', latencyMs: null, message: models.defaultChatModelId },
  ];
}

/** The worst state; a missing extra degrades, a missing database takes the instance down. */
export function overallState(components: readonly ComponentStatus[]): HealthState {
  if (components.some((component) => component.state === 'DOWN')) return 'DOWN';
  return components.some((component) => component.state === 'DEGRADED') ? 'DEGRADED' : 'OK';
}

async function databaseStatus({ database, log }: App): Promise<ComponentStatus> {
  try {
    return { name: 'database', state: 'OK', latencyMs: await database.ping(), message: database.kind === 'pglite' ? 'PGlite (embedded)' : 'PostgreSQL' };
  } catch (error) {
    log.error({ err: error }, 'the database does not answer');
    return { name: 'database', state: 'DOWN', latencyMs: null, message: 'It does not answer.' };
  }
}

/** Null when none is configured. While Redis is known not to answer it is not waited for. */
async function redisStatus({ redis }: App): Promise<ComponentStatus | null> {
  if (!redis) return null;
  const start = performance.now();
  const answer = await redis.attempt((client) => client.ping());
  return answer === null
    ? { name: 'redis', state: 'DEGRADED', latencyMs: null, message: 'It does not answer: caches and limits are kept by each instance for itself.' }
    : { name: 'redis', state: 'OK', latencyMs: performance.now() - start, message: null };
}

function busStatus({ redis, bus }: App): ComponentStatus {
  const health = bus.health();
  return redis && health === 'isolated'
    ? { name: 'bus', state: 'DEGRADED', latencyMs: null, message: 'isolated: Redis brings no messages. What happens on other instances is read from the database, a little later.' }
    : { name: 'bus', state: 'OK', latencyMs: null, message: health };
}
