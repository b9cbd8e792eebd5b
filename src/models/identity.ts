// What makes two calls calls of the same model: for keys of caches.
import type { Models } from './catalog.ts';

/**
 * The model's id, how and where it is reached, and its name there: whoever points an id at another server has another model.
 * Plain JSON. Its key is no part of it, and no secret.
 */
export function modelIdentity(models: Models, modelId: string): readonly (string | null)[] {
  const model = models.find(modelId);
  const provider = models.providers().find(({ id }) => id === model?.providerId);
  return [modelId, provider?.kind ?? null, provider?.baseUrl ?? null, model?.name ?? null];
}
