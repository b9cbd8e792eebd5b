// How messages of the bus look on their way between instances: JSON with a version, the sender, and one or more events of
// one channel in their order. Pure: no I/O, no clock.

const version = 1;
/** A message of more bytes is not looked into: ours are never so large. */
const maxBytes = 1_048_576;
/** JSON of one event that is still sent: several go into one envelope. */
export const maxEventBytes = maxBytes / 2;

/** A message as it arrived: its events, or why it has none for us. */
export type Opened =
  | { readonly outcome: 'received'; readonly events: readonly unknown[] }
  | { readonly outcome: 'own' | 'oversized' | 'unknown_version' | 'junk' };

export interface Envelopes {
  /** Puts events, each as JSON, into one message. */
  seal(events: readonly string[]): string;
  /** Reads a message; never throws. An own one is known by its first bytes and not parsed. */
  open(message: Buffer): Opened;
}

/** The envelopes of one instance. */
export function createEnvelopes(instanceId: string): Envelopes {
  const head = `{"v":${version},"from":${JSON.stringify(instanceId)},`;
  const ownHead = Buffer.from(head);
  return {
    seal: (events) => `${head}"events":[${events.join(',')}]}`,
    open(message) {
      if (message.length > maxBytes) return { outcome: 'oversized' };
      if (message.subarray(0, ownHead.length).equals(ownHead)) return { outcome: 'own' };
      const json = parse(message.toString()) as { v?: unknown; events?: unknown } | null;
      if (typeof json !== 'object' || typeof json?.v !== 'number') return { outcome: 'junk' };
      if (json.v !== version) return { outcome: 'unknown_version' };
      return Array.isArray(json.events) ? { outcome: 'received', events: json.events } : { outcome: 'junk' };
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
