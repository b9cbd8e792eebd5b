// What waits to be sent to other instances while a round trip is under way. Within a channel the order is never changed;
// between channels those with other than bulk messages go first. Bounded: beyond it the oldest bulk messages are dropped
// (then the oldest of all), as the rows have what is lost. Pure: no I/O, no clock.

export interface BusQueue {
  /** Messages that wait. */
  readonly size: number;
  /** Adds a message, as JSON; returns how many had to be dropped for it. */
  add(channel: string, text: string, isBulk: boolean): number;
  /** Takes the next round: about `maxBytes` of messages, at least one if any waits, by channel in the order to send. */
  take(maxBytes: number): Map<string, string[]>;
  /** Drops all; returns how many. */
  clear(): number;
}

interface Message {
  readonly channel: string;
  readonly text: string;
  readonly bytes: number;
  readonly isBulk: boolean;
}

/** Sets keep their order and forget in constant time. `urgent` counts the messages that are not bulk. */
interface Channel {
  readonly messages: Set<Message>;
  urgent: number;
}

/** An empty queue for at most so many messages and bytes. */
export function createBusQueue(bounds: { readonly maxMessages: number; readonly maxBytes: number }): BusQueue {
  const channels = new Map<string, Channel>();
  const bulk = new Set<Message>();
  const urgent = new Set<Message>();
  let bytes = 0;

  const size = (): number => bulk.size + urgent.size;

  function remove(message: Message): void {
    (message.isBulk ? bulk : urgent).delete(message);
    bytes -= message.bytes;
    const channel = channels.get(message.channel) as Channel;
    channel.messages.delete(message);
    if (!message.isBulk) channel.urgent--;
    if (channel.messages.size === 0) channels.delete(message.channel);
  }

  return {
    get size() {
      return size();
    },
    add(name, text, isBulk) {
      const message: Message = { channel: name, text, bytes: Buffer.byteLength(text), isBulk };
      let channel = channels.get(name);
      if (!channel) channels.set(name, (channel = { messages: new Set(), urgent: 0 }));
      channel.messages.add(message);
      if (!isBulk) channel.urgent++;
      (isBulk ? bulk : urgent).add(message);
      bytes += message.bytes;
      let dropped = 0;
      for (; size() > bounds.maxMessages || bytes > bounds.maxBytes; dropped++) {
        const [oldest] = bulk.size > 0 ? bulk : urgent;
        remove(oldest as Message);
      }
      return dropped;
    },
    take(maxBytes) {
      const round = new Map<string, string[]>();
      let left = maxBytes;
      const takeFrom = (name: string, channel: Channel, isEnough: () => boolean): void => {
        for (const message of channel.messages) {
          if (left <= 0 || isEnough()) break;
          remove(message);
          left -= message.bytes;
          const texts = round.get(name);
          if (texts) texts.push(message.text);
          else round.set(name, [message.text]);
        }
      };
      for (const [name, channel] of channels) if (channel.urgent > 0) takeFrom(name, channel, () => channel.urgent === 0);
      for (const [name, channel] of channels) takeFrom(name, channel, () => false);
      // What is left of a channel waits behind the others.
      for (const name of round.keys()) {
        const rest = channels.get(name);
        if (rest && channels.delete(name)) channels.set(name, rest);
      }
      return round;
    },
    clear() {
      const cleared = size();
      channels.clear();
      bulk.clear();
      urgent.clear();
      bytes = 0;
      return cleared;
    },
  };
}
