// All requests to providers leave through here: over connections that are kept, never further than asked for, and for
// providers of workspaces only to public addresses.
import { Agent, Pool, fetch as send, type RequestInit } from 'undici';
import { within } from '../platform/within.ts';
import { assertTarget, guardedLookup, type AddressRules } from './addresses.ts';
import { NoAnswerError } from './failures.ts';
import type { ProviderSettings } from './provider.ts';

/** The way out to providers. */
export interface Outbound {
  /** Whom providers of workspaces may be. */
  readonly rules: AddressRules;
  /** The `fetch` for requests to one provider. */
  fetchFor(provider: Pick<ProviderSettings, 'owner' | 'apiKey'>): typeof fetch;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface OutboundOptions {
  /** Connections to one host at most; further requests wait for one. */
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly rules: AddressRules;
  /** An answer, streamed or not, fails beyond this size: no model says as much. */
  readonly maxResponseBytes?: number;
}

/** What is read of a refusal. */
const maxErrorBytes = 64 * 1024;
/** Whoever makes a call limits its time; these are for what nobody waits for any more. */
const forgottenMs = 3_600_000;
const keepAliveMs = 30_000;
const farewellMs = 500;

/** Opens the way out of one process. */
export function createOutbound({ poolSize, connectTimeoutMs, rules, maxResponseBytes = 32 * 1024 ** 2 }: OutboundOptions): Outbound {
  const pools = new Set<Pool>();
  const shared = {
    // An agent that is closing has forgotten its pools, and could not end them any more.
    factory(origin: string | URL, options: object) {
      for (const pool of pools) if (pool.closed || pool.destroyed) pools.delete(pool);
      const pool = new Pool(origin, options);
      pools.add(pool);
      return pool;
    },
    connections: poolSize,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: forgottenMs,
    bodyTimeout: forgottenMs,
    maxResponseSize: maxResponseBytes,
  };
  const anywhere = new Agent({ ...shared, connect: { timeout: connectTimeoutMs } });
  const guarded = new Agent({ ...shared, connect: { timeout: connectTimeoutMs, lookup: guardedLookup(rules) } });
  let closing: Promise<unknown> | null = null;

  return {
    rules,
    fetchFor: ({ owner, apiKey }) => async (input, init) => {
      // Clients give either; each has what the other lacks.
      const request = input instanceof Request ? new Request(input, init) : null;
      const url = request?.url ?? String(input);
      if (owner === 'WORKSPACE') assertTarget(new URL(url), rules);
      const response = (await send(url, {
        ...((request ? await partsOf(request) : init) as RequestInit),
        dispatcher: owner === 'WORKSPACE' ? guarded : anywhere,
        // Where a provider points to was checked by nobody, and must not get the key.
        redirect: 'manual',
      })) as unknown as Response;
      return await checked(response, apiKey, maxResponseBytes);
    },
    close: async () => {
      closing ??= (async () => {
        const agents = [anywhere, guarded];
        if (await within(farewellMs, Promise.all(agents.map((agent) => agent.close())))) return;
        await Promise.all([...pools].map((pool) => pool.destroy()));
      })();
      await closing;
    },
  };
}

/** What a request asks for, in the words of whichever fetch; its body is read, since models are not sent endless ones. */
async function partsOf(request: Request): Promise<object> {
  const body = request.body === null ? {} : { body: await request.arrayBuffer() };
  return { method: request.method, headers: [...request.headers], signal: request.signal, ...body };
}

async function checked(response: Response, apiKey: string | null, maxBytes: number): Promise<Response> {
  const isRedirect = response.status >= 300 && response.status < 400;
  const isPage = response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
  if (isRedirect || isPage) {
    await response.body?.cancel().catch(() => undefined);
    throw new NoAnswerError(isRedirect ? `The provider answered ${response.status}, a redirect, which is not followed.` : 'The provider answered with a web page.');
  }
  const { status } = response;
  if (response.ok) {
    // The pool counts what comes over the wire, which can unfold to a thousand times as much.
    if (response.body === null || !response.headers.has('content-encoding')) return response;
    return new Response(response.body.pipeThrough(limit(maxBytes)), { status, headers: response.headers });
  }
  const headers = [...response.headers].map(([name, value]): [string, string] => [name, withoutKey(value, apiKey)]);
  return new Response(withoutKey(await beginning(response, apiKey), apiKey), { status, headers });
}

/** Passes bytes on until there are too many. */
function limit(maxBytes: number): ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return new TransformStream({
    transform(part: Uint8Array<ArrayBuffer>, passing) {
      bytes += part.length;
      if (bytes > maxBytes) throw new NoAnswerError(`The provider answered more than ${maxBytes} bytes.`);
      passing.enqueue(part);
    },
  });
}

/** As much of a refusal as anybody reads. */
async function beginning(response: Response, apiKey: string | null): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > maxErrorBytes) break;
  }
  const text = Buffer.concat(parts).subarray(0, maxErrorBytes).toString();
  // A key that is cut in two would not be recognised.
  return bytes > maxErrorBytes ? text.slice(0, text.length - longestSpelling * (apiKey?.length ?? 0)) : text;
}

/** Characters that one of a key is written with, at most. */
const longestSpelling = 8;

/** Providers quote a wrong key in their errors; it is taken out before anything can log it, in every spelling. */
export function withoutKey(text: string, apiKey: string | null): string {
  return apiKey ? text.replace(new RegExp(Array.from(apiKey, spellings).join(''), 'giu'), '***') : text;
}

/** One character as it is, and as JSON, addresses and HTML write it. */
function spellings(character: string): string {
  if (/[a-z0-9]/i.test(character)) return character;
  const code = character.codePointAt(0) as number;
  const hex = code.toString(16).padStart(2, '0');
  const entity = ({ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' } as Record<string, string>)[character];
  return `(?:\\\\{0,3}\\u{${hex}}|\\\\{1,3}u${hex.padStart(4, '0')}|%${hex}|%25${hex}|&#0*${code};|&#x0*${hex};${entity ? `|&${entity};` : ''})`;
}
