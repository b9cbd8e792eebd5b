// What waits for other instances, and how silence is told from sleep; both without Redis.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPulse } from '../../src/platform/bus-pulse.ts';
import { createBusQueue } from '../../src/platform/bus-queue.ts';

describe('the queue', () => {
  const message = fc.record({ channel: fc.constantFrom('a', 'b', 'c'), isBulk: fc.boolean(), size: fc.integer({ min: 1, max: 40 }) });

  it('sends everything once, each channel in its order, urgent ones first, in rounds of about the size asked for', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), fc.integer({ min: 1, max: 200 }), (messages, roundBytes) => {
        const queue = createBusQueue({ maxMessages: 1_000, maxBytes: 100_000 });
        messages.forEach(({ channel, isBulk, size }, index) => expect(queue.add(channel, `${index}`.padEnd(size), isBulk)).toBe(0));
        const sent: Record<string, string[]> = { a: [], b: [], c: [] };
        const waiting = new Set(messages.keys());
        const urgentChannels = (): Set<string | undefined> => new Set([...waiting].filter((index) => !messages[index]?.isBulk).map((index) => messages[index]?.channel));
        while (queue.size > 0) {
          const before = urgentChannels();
          const round = [...queue.take(roundBytes)];
          const all = round.flatMap(([, texts]) => texts);
          expect(all.length).toBeGreaterThan(0);
          expect(all.join('').length).toBeLessThan(roundBytes + 40);
          for (const text of all) waiting.delete(Number(text));
          const urgencies = round.map(([channel]) => before.has(channel));
          expect(urgencies).toEqual([...urgencies].sort((x, y) => Number(y) - Number(x)));
          // Others go only when nothing urgent is left.
          if (urgentChannels().size > 0) expect(urgencies).not.toContain(false);
          for (const [channel, texts] of round) sent[channel]?.push(...texts);
        }
        for (const [channel, texts] of Object.entries(sent)) {
          expect(texts.map(Number)).toEqual(messages.flatMap((each, index) => (each.channel === channel ? [index] : [])));
        }
      }),
    );
  });

  it('holds so many messages and bytes, dropping the oldest bulk ones and then the oldest of all', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        const queue = createBusQueue({ maxMessages: 10, maxBytes: 150 });
        let kept: { index: number; isBulk: boolean; bytes: number; channel: string }[] = [];
        messages.forEach(({ channel, isBulk, size }, index) => {
          const text = `${index}`.padEnd(size);
          kept.push({ index, isBulk, bytes: text.length, channel });
          let dropped = 0;
          while (kept.length > 10 || kept.reduce((sum, { bytes }) => sum + bytes, 0) > 150) {
            const victim = kept.find((each) => each.isBulk) ?? kept[0];
            kept = kept.filter((each) => each !== victim);
            dropped++;
          }
          expect(queue.add(channel, text, isBulk)).toBe(dropped);
          expect(queue.size).toBe(kept.length);
        });
        const left = [...queue.take(1_000).values()].flat().map(Number);
        expect(left.sort((x, y) => x - y)).toEqual(kept.map(({ index }) => index));
        expect(queue.clear()).toBe(0);
      }),
    );
  });

  it('lets channels take turns', () => {
    const queue = createBusQueue({ maxMessages: 100, maxBytes: 10_000 });
    for (let piece = 0; piece < 4; piece++) for (const channel of ['a', 'b']) queue.add(channel, 'x'.repeat(10), true);
    const turns = Array.from({ length: 4 }, () => [...queue.take(20).keys()].join());
    expect(turns).toEqual(['a', 'b', 'a', 'b']);
  });
});

describe('the pulse', () => {
  const start = () => {
    const clock = { now: 0 };
    return { clock, pulse: createPulse(() => clock.now) };
  };

  it('is isolated until it hears itself, and again when a beat goes unheard', () => {
    const { clock, pulse } = start();
    pulse.heard('other');
    expect(pulse.health()).toBe('isolated');
    pulse.sent();
    pulse.heard('self');
    expect(pulse.health()).toBe('clustered');
    clock.now = 5_000;
    expect(pulse.health()).toBe('solitary');
    pulse.sent();
    clock.now += 1_600;
    expect(pulse.health()).toBe('isolated');
    expect(pulse.isDeaf()).toBe(true);
    pulse.heard('self');
    expect(pulse.health()).toBe('solitary');
  });

  it('does not take the sleep of its own process for silence', () => {
    const { clock, pulse } = start();
    pulse.sent();
    pulse.heard('self');
    clock.now += 60_000;
    pulse.sent();
    expect(pulse.isDeaf()).toBe(false);
    expect(pulse.health()).toBe('solitary');
  });

  it('asks for new connections less and less often while they do not help', () => {
    const { clock, pulse } = start();
    const asked: number[] = [];
    for (; clock.now < 120_000; clock.now += 500) {
      pulse.sent();
      if (pulse.isDeaf()) {
        asked.push(clock.now);
        pulse.lost();
      }
    }
    const pauses = asked.slice(1).map((time, index) => time - (asked[index] as number));
    expect(pauses).toEqual([...pauses].sort((x, y) => x - y));
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(30_000);
    expect(pauses[0]).toBeLessThan(5_000);
  });
});
