// API keys at rest: AES-256-GCM under a key that is derived from SECRETS_KEY, or from the secret that signs tokens. Whose key it
// is goes into the encryption, so that a row that was copied to another workspace or provider opens nothing.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { App } from '../context.ts';

/** Whose secret it is. */
export interface SecretOwner {
  readonly workspaceId: string;
  /** The provider's row. */
  readonly providerId: string;
}

type Keeper = Pick<App, 'config' | 'jwtSecret'>;

const version = 'v1';
const ivBytes = 12;
const tagBytes = 16;

/** The secret, encrypted: never the same twice. */
export function seal(app: Keeper, owner: SecretOwner, secret: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', keyOf(app), iv, { authTagLength: tagBytes }).setAAD(boundTo(owner));
  const sealed = Buffer.concat([iv, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${version}.${sealed.toString('base64url')}`;
}

/** The secret again; null when it was changed, belongs to somebody else, or was sealed under another key. */
export function unseal(app: Keeper, owner: SecretOwner, sealed: string): string | null {
  const [given, text = ''] = sealed.split('.');
  const bytes = Buffer.from(text, 'base64url');
  if (given !== version || bytes.length < ivBytes + tagBytes) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(app), bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
    decipher.setAAD(boundTo(owner)).setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

const keys = new WeakMap<Keeper, Buffer>();

function keyOf(app: Keeper): Buffer {
  let key = keys.get(app);
  if (!key) keys.set(app, (key = Buffer.from(hkdfSync('sha256', app.config.secretsKey ?? app.jwtSecret, '', 'parley: API keys of providers', 32))));
  return key;
}

function boundTo({ workspaceId, providerId }: SecretOwner): Buffer {
  return Buffer.from(`${workspaceId} ${providerId}`);
}
