// All requests to providers leave through here.
import type { ProviderSettings } from './provider.ts';

/** The way out to providers. */
export interface Outbound {
  /** The `fetch` for requests to one provider. */
  fetchFor(provider: Pick<ProviderSettings, 'owner' | 'apiKey'>): typeof fetch;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Opens the way out of one process. */
export function createOutbound(): Outbound {
  return {
    fetchFor: ({ apiKey }) => withoutKey(apiKey),
    close: async () => undefined,
  };
}

/** Providers quote a wrong key in their errors; it is taken out before anything can log it. */
function withoutKey(apiKey: string | null): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.ok || !apiKey) return response;
    const text = (await response.text()).replaceAll(apiKey, '***');
    return new Response(text, { status: response.status, statusText: response.statusText, headers: response.headers });
  };
}
