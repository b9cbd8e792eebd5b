// A small TCP proxy in front of any server, for faults of the network: connections cut, refused, or open and silent; and in
// front of Redis, messages that get lost while everything else goes on.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Proxy {
  /** The server's address with this proxy's port in it. */
  readonly url: string;
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Cuts all connections; new ones are let through. */
  cut(): void;
  /** Cuts all connections and refuses new ones until `restore`. */
  refuse(): void;
  /**
   * Swallows all bytes and ends both ways while connections stay open and new ones can be made. A connection that has lost
   * any stays dead when this ends, as behind a firewall that has forgotten it; new ones live.
   */
  blackhole(on: boolean): void;
  /**
   * Redis only: swallows what is published on its way to subscribers (all of it, or that of some channels), while commands
   * and their answers pass.
   */
  dropMessages(which: boolean | ((channel: string) => boolean)): void;
  /** Ends all faults; what is already lost stays lost. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a proxy on a free port, in front of the server that `url` names (redis://…, postgres://…, http://…). */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const isRedis = target.protocol === 'redis:';
  const sockets = new Set<Socket>();
  let swallowing = false;
  let isDropped: (channel: string) => boolean = () => false;

  const accept = (client: Socket): void => {
    const server = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true });
    const frames = isRedis ? splitFrames() : null;
    let dead = false;
    const pass = (from: Socket, to: Socket, change: (data: Buffer) => Buffer = (data) => data): void => {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (data: Buffer) => {
        dead ||= swallowing;
        if (dead) return;
        const rest = change(data);
        if (rest.length > 0 && !to.write(rest)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
      from.on('end', () => {
        dead ||= swallowing;
        if (!dead) to.end();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    };
    pass(client, server);
    pass(server, client, (data) => (frames ? Buffer.concat(frames(data).filter((frame) => !isDropped(channelOf(frame) ?? ''))) : data));
  };

  const listen = async (port: number): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true }, accept);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return server;
  };
  let listener: Server | null = await listen(0);
  const { port } = listener.address() as AddressInfo;
  const own = new URL(url);
  own.host = `127.0.0.1:${port}`;

  const proxy: Proxy = {
    url: own.href.replace(/\/$/, ''),
    port,
    get connections() {
      return sockets.size / 2;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    refuse() {
      listener?.close();
      listener = null;
      proxy.cut();
    },
    blackhole(on) {
      swallowing = on;
    },
    dropMessages(which) {
      isDropped = typeof which === 'function' ? (channel) => channel !== '' && which(channel) : (channel) => which && channel !== '';
    },
    async restore() {
      swallowing = false;
      isDropped = () => false;
      listener ??= await listen(port);
    },
    async close() {
      proxy.refuse();
    },
  };
  return proxy;
}

/** Cuts what Redis says into whole answers and messages (RESP2). */
function splitFrames(): (data: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    const frames: Buffer[] = [];
    for (let end = endOfFrame(rest, 0); end !== null; end = endOfFrame(rest, 0)) {
      frames.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return frames;
  };
}

/** Where the frame that begins at `at` ends; null when it is not all there. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
function endOfFrame(data: Buffer, at: number): number | null {
  const line = data.indexOf('\r\n', at);
  if (line < 0) return null;
  const kind = String.fromCharCode(data[at] ?? 0);
  const count = Number(data.toString('latin1', at + 1, line));
  let end: number | null = line + 2;
  if (kind === '$' && count >= 0) end += count + 2;
  if (kind === '*') for (let element = 0; element < count && end !== null; element++) end = endOfFrame(data, end);
  return end === null || end > data.length ? null : end;
}

/** The channel of a published message; null of anything else. */
function channelOf(frame: Buffer): string | null {
  const start = '*3\r\n$7\r\nmessage\r\n';
  if (frame.toString('latin1', 0, start.length) !== start) return null;
  const line = frame.indexOf('\r\n', start.length);
  return frame.toString('utf8', line + 2, line + 2 + Number(frame.toString('latin1', start.length + 1, line)));
}
