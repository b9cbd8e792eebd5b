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
  return [
    await databaseStatus(app),
    {
      name: 'vectors',
      state: database.vectors ? 'OK' : 'DEGRADED',
      latencyMs: null,
      message: database.vectors ? 'pgvector' : 'The server has no "vector" extension: search is by keyword only.',
    },
    { name: 'bus', state: 'OK', latencyMs: null, message: app.bus.health() },
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
