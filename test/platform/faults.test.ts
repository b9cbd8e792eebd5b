// The faults that other tests rely on.
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let proxy: Proxy;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startProxy(server.url);
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});
beforeEach(() => proxy.restore());

/** A client that gives up at once. */
async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(proxy.url, { lazyConnect: true, commandTimeout: 1_000, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

describe('the proxy', () => {
  it('lets everything through, also much and in pieces', async () => {
    const text = 'ü€\r\n*3\r\n$7\r\nmessage\r\n'.repeat(100_000);
    await withClient(async (client) => {
      await client.set('text', text);
      expect(await client.get('text')).toBe(text);
      expect(await client.eval("return {1, false, {'a', {}}, 'b'}", 0)).toEqual([1, null, ['a', []], 'b']);
      expect(proxy.connections).toBe(1);
    });
    await expect.poll(() => proxy.connections).toBe(0);
  });

  it('cuts connections, refuses new ones, and takes them again', async () => {
    await withClient(async (client) => {
      const closed = new Promise((resolve) => client.once('close', resolve));
      proxy.cut();
      await closed;
    });
    await withClient((client) => client.ping());
    proxy.refuse();
    await expect(withClient((client) => client.ping())).rejects.toThrow();
    await proxy.restore();
    expect(await withClient((client) => client.ping())).toBe('PONG');
  });

  it('swallows bytes while connections stay open; those that lost some stay dead', async () => {
    await withClient(async (client) => {
      await client.ping();
      proxy.blackhole(true);
      await expect(client.ping()).rejects.toThrow('timed out');
      expect(client.status).toBe('ready');
      proxy.blackhole(false);
      await expect(client.ping()).rejects.toThrow('timed out');
      expect(await withClient((other) => other.ping())).toBe('PONG');
    });
  });

  it('loses messages, of all channels or of some, and lets commands pass', async () => {
    await withClient(async (subscriber) => {
      const heard: string[] = [];
      subscriber.on('message', (channel, text) => heard.push(`${channel} ${text}`));
      await subscriber.subscribe('a', 'b');
      proxy.dropMessages(true);
      await withClient((client) => client.publish('a', 'lost'));
      await subscriber.subscribe('c');
      proxy.dropMessages((channel) => channel === 'a');
      await withClient((client) => client.pipeline().publish('a', 'lost').publish('b', 'one').publish('c', 'two').exec());
      await subscriber.ping();
      proxy.dropMessages(false);
      await withClient((client) => client.publish('a', 'three'));
      await expect.poll(() => heard).toEqual(['b one', 'c two', 'a three']);
    });
  });
});

describe('the server', () => {
  it('is killed and comes back empty on its port, and can be paused', async () => {
    await withClient((client) => client.set('key', 'value'));
    await server.stop();
    await expect(withClient((client) => client.ping())).rejects.toThrow();
    await server.start();
    expect(await withClient((client) => client.get('key'))).toBeNull();
    server.pause();
    try {
      await withClient((client) => client.ping()).then(() => expect.unreachable(), () => undefined);
    } finally {
      server.resume();
    }
    expect(await withClient((client) => client.ping())).toBe('PONG');
  });
});
