// A subscription to things that have a newest state: a reader that is slow gets each thing's newest state once, in the
// order of the changes. Memory: one entry per thing that changed since the reader last pulled.

/** Starts listening with `open`, which is given `offer(key, state)` and returns its own ending. */
export async function latest<T>(open: (offer: (key: string, state: T) => void) => Promise<() => Promise<void>>): Promise<AsyncIterableIterator<T>> {
  const waiting = new Map<string, T>();
  let wake: (() => void) | null = null;
  let closed = false;
  const close = await open((key, state) => {
    if (closed) return;
    waiting.delete(key);
    waiting.set(key, state);
    wake?.();
  });
  const iterator: AsyncIterableIterator<T> = {
    async next() {
      while (!closed) {
        const first = waiting.entries().next();
        if (!first.done) {
          const [key, state] = first.value;
          waiting.delete(key);
          return { value: state, done: false };
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
      }
      return { value: undefined, done: true };
    },
    async return() {
      if (!closed) {
        closed = true;
        (wake as (() => void) | null)?.();
        await close();
      }
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
