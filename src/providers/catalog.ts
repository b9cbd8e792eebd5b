// The models that a workspace can use.
import type { Context } from '../context.ts';
import type { Models } from '../models/catalog.ts';
import type { ModelInfo } from '../models/provider.ts';

/** The catalog of the context's workspace; for guests that of the installation. */
export async function modelsOf(ctx: Context): Promise<Models> {
  return ctx.app.models;
}

/** What is left to say of a model that is no longer in the catalog: what was made with it still names it. */
export function retired(id: string): ModelInfo {
  const [providerId = '', ...name] = id.split(':');
  return {
    id, name: name.join(':'), providerId, capabilities: [], contextWindow: null, embeddingDimensions: null,
    inputPricePerMillion: null, outputPricePerMillion: null, fallbacks: [], isAvailable: false,
  };
}
