// A client that takes the streaming protocol (docs/streaming.md) at its word: it applies each event once, in its order,
// and writes down every fault. It forgives nothing that the protocol would let a client forgive.

/** What it has to be told. */
export const EVENTS = `subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { __typename
  ... on StreamEvent { cursor sequence }
  ... on StreamCaughtUp { cursor }
  ... on MessageCreated { message { id role } }
  ... on MessageDelta { messageId blockIndex offset text }
  ... on ReasoningDelta { messageId blockIndex offset text }
  ... on MessageTruncated { messageId blockIndex offset cause }
  ... on MessageDeleted { messageId }
  ... on MessageCompleted { message { id text } }
  ... on CitationAdded { messageId citation { index } }
  ... on ToolCallUpdated { messageId blockIndex toolCallStatus toolCall { id name arguments status result error durationMs } }
  ... on InterruptRaised { interrupt { id kind prompt payload options { value label } responseSchema expiresAt resolvedAt toolCall { id name } } }
  ... on InterruptResolved { interruptId resolvedBy { id } }
  ... on ModelFellBack { runId errorCode discardedChars }
  ... on RunUpdated { runStatus attempt run { id } }
  ... on TypingChanged { isTyping typing { isAssistant user { id } } } } }`;

// biome-ignore lint: one of the union that the query above names.
type Event = any;

interface Block {
  readonly type: 'MessageDelta' | 'ReasoningDelta' | 'ToolCallUpdated';
  readonly text: string;
}

export interface StrictClient {
  /** Takes an event of the stream. */
  apply(event: Event): void;
  /** The position of the last event that was applied: where to go on. */
  readonly cursor: string;
  /** Everything that was not as promised. */
  readonly faults: readonly string[];
  /** The visible texts of the answers so far, by message. */
  readonly texts: ReadonlyMap<string, string>;
  /** Their blocks: visible text, reasoning, and calls of tools. */
  readonly blocks: ReadonlyMap<string, readonly Block[]>;
  /** The final states of the runs, in their order. */
  readonly ends: readonly string[];
}

/** Opens a client that has nothing yet and begins after a cursor. */
export function createStrictClient(start: string): StrictClient {
  const texts = new Map<string, string>();
  const blocks = new Map<string, Block[]>();
  const faults: string[] = [];
  const ends: string[] = [];
  const over = new Set<string>();
  let cursor = start;
  let sequence = 0;
  let streaming: string | null = null;
  let running: string | null = null;

  function applyDelta({ __typename: type, messageId, blockIndex, offset, text, sequence: before }: Event): void {
    const known = blocks.get(messageId) ?? [];
    const block = known[blockIndex];
    if (messageId !== streaming) faults.push(`text of a message that does not stream, after ${sequence}`);
    if (blockIndex < known.length - 1 || blockIndex > known.length) faults.push(`text of block ${blockIndex} after ${known.length} blocks`);
    if (block && (block.text !== '' || block.type === 'ToolCallUpdated') && block.type !== type) faults.push(`${type} in a block of ${block.type}`);
    if (sequence !== 0 && before !== sequence) faults.push(`text after event ${before}, when ${sequence} was the last`);
    if (offset !== (block?.text.length ?? 0)) faults.push(`text at ${offset} after ${block?.text.length ?? 0} units`);
    known[blockIndex] = { type, text: (block?.text ?? '') + text };
    setBlocks(messageId, known);
  }

  function setBlocks(messageId: string, known: Block[]): void {
    blocks.set(messageId, known);
    texts.set(messageId, known.map(({ type, text }) => (type === 'MessageDelta' ? text : '')).join(''));
  }

  function applyRun({ runStatus, run: { id } }: Event): void {
    if (over.has(id)) faults.push(`${runStatus} of a run that was over`);
    if (runStatus === 'QUEUED' || runStatus === 'RUNNING' || runStatus === 'INTERRUPTED') {
      running = id;
      return;
    }
    if (streaming !== null) faults.push(`${runStatus} while its message was streaming`);
    over.add(id);
    ends.push(runStatus);
    running = null;
  }

  /** The first event about a call puts it behind what is there; the next ones are about the same place. */
  function applyCall({ messageId, blockIndex }: Event): void {
    const known = blocks.get(messageId) ?? [];
    if (messageId !== streaming) faults.push(`a call in a message that does not stream, after ${sequence}`);
    const block = known[blockIndex];
    if (block ? block.type !== 'ToolCallUpdated' && block.text !== '' : blockIndex !== known.length) faults.push(`a call in block ${blockIndex} of ${known.length}`);
    known[blockIndex] = { type: 'ToolCallUpdated', text: '' };
    setBlocks(messageId, known);
  }

  function applyLogged(event: Event): void {
    const { __typename: type } = event;
    if (sequence !== 0 && event.sequence !== sequence + 1) faults.push(`${type} is number ${event.sequence} after ${sequence}`);
    sequence = event.sequence;
    if (type === 'RunUpdated') applyRun(event);
    else if (type === 'ToolCallUpdated') applyCall(event);
    else if (type === 'MessageCreated') {
      if (event.message.role !== 'ASSISTANT') return;
      if (streaming !== null) faults.push('a second message streams');
      streaming = event.message.id;
      setBlocks(event.message.id, []);
    } else if (type === 'MessageTruncated') {
      const known = blocks.get(event.messageId) ?? [];
      const kept = known.slice(0, event.blockIndex);
      const cut = known[event.blockIndex];
      if (cut && event.offset > 0) kept.push({ ...cut, text: cut.text.slice(0, event.offset) });
      setBlocks(event.messageId, kept);
    } else if (type === 'MessageDeleted') {
      texts.delete(event.messageId);
      blocks.delete(event.messageId);
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
      else if (type === 'MessageDelta' || type === 'ReasoningDelta') applyDelta(event);
      else if (type !== 'StreamCaughtUp') applyLogged(event);
      cursor = event.cursor;
    },
    get cursor() {
      return cursor;
    },
    faults,
    texts,
    blocks,
    ends,
  };
}

/** A client that has applied the results of a subscription from `cursor` on. */
export function applied(results: readonly { readonly chatEvents: Event }[], cursor: string): StrictClient {
  const client = createStrictClient(cursor);
  for (const { chatEvents } of results) client.apply(chatEvents);
  return client;
}

/**
 * Applies results of a subscription to one answer, one by one, and returns how often its text was withdrawn by then.
 * `versions` are the texts between the withdrawals, reasoning included: throws when the client has anything but a beginning
 * of the one whose turn it is.
 */
export function applyVersions(client: StrictClient, results: readonly { readonly chatEvents: Event }[], versions: readonly string[], withdrawnBefore = 0): number {
  let withdrawn = withdrawnBefore;
  for (const { chatEvents } of results) {
    client.apply(chatEvents);
    if (chatEvents.__typename === 'MessageTruncated') withdrawn++;
    for (const blocks of client.blocks.values()) {
      const text = blocks.map((block) => block.text).join('');
      if (!versions[withdrawn]?.startsWith(text)) throw new Error(`A client reads ${JSON.stringify(text)} after ${withdrawn} withdrawals.`);
    }
  }
  return withdrawn;
}

/** Whether a result is the end of a run. */
export function isEnd({ chatEvents }: { readonly chatEvents?: Event }): boolean {
  return ['SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(chatEvents?.runStatus);
}
