// How a client names what it asks, so that asking twice does it once.
import { z } from 'zod';

/** A client's name for what it asks, by which a second asking is recognised. */
export const idempotencyKey = z
  .string()
  .min(1, 'The idempotency key is empty.')
  .max(200, 'The idempotency key has more than 200 characters.')
  .refine((key) => !key.includes('\0'), 'The idempotency key holds a NUL character, which cannot be stored.');
