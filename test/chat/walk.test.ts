import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, origin, type Position } from '../../src/chat/cursor.ts';
import { walk, type Block, type LoggedEvent, type Step } from '../../src/chat/walk.ts';

const session = '01900000-0000-7000-8000-000000000000';

/** A session as the database has it: a log and the messages' texts, changed by random operations. */
class Session {
  readonly log: LoggedEvent[] = [];
  readonly texts = new Map<string, Block[]>();
  streaming: string | null = null;
  private made = 0;

  do(operation: Operation): void {
    const blocks = this.streaming ? (this.texts.get(this.streaming) as Block[]) : null;
    if (operation.type === 'create' && !blocks) {
      this.streaming = `01900000-0000-7000-8000-${String(++this.made).padStart(12, '0')}`;
      this.texts.set(this.streaming, [{ kind: 'TEXT', text: '' }]);
      this.append('MessageCreated', { messageId: this.streaming, streaming: true });
    } else if (operation.type === 'text' && blocks) {
      const last = blocks.at(-1) as Block;
      blocks[blocks.length - 1] = { ...last, text: last.text + operation.text };
    } else if (operation.type === 'block' && blocks) {
      this.append('ToolCallUpdated', { messageId: this.streaming });
      blocks.push({ kind: 'TEXT', text: '' });
    } else if (operation.type === 'event') {
      this.append('RunStepUpdated', {});
    } else if (operation.type === 'truncate' && blocks) {
      const blockIndex = operation.at % blocks.length;
      const offset = operation.at % ((blocks[blockIndex] as Block).text.length + 1);
      this.append('MessageTruncated', { messageId: this.streaming, blockIndex, offset });
      blocks.splice(blockIndex, blocks.length, { kind: 'TEXT', text: (blocks[blockIndex] as Block).text.slice(0, offset) });
    } else if (operation.type === 'complete' && blocks) {
      this.append('MessageCompleted', { messageId: this.streaming });
      this.streaming = null;
    }
  }

  step(position: Position): Step | null {
    return walk(position, this.log[position.sequence], position.messageId === null ? [] : (this.texts.get(position.messageId) as Block[]));
  }

  private append(type: string, payload: Record<string, unknown>): void {
    const blocks = this.streaming ? (this.texts.get(this.streaming) as Block[]) : [];
    const at = this.streaming ? { messageId: this.streaming, blockIndex: blocks.length - 1, offset: blocks.at(-1)?.text.length ?? 0 } : null;
    this.log.push({ sequence: this.log.length + 1, type, payload, at, occurredAt: new Date(0) });
  }
}

/** Blocks that hold text, by index: an empty one is opened by its first delta. */
const filled = (texts: readonly string[]): (readonly [number, string])[] => Array.from(texts, (text, index) => [index, text ?? ''] as const).filter(([, text]) => text !== '');

/** A client by the rules of the documentation. */
class Client {
  readonly sequences: number[] = [];
  readonly texts = new Map<string, string[]>();
  faults: string[] = [];
  position: Position = origin;

  take(step: Step): void {
    // As over the wire: the position survives as a cursor.
    this.position = decodeCursor(session, encodeCursor(session, step.position));
    if (step.kind === 'delta') {
      const { messageId, blockIndex, offset, text } = step.delta;
      const blocks = this.texts.get(messageId);
      if (!blocks) return void this.faults.push('a delta before its message');
      const had = blocks[blockIndex] ?? '';
      if (offset > had.length) this.faults.push(`a hole at ${offset} of ${had.length}`);
      if (offset < had.length) this.faults.push(`a repeat at ${offset} of ${had.length}`);
      blocks[blockIndex] = had + text;
      return;
    }
    this.sequences.push(step.event.sequence);
    const messageId = step.event.payload['messageId'] as string;
    if (step.event.type === 'MessageCreated') this.texts.set(messageId, ['']);
    if (step.event.type === 'MessageTruncated') {
      const blocks = this.texts.get(messageId) as string[];
      const blockIndex = step.event.payload['blockIndex'] as number;
      if (blockIndex < blocks.length) blocks.splice(blockIndex, blocks.length, (blocks[blockIndex] ?? '').slice(0, step.event.payload['offset'] as number));
    }
  }
}

type Operation = { type: 'create' | 'block' | 'event' | 'complete' } | { type: 'text'; text: string } | { type: 'truncate'; at: number };
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('create' as const, 'event' as const, 'complete' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('block' as const) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('text' as const), text: fc.string({ minLength: 1, maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('truncate' as const), at: fc.nat(50) }) },
);

describe('a reader', () => {
  it('gets every event once and in order and the exact text, however often it reads in between', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(operation, fc.nat(4)), { maxLength: 80 }), (script) => {
        const chat = new Session();
        const client = new Client();
        for (const [each, reads] of script) {
          chat.do(each);
          for (let count = 0; count < reads; count++) {
            const step = chat.step(client.position);
            if (step) client.take(step);
          }
        }
        for (let step = chat.step(client.position); step; step = chat.step(client.position)) client.take(step);
        expect(client.faults).toEqual([]);
        expect(client.sequences).toEqual(chat.log.map((event) => event.sequence));
        for (const [messageId, blocks] of chat.texts) expect(filled(client.texts.get(messageId) ?? [])).toEqual(filled(blocks.map((block) => block.text)));
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
    chat.do({ type: 'text', text: 'saved' });
    const messageId = chat.streaming as string;
    expect(chat.step({ sequence: 1, messageId, blockIndex: 0, offset: 9 })).toBeNull();
    chat.do({ type: 'text', text: ' and more' });
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
