// The bus of several processes: Redis carries to the others what listeners here have already heard. Redis is help, never the
// truth: while it is away nothing is kept for it and nobody waits for it. Messages leave at once while the connection is
// idle; what is published during a round trip goes together in the next one.
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { createEnvelopes, maxEventBytes } from './bus-envelope.ts';
import { beatMs, createPulse } from './bus-pulse.ts';
import { createBusQueue } from './bus-queue.ts';
import { keepSubscriptions } from './bus-subscriptions.ts';
import type { Bus, BusHealth, Topic } from './bus.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Redis } from './redis.ts';

export interface RedisBusParts {
  /** Delivers within this process. */
  readonly local: Bus;
  readonly redis: Redis;
  readonly instanceId: string;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'busMessages'>;
}

/** What may wait for its round trip. */
const queueBounds = { maxMessages: 10_000, maxBytes: 8 * 1_048_576 };
/** About so many bytes go in one round, so that what is urgent does not wait behind all that is bulk. */
const roundBytes = 65_536;
/** A listener waits no longer until Redis has its subscription; it is made in any case. */
const subscribeMs = 250;
/** What waits at the end may still be sent for so long. */
const closeMs = 500;

/** Opens the bus without waiting for Redis. Closes its two connections, not `redis`. */
export function createRedisBus({ local, redis, instanceId, log, metrics }: RedisBusParts): Bus {
  const publisher = redis.connect('bus-publisher');
  const subscriber = redis.connect('bus-subscriber');
  const subscriptions = keepSubscriptions(subscriber);
  const pubsub = new RedisPubSub({
    publisher,
    subscriber: subscriptions.client,
    serializer: (text: string) => text,
    // As bytes: what RedisPubSub is given as text it parses, also what is our own.
    messageEventName: 'messageBuffer',
    pmessageEventName: 'pmessageBuffer',
  });
  // Channels are not divided by database as keys are.
  const prefix = `parley:bus:${publisher.options.db ?? 0}:`;
  const envelopes = createEnvelopes(instanceId);
  const queue = createBusQueue(queueBounds);
  const pulse = createPulse();
  const channels = new Map<string, { listeners: number; readonly id: Promise<number> }>();
  const waiting = new Set<() => void>();
  let isPatient = true;
  /** The last round trip failed; a beat tries the next. */
  let isStuck = false;
  let sending: Promise<void> | null = null;
  let lastHealth: BusHealth = 'isolated';

  const count = (direction: 'in' | 'out', outcome: string, messages: number): void => {
    if (messages > 0) metrics.busMessages.inc({ direction, outcome }, messages);
  };

  function receive<E>(topic: Topic<E>, key: string, message: Buffer): void {
    const opened = envelopes.open(message);
    if (opened.outcome !== 'received') return count('in', opened.outcome, 1);
    count('in', 'received', opened.events.length);
    for (const json of opened.events) {
      try {
        local.publish(topic, key, topic.revive ? topic.revive(json) : (json as E));
      } catch (error) {
        log.error({ err: error, topic: topic.name }, 'a message of another instance cannot be read');
      }
    }
  }

  /** The transport subscription of a channel, made with its first listener; returns its release. */
  function hold<E>(topic: Topic<E>, key: string): { readonly name: string; release(): void } {
    const name = nameOf(topic, key);
    let channel = channels.get(name);
    if (!channel) channels.set(name, (channel = { listeners: 0, id: pubsub.subscribe(name, (message: Buffer) => receive(topic, key, message)) }));
    channel.listeners++;
    return {
      name,
      release() {
        if (--channel.listeners > 0) return;
        channels.delete(name);
        void channel.id.then((id) => pubsub.unsubscribe(id));
      },
    };
  }

  /** Resolves when it is subscribed, is taking too long, or cannot be for now. */
  function settled(subscribed: Promise<void>): Promise<void> | undefined {
    if (!isPatient) return undefined;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(loseHeart, subscribeMs);
      waiting.add(end);
      void subscribed.then(end);
    });
  }

  /** Until Redis is heard again nobody waits for it. */
  function loseHeart(): void {
    isPatient = false;
    for (const end of waiting) end();
  }

  async function send(): Promise<void> {
    while (queue.size > 0) {
      const round = queue.take(roundBytes);
      const messages = [...round.values()].reduce((sum, texts) => sum + texts.length, 0);
      try {
        await Promise.all([...round].map(([name, texts]) => pubsub.publish(name, envelopes.seal(texts))));
        count('out', 'sent', messages);
      } catch (error) {
        log.debug({ err: error }, 'messages could not be sent to other instances');
        isStuck = true;
        count('out', 'failed', messages + queue.clear());
      }
    }
    // At once: what is published from now on has to begin anew.
    sending = null;
  }

  const beatChannel = `${prefix}beat`;
  async function beat(): Promise<void> {
    subscriptions.mend();
    if (publisher.status !== 'ready') return;
    if (subscriber.status === 'ready') pulse.sent();
    try {
      await pubsub.publish(beatChannel, envelopes.seal([]));
      isStuck = false;
    } catch {
      isStuck = true;
    }
  }

  /** Connections that look well and carry nothing are made anew. */
  function judge(): void {
    if (pulse.isDeaf()) {
      loseHeart();
      log.warn('Redis takes messages and brings none; connecting again');
      for (const client of [publisher, subscriber]) client.disconnect(true);
    }
    const health = pulse.health();
    if (health !== lastHealth) log[health === 'isolated' ? 'warn' : 'info']({ health, before: lastHealth }, 'the bus has changed its health');
    lastHealth = health;
  }

  function hear(message: Buffer): void {
    const { outcome } = envelopes.open(message);
    if (outcome === 'own') {
      isPatient = true;
      pulse.heard('self');
    } else if (outcome === 'received') {
      const wasAlone = pulse.health() === 'solitary';
      pulse.heard('other');
      // Who has just come wants to know that there is somebody.
      if (wasAlone) void beat();
    } else count('in', outcome, 1);
  }

  void pubsub.subscribe(beatChannel, hear);
  for (const client of [publisher, subscriber]) {
    // The first beat on new connections, as soon as it can be heard.
    client.on('ready', () => void subscriptions.whenSubscribed(beatChannel).then(beat));
    client.on('close', () => {
      pulse.lost();
      loseHeart();
    });
  }
  const timer = setInterval(() => {
    void beat();
    // After what has arrived meanwhile: a process that was busy must not take its own silence for that of Redis.
    setImmediate(judge);
  }, beatMs).unref();

  function nameOf(topic: { readonly name: string }, key: string): string {
    return `${prefix}topic:${topic.name}:${key}`;
  }

  function textOf(topic: { readonly name: string }, event: unknown): string | null {
    try {
      const text = JSON.stringify(event);
      if (text.length <= maxEventBytes && Buffer.byteLength(text) <= maxEventBytes) return text;
      count('out', 'oversized', 1);
    } catch (error) {
      log.error({ err: error, topic: topic.name }, 'a message cannot be sent to other instances');
    }
    return null;
  }

  return {
    publish(topic, key, event) {
      if (publisher.status !== 'ready' || isStuck) count('out', 'unsent', 1);
      else {
        // Written down before listeners hear it, who may publish themselves: the order is the same everywhere.
        const text = textOf(topic, event);
        if (text !== null) count('out', 'dropped', queue.add(nameOf(topic, key), text, topic.isBulk?.(event) ?? false));
      }
      local.publish(topic, key, event);
      if (!sending && queue.size > 0) sending = send();
    },
    async subscribe(topic, key, on) {
      const stopping = local.subscribe(topic, key, on);
      const held = hold(topic, key);
      const stop = await stopping;
      await settled(subscriptions.whenSubscribed(held.name));
      let ended = false;
      return async () => {
        await stop();
        if (!ended) held.release();
        ended = true;
      };
    },
    health: () => pulse.health(),
    async close() {
      clearInterval(timer);
      if (sending) await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, closeMs))]);
      for (const client of [publisher, subscriber]) client.disconnect();
      await local.close();
    },
  };
}
