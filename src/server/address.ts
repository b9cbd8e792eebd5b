// Where a request comes from, also behind proxies.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * The client's address: the socket's, or with trusted proxies in front what the outermost of them saw. Each proxy adds to
 * X-Forwarded-For the address of whoever called it, so the entries before those are the client's own words.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const peer = request.socket.remoteAddress ?? 'unknown';
  const forwarded = trustedProxies === 0 ? [] : String(request.headers['x-forwarded-for'] ?? '').split(',').map(withoutPort);
  const told = forwarded.filter((address) => address !== '').at(-trustedProxies) ?? peer;
  return isIP(told) === 0 ? peer : told;
}

/** Some proxies write the port, too: "203.0.113.7:4711", "[2001:db8::1]:4711". */
function withoutPort(entry: string): string {
  const text = entry.trim();
  return /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}
