// A connection that listens for RedisPubSub, which believes that subscriptions never fail: a SUBSCRIBE that does would end
// the process by a rejection that nobody hears, and is not tried again. So here they never do: what is wanted is written
// down, and asked for whenever there is a connection that has not been asked.
import type { RedisClient } from './redis.ts';

export interface Subscriptions {
  /** The client to hand to RedisPubSub. */
  readonly client: RedisClient;
  /** Resolves when the channel is subscribed on the connection of the moment; never when it is no longer wanted. */
  whenSubscribed(channel: string): Promise<void>;
  /** Asks again for what could not be had. */
  mend(): void;
}

interface Wanted {
  state: 'open' | 'asked' | 'subscribed';
  subscribed: PromiseWithResolvers<void>;
}

/** Channels in one SUBSCRIBE. */
const batchSize = 500;

/** Keeps what RedisPubSub subscribes to true on `client`, which must not resubscribe by itself. */
export function keepSubscriptions(client: RedisClient): Subscriptions {
  const wanted = new Map<string, Wanted>();

  function mend(): void {
    if (client.status !== 'ready') return;
    const open = [...wanted].filter(([, { state }]) => state === 'open');
    for (let start = 0; start < open.length; start += batchSize) void ask(open.slice(start, start + batchSize));
  }

  async function ask(channels: readonly (readonly [string, Wanted])[]): Promise<void> {
    for (const [, entry] of channels) entry.state = 'asked';
    let state: Wanted['state'] = 'subscribed';
    try {
      await client.subscribe(...channels.map(([name]) => name));
    } catch {
      state = 'open';
    }
    for (const [, entry] of channels) {
      // Not so when the connection was lost, or another has been asked meanwhile.
      if (entry.state !== 'asked') continue;
      entry.state = state;
      if (state === 'subscribed') entry.subscribed.resolve();
    }
  }

  client.on('ready', mend);
  client.on('close', () => {
    for (const entry of wanted.values()) {
      if (entry.state === 'subscribed') entry.subscribed = Promise.withResolvers();
      entry.state = 'open';
    }
  });

  const door: Pick<RedisClient, 'on' | 'subscribe' | 'unsubscribe' | 'punsubscribe'> = {
    on: client.on.bind(client),
    subscribe(channel: string, done: (error: null) => void) {
      const entry: Wanted = { state: 'open', subscribed: Promise.withResolvers() };
      wanted.set(channel, entry);
      if (client.status === 'ready') void ask([[channel, entry]]);
      done(null);
    },
    unsubscribe(channel: string) {
      wanted.delete(channel);
      if (client.status === 'ready') client.unsubscribe(channel).catch(() => undefined);
    },
    punsubscribe() {},
  } as never;

  return {
    client: door as RedisClient,
    whenSubscribed: (channel) => wanted.get(channel)?.subscribed.promise ?? Promise.withResolvers<void>().promise,
    mend,
  };
}
