// What every bus promises, whatever carries its messages: heard where they are published and on other instances.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLocalBus, topic, type Bus } from '../../src/platform/bus.ts';
import { openTestBus } from '../support/bus.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const words = topic<{ readonly word: string }>('test.words');
const others = topic<{ readonly word: string }>('test.others');
const soon = { timeout: 20_000 };
const pieces = topic<number>('test.pieces', { isBulk: () => true });

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

/** Where messages are published, and where they are listened to. */
interface Places {
  readonly from: Bus;
  readonly at: Bus;
}
type OnError = (error: unknown) => void;

const places: Record<string, (onError: OnError) => Promise<Places>> = {
  async 'the bus of a process'(onError) {
    const bus = createLocalBus(onError);
    return { from: bus, at: bus };
  },
  async 'one instance of a bus over Redis'(onError) {
    const bus = openTestBus(server.url, onError);
    await expect.poll(() => bus.health(), soon).not.toBe('isolated');
    return { from: bus, at: bus };
  },
  async 'two instances of a bus over Redis'(onError) {
    const [from, at] = [openTestBus(server.url, onError), openTestBus(server.url, onError)];
    await expect.poll(() => [from.health(), at.health()], soon).toEqual(['clustered', 'clustered']);
    return { from, at };
  },
};

const opened: Places[] = [];
afterEach(async () => {
  for (const { from, at } of opened.splice(0)) await Promise.all(new Set([from, at]).values().map((bus) => bus.close()));
});

describe.each(Object.entries(places))('%s', (_name, open) => {
  const start = async (onError: OnError = () => undefined): Promise<Places> => {
    const place = await open(onError);
    opened.push(place);
    return place;
  };

  it('delivers to every listener of the topic and key, in order, and to no other', async () => {
    const { from, at } = await start();
    const heard: string[] = [];
    await at.subscribe(words, 'b', ({ word }) => heard.push(`b ${word}`));
    await at.subscribe(others, 'a', ({ word }) => heard.push(`other ${word}`));
    await at.subscribe(words, 'a', ({ word }) => heard.push(`1 ${word}`));
    await at.subscribe(words, 'a', ({ word }) => heard.push(`2 ${word}`));
    from.publish(words, 'a', { word: 'one' });
    from.publish(words, 'a', { word: 'two' });
    await expect.poll(() => heard, soon).toEqual(['1 one', '2 one', '1 two', '2 two']);
  });

  it('delivers what is published as soon as somebody has begun to listen', async () => {
    const { from, at } = await start();
    for (let round = 0; round < 50; round++) {
      const heard: number[] = [];
      const stop = await at.subscribe(pieces, 'quick', (piece) => heard.push(piece));
      from.publish(pieces, 'quick', round);
      await expect.poll(() => heard, { ...soon, interval: 1 }).toEqual([round]);
      await stop();
    }
  });

  it('stops delivering when a listener has ended, also twice, and also one of two equal ones', async () => {
    const { from, at } = await start();
    const heard: string[] = [];
    const on = ({ word }: { word: string }): void => void heard.push(word);
    const stop = await at.subscribe(words, 'a', on);
    const stopOther = await at.subscribe(words, 'a', on);
    await stop();
    await stop();
    from.publish(words, 'a', { word: 'once' });
    await expect.poll(() => heard, soon).toEqual(['once']);
    await stopOther();
    const ended = Promise.withResolvers<void>();
    await at.subscribe(words, 'end', () => ended.resolve());
    from.publish(words, 'a', { word: 'never' });
    from.publish(words, 'end', { word: 'end' });
    await ended.promise;
    expect(heard).toEqual(['once']);
  });

  it('reports a listener that throws, and the others hear all the same', async () => {
    const errors: unknown[] = [];
    const { from, at } = await start((error) => errors.push(error));
    const heard: string[] = [];
    await at.subscribe(words, 'a', () => {
      throw new Error('deaf');
    });
    await at.subscribe(words, 'a', ({ word }) => heard.push(word));
    from.publish(words, 'a', { word: 'still' });
    await expect.poll(() => heard, soon).toEqual(['still']);
    expect(errors).toEqual([expect.objectContaining({ message: 'deaf' })]);
  });

  it('lets a listener subscribe and end while a message is delivered', async () => {
    const { from, at } = await start();
    const heard: string[] = [];
    const stop = await at.subscribe(words, 'a', ({ word }) => {
      heard.push(`first ${word}`);
      void stop();
      void at.subscribe(words, 'a', (later) => void heard.push(`second ${later.word}`));
    });
    from.publish(words, 'a', { word: 'one' });
    from.publish(words, 'a', { word: 'two' });
    await expect.poll(() => heard, soon).toEqual(['first one', 'second two']);
  });

  it('loses none of 10,000 messages of ten keys, and keeps the order of each', async () => {
    const { from, at } = await start();
    const heard = Array.from({ length: 10 }, (): number[] => []);
    for (const [key, list] of heard.entries()) await at.subscribe(pieces, String(key), (piece) => list.push(piece));
    for (let piece = 0; piece < 1_000; piece++) {
      for (const key of heard.keys()) from.publish(pieces, String(key), piece);
      if (piece % 50 === 0) await new Promise(setImmediate);
    }
    const all = Array.from({ length: 1_000 }, (_, piece) => piece);
    await expect.poll(() => heard.every((list) => list.length === 1_000), soon).toBe(true);
    for (const list of heard) expect(list).toEqual(all);
  });

  it('lets the listeners of the same instance hear a message before publishing returns', async () => {
    const { from, at } = await start();
    const heard: string[] = [];
    await from.subscribe(words, 'a', ({ word }) => heard.push(word));
    from.publish(words, 'a', { word: 'now' });
    expect(heard).toEqual(['now']);
    // Not a second time when it comes back from Redis: that is before what is published next elsewhere.
    at.publish(words, 'a', { word: 'later' });
    await expect.poll(() => heard, soon).toEqual(['now', 'later']);
  });

  it('delivers in the order of publishing also what a listener publishes', async () => {
    const { from, at } = await start();
    const heard: string[] = [];
    await at.subscribe(words, 'answers', ({ word }) => heard.push(word));
    const stop = await from.subscribe(words, 'questions', ({ word }) => from.publish(words, 'answers', { word: `answer ${word}` }));
    from.publish(words, 'questions', { word: '1' });
    from.publish(words, 'answers', { word: 'afterwards' });
    await expect.poll(() => heard, soon).toEqual(['answer 1', 'afterwards']);
    await stop();
  });
});
