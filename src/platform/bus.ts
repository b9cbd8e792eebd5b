// Messages between listeners of one process and, with a transport, of all instances. Delivery is at most once: a message
// only wakes somebody who can read the rows. Listeners of this process hear a message at once, before any transport.

/** A kind of message; `E` is its plain, serialisable shape. */
export interface Topic<E> extends TopicOptions<E> {
  readonly name: string;
  /** Never set: carries the type. */
  readonly shape?: E;
}

/** What a transport to other instances has to know of a kind of message. */
export interface TopicOptions<E> {
  /** Whether an event may wait behind those of other keys, and is dropped first when too many wait. Absent: none may. */
  isBulk?(event: E): boolean;
  /** The event again from its JSON, e.g. with its dates. Absent: the JSON is the event. */
  revive?(json: unknown): E;
}

/** Names a kind of message. */
export function topic<E>(name: string, options: TopicOptions<E> = {}): Topic<E> {
  return { name, ...options };
}

/** isolated: this process only; solitary: a transport, no other instance heard lately; clustered: others are heard. */
export type BusHealth = 'isolated' | 'solitary' | 'clustered';

/** Publishes to and listens on (topic, key); `subscribe` returns its own ending. */
export interface Bus {
  publish<E>(topic: Topic<E>, key: string, event: E): void;
  subscribe<E>(topic: Topic<E>, key: string, on: (event: E) => void): Promise<() => Promise<void>>;
  health(): BusHealth;
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
