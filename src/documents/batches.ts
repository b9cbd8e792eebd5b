// Many rows in many short statements. The embedded database holds up the whole process while a statement runs, so each
// one is kept to some 15 ms, and other work comes in between.

/** Most rows of one statement. */
const most = 200;
const targetMs = 15;

/** Gives `write` slices of the rows, in order; how long each takes decides the size of the next. `done` counts the rows before it. */
export async function inBatches<T>(rows: readonly T[], write: (batch: readonly T[], done: number) => Promise<void>, first = 20): Promise<void> {
  let size = first;
  for (let done = 0; done < rows.length;) {
    const batch = rows.slice(done, done + size);
    const start = performance.now();
    await write(batch, done);
    const pace = targetMs / Math.max(performance.now() - start, 0.5);
    done += batch.length;
    // A slow statement counts at once, a fast one by and by: it may have been luck.
    size = Math.max(1, Math.min(most, Math.round(batch.length * Math.min(pace, 1.5))));
    await nextTurn();
  }
}

/** Lets everything else that waits have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
