// A TCP listener on both loopback addresses that counts who comes, for tests of who must not.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Listener {
  /** The same on 127.0.0.1 and ::1. */
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  close(): Promise<void>;
}

/** Listens; `onSocket` may answer. */
export async function startListener(onSocket: (socket: Socket) => void = () => undefined): Promise<Listener> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const open = async (host: string, port: number): Promise<Server> => {
    const server = createServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
      onSocket(socket);
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    return server;
  };
  const servers: Server[] = [];
  // A port that is free on one of them need not be on the other.
  for (let attempt = 1; servers.length < 2; attempt++) {
    const first = await open('127.0.0.1', 0);
    try {
      servers.push(first, await open('::1', (first.address() as AddressInfo).port));
    } catch (error) {
      first.close();
      if (attempt === 10 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
  return {
    port: (servers[0]!.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
