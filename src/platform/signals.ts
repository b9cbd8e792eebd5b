// SIGTERM and SIGINT: the first one asks to stop, a second one not to wait for that.

/** A terminal and the programs between it and us may each pass the same Ctrl+C on: so soon it is no second one. */
const echoMs = 500;
const numbers = { SIGINT: 2, SIGTERM: 15 } as const;

/** Calls `stop` at the first signal; the second calls `endAtOnce` with the exit code that says so. */
export function onStopSignals(stop: () => void, endAtOnce: (code: number) => void = process.exit): void {
  let stoppedAt: number | null = null;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stoppedAt === null) {
        stoppedAt = performance.now();
        stop();
      } else if (performance.now() - stoppedAt > echoMs) endAtOnce(128 + numbers[signal]);
    });
  }
}
