import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, origin, type Position } from '../../src/chat/cursor.ts';
import { commonEnd, cut, noText, walk, type Block, type LoggedEvent, type MessageText, type Step, type TextPosition, type Withdrawal } from '../../src/chat/walk.ts';

const session = '01900000-0000-7000-8000-000000000000';

/** A session as the database has it: a log and the messages' texts, changed by random operations. */
class Session {
  readonly log: LoggedEvent[] = [];
  readonly texts = new Map<string, { blocks: Block[]; withdrawals: Withdrawal[] }>();
  /** How the text of the message that streamed stood when each event was logged, by the number of the event before it. */
  readonly stood: Block[][] = [];
  streaming: string | null = null;
  private made = 0;
  /** Where the question to the model was asked. */
  private asked: TextPosition = { blockIndex: 0, offset: 0 };
  private withdrawn = '';

  do(operation: Operation): void {
    const blocks = this.streaming ? (this.texts.get(this.streaming)?.blocks ?? []) : null;
    if (operation.type === 'create' && !blocks) {
      this.append('MessageCreated', { messageId: `01900000-0000-7000-8000-${String(++this.made).padStart(12, '0')}`, streaming: true });
      this.streaming = this.log.at(-1)!.payload['messageId'] as string;
      this.texts.set(this.streaming, { blocks: [{ kind: 'TEXT', text: '' }], withdrawals: [] });
      this.asked = { blockIndex: 0, offset: 0 };
    } else if (operation.type === 'text' && blocks) {
      this.write(blocks, operation.kind, operation.text);
    } else if (operation.type === 'again' && blocks) {
      // As the model before began.
      this.write(blocks, 'TEXT', this.withdrawn.slice(0, 3));
    } else if (operation.type === 'ask' && blocks) {
      this.asked = { blockIndex: blocks.length - 1, offset: blocks.at(-1)!.text.length };
    } else if (operation.type === 'fallBack' && blocks) {
      this.withdraw(this.asked);
      this.append('ModelFellBack', {});
    } else if (operation.type === 'block' && blocks) {
      this.append('ToolCallUpdated', { messageId: this.streaming });
      blocks.push({ kind: 'TEXT', text: '' });
    } else if (operation.type === 'event') {
      this.append('RunStepUpdated', {});
    } else if (operation.type === 'truncate' && blocks) {
      const blockIndex = operation.at % blocks.length;
      this.asked = { blockIndex, offset: operation.at % ((blocks[blockIndex] as Block).text.length + 1) };
      this.withdraw(this.asked);
    } else if (operation.type === 'complete' && blocks) {
      this.append('MessageCompleted', { messageId: this.streaming });
      this.streaming = null;
    }
  }

  /** The next step of a reader who does not know the newest events yet, though perhaps the text after them. */
  step(position: Position, unheard = 0): Step | null {
    return walk(position, position.sequence < this.log.length - unheard ? this.log[position.sequence] : undefined, this.textOf(position.messageId));
  }

  textOf(messageId: string | null): MessageText {
    return messageId === null ? noText : (this.texts.get(messageId) as MessageText);
  }

  private write(blocks: Block[], kind: Block['kind'], text: string): void {
    const last = blocks.at(-1) as Block;
    if (last.kind === kind || last.text === '') blocks[blocks.length - 1] = { kind, text: last.text + text };
    else blocks.push({ kind, text });
  }

  private withdraw(to: TextPosition): void {
    const text = this.texts.get(this.streaming as string)!;
    this.withdrawn = text.blocks.at(-1)!.text.slice(text.blocks.length - 1 === to.blockIndex ? to.offset : 0);
    this.append('MessageTruncated', { messageId: this.streaming, ...to });
    text.withdrawals.push({ sequence: this.log.length, ...to });
    text.blocks = cut(text.blocks, to);
  }

  private append(type: string, payload: Record<string, unknown>): void {
    const blocks = this.streaming ? (this.texts.get(this.streaming)?.blocks ?? []) : [];
    this.stood.push(blocks.map((block) => ({ ...block })));
    const at = this.streaming ? { messageId: this.streaming, blockIndex: blocks.length - 1, offset: blocks.at(-1)?.text.length ?? 0 } : null;
    this.log.push({ sequence: this.log.length + 1, type, payload, at, occurredAt: new Date(0) });
  }
}

/** Blocks that hold text, by index: an empty one is opened by its first delta. */
const filled = (blocks: readonly Block[]): (readonly [number, Block])[] => [...blocks.entries()].filter(([, block]) => block && block.text !== '');

/** Whether one text is a beginning of another. */
function isBeginning(one: readonly Block[], other: readonly Block[]): boolean {
  const some = filled(one);
  return some.every(([index, { kind, text }], place) => {
    const block = other[index];
    return block?.kind === kind && (place < some.length - 1 ? block.text === text : block.text.startsWith(text));
  });
}

const unitsOf = (blocks: readonly Block[]): number => blocks.reduce((sum, block) => sum + (block?.text.length ?? 0), 0);

/** A client by the rules of the documentation. */
class Client {
  readonly sequences: number[] = [];
  readonly texts = new Map<string, Block[]>();
  /** What it had of the message that streamed, after each step. */
  readonly shown: { sequence: number; blocks: Block[] }[] = [];
  faults: string[] = [];
  position: Position = origin;

  take(step: Step): void {
    // As over the wire: the position survives as a cursor.
    this.position = decodeCursor(session, encodeCursor(session, step.position));
    this.apply(step);
    const { sequence, messageId } = this.position;
    if (messageId !== null) this.shown.push({ sequence, blocks: [...(this.texts.get(messageId) as Block[])] });
  }

