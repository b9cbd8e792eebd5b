// Whether messages come through: each instance says every second that it lives, and listens to itself and the others. Its own
// beat, heard, proves both directions. Only beats that were sent count, so a process that slept does not blame the network.

import type { BusHealth } from './bus.ts';

/** Milliseconds between two beats. */
export const beatMs = 1_000;
/** A beat that is not heard for so long, in milliseconds, means isolation. */
const silentMs = 1_500;
/** Another instance is believed in for so long after its last beat. */
const rememberMs = 3_500;
/** Longest time between two attempts to mend connections that look well and carry nothing. */
const maxPatienceMs = 30_000;

export interface Pulse {
  /** A beat was sent. */
  sent(): void;
  heard(from: 'self' | 'other'): void;
  /** A connection was lost. */
  lost(): void;
  health(): BusHealth;
  /** True when beats go unheard although they were sent: time to connect again. Each time it takes longer until the next. */
  isDeaf(): boolean;
}

/** Nothing is heard yet. `now` is a clock in milliseconds that never goes back. */
export function createPulse(now: () => number = () => performance.now()): Pulse {
  let isHeard = false;
  let otherAt = -Infinity;
  /** When the oldest beat was sent that was not heard; null when all were. */
  let unheardSince: number | null = null;
  let patienceMs = silentMs;

  const unheardFor = (): number => (unheardSince === null ? 0 : now() - unheardSince);
  return {
    sent() {
      unheardSince ??= now();
    },
    heard(from) {
      if (from === 'other') {
        otherAt = now();
        return;
      }
      isHeard = true;
      unheardSince = null;
      patienceMs = silentMs;
    },
    lost() {
      isHeard = false;
      otherAt = -Infinity;
      unheardSince = null;
    },
    health() {
      if (!isHeard || unheardFor() > silentMs) return 'isolated';
      return now() - otherAt < rememberMs ? 'clustered' : 'solitary';
    },
    isDeaf() {
      if (unheardFor() <= patienceMs) return false;
      patienceMs = Math.min(patienceMs * 2, maxPatienceMs);
      return true;
    },
  };
}
