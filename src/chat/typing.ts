// Who is typing in a session, as far as this instance has heard. Ephemeral: nothing is stored, and each entry ends by itself.

/** Somebody who began or stopped typing; `userId` is null for the assistant. */
export interface Typing {
  readonly userId: string | null;
  readonly isTyping: boolean;
  readonly since: Date;
  readonly expiresAt: Date;
}

export interface Typists {
  set(typing: Typing): void;
  /** The first change after a version; versions count up from 1. */
  after(version: number): { readonly version: number; readonly typing: Typing } | null;
  /** Of the newest change; 0 before the first. */
  readonly version: number;
  /** Who is typing now. */
  now(): readonly Typing[];
  close(): void;
}

/** Nobody is typing yet; `onExpiry` is called when an entry has ended by itself. One entry per person is kept. */
export function createTypists(onExpiry: () => void): Typists {
  const entries = new Map<string, { version: number; typing: Typing }>();
  let version = 0;
  let timer: NodeJS.Timeout | null = null;

  function set({ userId, isTyping, since, expiresAt }: Typing): void {
    const key = userId ?? '';
    if (!isTyping && !entries.get(key)?.typing.isTyping) return;
    // Last in the map, so that changes are in their order.
    entries.delete(key);
    entries.set(key, { version: ++version, typing: { userId, isTyping, since, expiresAt } });
    expireNext();
  }

  function expireNext(): void {
    if (timer) clearTimeout(timer);
    const [next] = [...entries.values()].map((entry) => entry.typing).filter((typing) => typing.isTyping).sort((a, b) => +a.expiresAt - +b.expiresAt);
    timer = next
      ? setTimeout(() => {
          set({ ...next, isTyping: false });
          onExpiry();
        }, Math.max(0, +next.expiresAt - Date.now()))
      : null;
    timer?.unref();
  }

  return {
    set,
    after: (seen) => (seen >= version ? null : ([...entries.values()].find((entry) => entry.version > seen) ?? null)),
    get version() {
      return version;
    },
    now: () => [...entries.values()].map((entry) => entry.typing).filter((typing) => typing.isTyping && +typing.expiresAt > Date.now()),
    close() {
      if (timer) clearTimeout(timer);
    },
  };
}
