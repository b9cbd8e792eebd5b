// Word to the run engines of all instances that there is something to do. It may get lost: they also look at the rows.
import type { App } from '../context.ts';
import { topic } from '../platform/bus.ts';

/** A run that should be looked at: queued, or to be cancelled. */
export interface RunChange {
  readonly runId: string;
  readonly change: 'queued' | 'cancelled';
}

const runChanged = topic<RunChange>('chat.run');
/** The one key of the topic: every engine hears all. */
const everyRun = 'all';

/** Tells every engine of a change that was committed. */
export function tellEngines(app: App, runId: string, change: RunChange['change']): void {
  app.bus.publish(runChanged, everyRun, { runId, change });
}

/** Hears what engines are told; returns its ending. */
export function hearEngines(app: App, on: (change: RunChange) => void): Promise<() => Promise<void>> {
  return app.bus.subscribe(runChanged, everyRun, on);
}
