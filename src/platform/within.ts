// Waiting with a limit: what others keep a stopping process waiting for must not keep the process.

/** Waits for `work`, but no longer than `ms`; tells whether it is done. Throws what it throws until then. */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([work.then(() => true), new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)))]);
  } finally {
    clearTimeout(timer);
  }
}
