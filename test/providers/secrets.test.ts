import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { App } from '../../src/context.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { seal, unseal } from '../../src/providers/secrets.ts';

const keeper = (secretsKey?: string, jwtSecret = randomBytes(48)): Pick<App, 'config' | 'jwtSecret'> => ({ config: loadConfig({ NODE_ENV: 'test', ...(secretsKey && { SECRETS_KEY: secretsKey }) }), jwtSecret });
const owner = { workspaceId: randomUUID(), providerId: randomUUID() };
const secret = 'sk-secret-0123456789';

describe('a sealed secret', () => {
  it('opens again under the same key only, be it SECRETS_KEY or the secret that signs tokens', () => {
    const [jwt, other] = [randomBytes(48), randomBytes(48)];
    const byKey = seal(keeper('a key for secrets', jwt), owner, secret);
    expect(unseal(keeper('a key for secrets', other), owner, byKey)).toBe(secret);
    expect(unseal(keeper('another key', jwt), owner, byKey)).toBeNull();
    const byJwt = seal(keeper(undefined, jwt), owner, secret);
    expect(unseal(keeper(undefined, jwt), owner, byJwt)).toBe(secret);
    expect(unseal(keeper(undefined, other), owner, byJwt)).toBeNull();
  });

  it('shows nothing of itself and is never the same twice', () => {
    const app = keeper('a key for secrets');
    const [one, two] = [seal(app, owner, secret), seal(app, owner, secret)];
    expect(one).not.toBe(two);
    for (const sealed of [one, two]) expect(sealed + Buffer.from(sealed.slice(3), 'base64url').toString('latin1')).not.toContain('secret');
  });

  it('opens for nobody else, and not after any bit of it has changed', () => {
    const app = keeper('a key for secrets');
    const sealed = seal(app, owner, secret);
    expect(unseal(app, { ...owner, workspaceId: randomUUID() }, sealed)).toBeNull();
    expect(unseal(app, { ...owner, providerId: randomUUID() }, sealed)).toBeNull();
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      expect(unseal(app, owner, `v1.${changed.toString('base64url')}`)).toBeNull();
    }
    for (const broken of ['', 'v1.', 'v2' + sealed.slice(2), 'nonsense', sealed.slice(0, -4)]) expect(unseal(app, owner, broken)).toBeNull();
  });
});