  private apply(step: Step): void {
    if (step.kind === 'delta') {
      const { messageId, blockIndex, kind, offset, text } = step.delta;
      const blocks = this.texts.get(messageId);
      if (!blocks) return void this.faults.push('a delta before its message');
      const had = blocks[blockIndex]?.text ?? '';
      if (offset > had.length) this.faults.push(`a hole at ${offset} of ${had.length}`);
      if (offset < had.length) this.faults.push(`a repeat at ${offset} of ${had.length}`);
      blocks[blockIndex] = { kind, text: had + text };
      return;
    }
    this.sequences.push(step.event.sequence);
    const messageId = step.event.payload['messageId'] as string;
    if (step.event.type === 'MessageCreated') this.texts.set(messageId, []);
    if (step.event.type === 'MessageTruncated') {
      this.texts.set(messageId, cut(this.texts.get(messageId) as Block[], step.event.payload as unknown as TextPosition));
    }
  }
}

type Operation = { type: 'create' | 'block' | 'event' | 'complete' | 'again' | 'ask' | 'fallBack' } | { type: 'text'; kind: Block['kind']; text: string } | { type: 'truncate'; at: number };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('create' as const, 'event' as const, 'complete' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('block' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('again' as const, 'ask' as const, 'fallBack' as const) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('text' as const), kind: fc.constantFrom('TEXT' as const, 'REASONING' as const), text: fc.string({ minLength: 1, maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('truncate' as const), at: fc.nat(50) }) },
);

describe('a reader', () => {
  it('gets every event once and in order and the exact text, however often it reads in between', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(operation, fc.nat(4), fc.nat(3)), { maxLength: 80 }), (script) => {
        const chat = new Session();
        const client = new Client();
        for (const [each, reads, unheard] of script) {
          chat.do(each);
          for (let count = 0; count < reads; count++) {
            const step = chat.step(client.position, unheard);
            if (step) client.take(step);
          }
        }
        for (let step = chat.step(client.position); step; step = chat.step(client.position)) client.take(step);
        expect(client.faults).toEqual([]);
        expect(client.sequences).toEqual(chat.log.map((event) => event.sequence));
        for (const [messageId, { blocks }] of chat.texts) expect(filled(client.texts.get(messageId) ?? [])).toEqual(filled(blocks));
      }),
      { numRuns: 2_000 },
    );
  });

  it('never has anything but a beginning of the text up to the next withdrawal: nothing that was withdrawn, nothing that came in its place', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(operation, fc.nat(3), fc.nat(3)), { maxLength: 80 }), (script) => {
        const chat = new Session();
        const client = new Client();
        for (const [each, reads, unheard] of script) {
          chat.do(each);
          for (let count = 0; count < reads; count++) {
            const step = chat.step(client.position, unheard);
            if (step) client.take(step);
          }
        }
        for (let step = chat.step(client.position); step; step = chat.step(client.position)) client.take(step);
        for (const { sequence, blocks } of client.shown) {
          const until = chat.log.findIndex(({ sequence: later, type }) => later > sequence && (type === 'MessageTruncated' || type === 'MessageCompleted'));
          expect(isBeginning(blocks, until < 0 ? chat.textOf(chat.streaming).blocks : (chat.stood[until] as Block[]))).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('gets before an event all text that stood there and still holds', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (script) => {
        const chat = new Session();
        for (const each of script) chat.do(each);
        const client = new Client();
        for (let step = chat.step(client.position); step; step = chat.step(client.position)) {
          const { sequence, messageId } = client.position;
          if (messageId !== null && step.kind === 'event' && step.event.type !== 'MessageTruncated') {
            const stood = chat.stood[sequence] as Block[];
            const end = commonEnd(sequence, chat.textOf(messageId));
            expect(unitsOf(client.texts.get(messageId) as Block[])).toBeGreaterThanOrEqual(unitsOf(end ? cut(stood, end) : stood));
          }
          client.take(step);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('never gets text after the event that completes its message', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (script) => {
        const chat = new Session();
        for (const each of script) chat.do(each);
        const completed = new Set<unknown>();
        let position = origin;
        for (let step = chat.step(position); step; step = chat.step(position)) {
          position = step.position;
          if (step.kind === 'event' && step.event.type === 'MessageCompleted') completed.add(step.event.payload['messageId']);
          if (step.kind === 'delta') expect(completed.has(step.delta.messageId)).toBe(false);
        }
      }),
    );
  });

  it('reads nothing where a draft was not saved as far as it had heard it', () => {
    const chat = new Session();
    chat.do({ type: 'create' });
    chat.do({ type: 'text', kind: 'TEXT', text: 'saved' });
    const messageId = chat.streaming as string;
    expect(chat.step({ sequence: 1, messageId, blockIndex: 0, offset: 9 })).toBeNull();
    chat.do({ type: 'text', kind: 'TEXT', text: ' and more' });
    expect(chat.step({ sequence: 1, messageId, blockIndex: 0, offset: 9 })).toMatchObject({ kind: 'delta', delta: { offset: 9, text: ' more' } });
  });
});

describe('a cursor', () => {
  it('is bound to its session and refused when malformed', () => {
    const cursor = encodeCursor(session, { sequence: 3, messageId: null, blockIndex: 0, offset: 0 });
    expect(() => decodeCursor('01900000-0000-7000-8000-000000000001', cursor)).toThrow('not a cursor of this session');
    fc.assert(fc.property(fc.string(), (text) => void expect(() => decodeCursor(session, text)).toThrow('not a cursor')));
  });
});
