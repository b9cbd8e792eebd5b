// The right of one process to work on one run, as the process itself may believe in it. The database decides, in its own
// time; this clock starts before each renewal is sent, so that it always ends first. A process that was asleep thus knows
// when it wakes, before it says another word.

/** A lease on a run. */
export interface Lease {
  readonly owner: string;
  /** False once it may have ended: whatever is still to be said must not be said any more. */
  held(): boolean;
  /** It was renewed by a statement that was sent at `sentAt` (performance.now()). */
  renewed(sentAt: number): void;
}

/** A lease that was taken by a statement sent at `sentAt` (performance.now()). */
export function createLease(owner: string, seconds: number, sentAt: number): Lease {
  let until = sentAt + seconds * 1000;
  return {
    owner,
    held: () => performance.now() < until,
    renewed(at) {
      until = Math.max(until, at + seconds * 1000);
    },
  };
}
