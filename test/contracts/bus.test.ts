import { describe, expect, it } from 'vitest';
import { createLocalBus, topic, type Bus } from '../../src/platform/bus.ts';

const words = topic<{ readonly word: string }>('test.words');
const others = topic<{ readonly word: string }>('test.others');

/** What every bus keeps, whatever carries its messages. */
const buses: Record<string, (onError: (error: unknown) => void) => Bus> = { 'in-process': createLocalBus };

describe.each(Object.entries(buses))('the %s bus', (_name, create) => {
  it('delivers to every listener of the topic and key, in order, and to no other', async () => {
    const bus = create(() => undefined);
    const heard: string[] = [];
    await bus.subscribe(words, 'a', ({ word }) => heard.push(`1 ${word}`));
    await bus.subscribe(words, 'a', ({ word }) => heard.push(`2 ${word}`));
    await bus.subscribe(words, 'b', ({ word }) => heard.push(`b ${word}`));
    await bus.subscribe(others, 'a', ({ word }) => heard.push(`other ${word}`));
    bus.publish(words, 'a', { word: 'one' });
    bus.publish(words, 'a', { word: 'two' });
    expect(heard).toEqual(['1 one', '2 one', '1 two', '2 two']);
    await bus.close();
  });

  it('stops delivering when a listener has ended, also twice, and also one of two equal ones', async () => {
    const bus = create(() => undefined);
    const heard: string[] = [];
    const on = ({ word }: { word: string }): void => void heard.push(word);
    const stop = await bus.subscribe(words, 'a', on);
    await bus.subscribe(words, 'a', on);
    await stop();
    await stop();
    bus.publish(words, 'a', { word: 'once' });
    expect(heard).toEqual(['once']);
    await bus.close();
  });

  it('reports a listener that throws, and the others hear all the same', async () => {
    const errors: unknown[] = [];
    const bus = create((error) => errors.push(error));
    const heard: string[] = [];
    await bus.subscribe(words, 'a', () => {
      throw new Error('deaf');
    });
    await bus.subscribe(words, 'a', ({ word }) => heard.push(word));
    bus.publish(words, 'a', { word: 'still' });
    expect(heard).toEqual(['still']);
    expect(errors).toEqual([expect.objectContaining({ message: 'deaf' })]);
    await bus.close();
  });

  it('lets a listener subscribe and end while a message is delivered', async () => {
    const bus = create(() => undefined);
    const heard: string[] = [];
    const stop = await bus.subscribe(words, 'a', ({ word }) => {
      heard.push(`first ${word}`);
      void stop();
      void bus.subscribe(words, 'a', (later) => void heard.push(`second ${later.word}`));
    });
    bus.publish(words, 'a', { word: 'one' });
    bus.publish(words, 'a', { word: 'two' });
    expect(heard).toEqual(['first one', 'second two']);
    await bus.close();
  });
});
