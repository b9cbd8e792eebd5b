// Messages between listeners of one process and, with a transport, of all instances. Delivery is at most once: a message
// only wakes somebody who can read the rows. Listeners of this process hear a message at once, before any transport.

/** A kind of message; `E` is its plain, serialisable shape. */
export interface Topic<E> {
  readonly name: string;
  /** Never set: carries the type. */
  readonly shape?: E;
}

/** Names a kind of message. */
export function topic<E>(name: string): Topic<E> {
  return { name };
}

/** Publishes to and listens on (topic, key); `subscribe` returns its own ending. */
export interface Bus {
  publish<E>(topic: Topic<E>, key: string, event: E): void;
  subscribe<E>(topic: Topic<E>, key: string, on: (event: E) => void): Promise<() => Promise<void>>;
  /** isolated: this process only; solitary: a transport, no other instance seen; clustered: others answer. */
  health(): 'isolated' | 'solitary' | 'clustered';
  close(): Promise<void>;
}

/** The bus of a single process. A listener that throws is reported and hurts no other. */
export function createLocalBus(onError: (error: unknown) => void): Bus {
  const listeners = new Map<string, Set<(event: never) => void>>();
  return {
    publish(topic, key, event) {
      for (const on of Array.from(listeners.get(`${topic.name}:${key}`) ?? [])) {
        try {
          on(event as never);
        } catch (error) {
          onError(error);
        }
      }
    },
    async subscribe(topic, key, on) {
      const channel = `${topic.name}:${key}`;
      const set = listeners.get(channel) ?? new Set();
      listeners.set(channel, set);
      // One entry per subscription, also when the same function listens twice.
      const entry = (event: never): void => on(event);
      set.add(entry);
      return async () => {
        set.delete(entry);
        if (set.size === 0 && listeners.get(channel) === set) listeners.delete(channel);
      };
    },
    health: () => 'isolated',
    async close() {
      listeners.clear();
    },
  };
}
