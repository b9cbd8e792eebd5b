// A client that takes the streaming protocol (docs/streaming.md) at its word: it applies each event once, in its order,
// and writes down every fault. It forgives nothing that the protocol would let a client forgive.

/** What it has to be told. */
export const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence }
  ... on StreamCaughtUp { cursor }
  ... on MessageCreated { message { id role } }
  ... on MessageDelta { messageId blockIndex offset text }
  ... on MessageTruncated { messageId blockIndex offset cause }
  ... on MessageDeleted { messageId }
  ... on MessageCompleted { message { id text } }
  ... on RunUpdated { runStatus attempt run { id } }
  ... on TypingChanged { isTyping typing { isAssistant user { id } } } } }`;

// biome-ignore lint: one of the union that the query above names.
type Event = any;

export interface StrictClient {
  /** Takes an event of the stream. */
  apply(event: Event): void;
  /** The position of the last event that was applied: where to go on. */
  readonly cursor: string;
  /** Everything that was not as promised. */
  readonly faults: readonly string[];
  /** The texts of the answers so far, by message. */
  readonly texts: ReadonlyMap<string, string>;
  /** The final states of the runs, in their order. */
  readonly ends: readonly string[];
}

/** Opens a client that has nothing yet and begins after a cursor. */
export function createStrictClient(start: string): StrictClient {
  const texts = new Map<string, string>();
  const faults: string[] = [];
  const ends: string[] = [];
  const over = new Set<string>();
  let cursor = start;
  let sequence = 0;
  let streaming: string | null = null;
  let running: string | null = null;

  function applyDelta({ messageId, blockIndex, offset, text, sequence: before }: Event): void {
    const known = texts.get(messageId) ?? '';
    if (messageId !== streaming) faults.push(`text of a message that does not stream, after ${sequence}`);
    if (blockIndex !== 0) faults.push(`text of block ${blockIndex}`);
    if (sequence !== 0 && before !== sequence) faults.push(`text after event ${before}, when ${sequence} was the last`);
    if (offset !== known.length) faults.push(`text at ${offset} after ${known.length} units`);
    texts.set(messageId, known + text);
  }

  function applyRun({ runStatus, run: { id } }: Event): void {
    if (over.has(id)) faults.push(`${runStatus} of a run that was over`);
    if (runStatus === 'QUEUED' || runStatus === 'RUNNING') {
      running = id;
      return;
    }
    if (streaming !== null) faults.push(`${runStatus} while its message was streaming`);
    over.add(id);
    ends.push(runStatus);
    running = null;
  }

  function applyLogged(event: Event): void {
    const { __typename: type } = event;
    if (sequence !== 0 && event.sequence !== sequence + 1) faults.push(`${type} is number ${event.sequence} after ${sequence}`);
    sequence = event.sequence;
    if (type === 'RunUpdated') applyRun(event);
    else if (type === 'MessageCreated') {
      if (event.message.role !== 'ASSISTANT') return;
      if (streaming !== null) faults.push('a second message streams');
      streaming = event.message.id;
      texts.set(event.message.id, '');
    } else if (type === 'MessageTruncated') {
      texts.set(event.messageId, (texts.get(event.messageId) ?? '').slice(0, event.offset));
    } else if (type === 'MessageDeleted') {
      texts.delete(event.messageId);
      if (streaming === event.messageId) streaming = null;
    } else if (type === 'MessageCompleted') {
      const { id, text } = event.message;
      if (id !== streaming) faults.push('a message is complete that did not stream');
      if (text !== texts.get(id)) faults.push(`a message is ${JSON.stringify(text)}, and its text was ${JSON.stringify(texts.get(id))}`);
      streaming = null;
    } else if (type !== 'SessionUpdated' && running === null) faults.push(`${type} while no run was active`);
  }

  return {
    apply(event) {
      const { __typename: type } = event;
      if (type === 'TypingChanged') return;
      if (type === 'StreamReset') faults.push('the stream was reset');
      else if (type === 'MessageDelta') applyDelta(event);
      else if (type !== 'StreamCaughtUp') applyLogged(event);
      cursor = event.cursor;
    },
    get cursor() {
      return cursor;
    },
    faults,
    texts,
    ends,
  };
}

/** A client that has applied the results of a subscription from `cursor` on. */
export function applied(results: readonly { readonly chatEvents: Event }[], cursor: string): StrictClient {
  const client = createStrictClient(cursor);
  for (const { chatEvents } of results) client.apply(chatEvents);
  return client;
}

/** Whether a result is the end of a run. */
export function isEnd({ chatEvents }: { readonly chatEvents?: Event }): boolean {
  return ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(chatEvents?.runStatus);
}
