// All requests to providers leave through here: over connections that are kept, never further than asked for, and for
// providers of workspaces only to public addresses.
import { Agent, fetch as send, type RequestInit } from 'undici';
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
}

/** An answer, streamed or not, is cut off here: no model says as much. */
const maxResponseBytes = 32 * 1024 ** 2;
/** What is read of a refusal. */
const maxErrorBytes = 64 * 1024;
/** Whoever makes a call limits its time; these are for what nobody waits for any more. */
const forgottenMs = 3_600_000;
const keepAliveMs = 30_000;
const farewellMs = 500;

/** Opens the way out of one process. */
export function createOutbound({ poolSize, connectTimeoutMs, rules }: OutboundOptions): Outbound {
  const shared = {
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
      const url = input instanceof Request ? input.url : String(input);
      if (owner === 'WORKSPACE') assertTarget(new URL(url), rules);
      const response = (await send(url, {
        ...(init as RequestInit),
        dispatcher: owner === 'WORKSPACE' ? guarded : anywhere,
        // Where a provider points to was checked by nobody, and must not get the key.
        redirect: 'manual',
      })) as unknown as Response;
      return await checked(response, apiKey);
    },
    close: async () => {
      closing ??= Promise.all([anywhere, guarded].map((agent) => within(farewellMs, agent.close()).then((done) => (done ? undefined : agent.destroy()))));
      await closing;
    },
  };
}

async function checked(response: Response, apiKey: string | null): Promise<Response> {
  const isRedirect = response.status >= 300 && response.status < 400;
  const isPage = response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
  if (isRedirect || isPage) {
    await response.body?.cancel().catch(() => undefined);
    throw new NoAnswerError(isRedirect ? `The provider answered ${response.status}, a redirect, which is not followed.` : 'The provider answered with a web page.');
  }
  if (response.ok) return response;
  const text = withoutKey(await beginning(response), apiKey);
  return new Response(text, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** As much of a refusal as anybody reads. */
async function beginning(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= maxErrorBytes) break;
  }
  return Buffer.concat(parts).subarray(0, maxErrorBytes).toString();
}

/** Providers quote a wrong key in their errors; it is taken out before anything can log it, in every spelling. */
export function withoutKey(text: string, apiKey: string | null): string {
  if (!apiKey) return text;
  return [apiKey, JSON.stringify(apiKey).slice(1, -1), encodeURIComponent(apiKey)].reduce((left, key) => left.replaceAll(key, '***'), text);
}
