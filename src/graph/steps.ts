// The steps of one run as its readers see them: each visit of a node begins once and ends once, however often it is
// tried in between, and nothing of the run is heard after its end.
import type { RunScope, StepPart } from './scope.ts';

/** The visits of one run; a node is visited by one task at a time. */
export interface Steps {
  /** Begins a visit, or the next attempt of one; returns the number of the attempt, from 1. */
  begin(node: string): number;
  end(node: string, status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED', error?: string): void;
  /** Ends whatever still runs as cancelled. */
  cancel(): void;
  /** From now on nothing is emitted. */
  close(): void;
  readonly closed: boolean;
}

/** Opens the steps of a run; they are told through the scope. */
export function openSteps(scope: RunScope): Steps {
  const running = new Map<string, { readonly startedAt: Date; readonly started: number; attempts: number }>();
  let closed = false;
  const tell = (part: StepPart): void => {
    if (!closed) scope.emit(part);
  };
  const end: Steps['end'] = (node, status, error) => {
    const visit = running.get(node);
    if (!visit) return;
    running.delete(node);
    tell({ type: 'step', node, status, startedAt: visit.startedAt, durationMs: Math.round(performance.now() - visit.started), error: error ?? null });
  };
  return {
    begin(node) {
      const visit = running.get(node);
      if (visit) return (visit.attempts += 1);
      const startedAt = new Date();
      running.set(node, { startedAt, started: performance.now(), attempts: 1 });
      tell({ type: 'step', node, status: 'RUNNING', startedAt, durationMs: null, error: null });
      return 1;
    },
    end,
    cancel() {
      for (const node of running.keys()) end(node, 'CANCELLED');
    },
    close() {
      closed = true;
    },
    get closed() {
      return closed;
    },
  };
}
