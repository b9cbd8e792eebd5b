// Tokens: signed JWTs (HS256). An access token names user, workspace and sign-in; a refresh token names a sign-in and its
// generation, so that a used one is recognised.
import { SignJWT, errors, jwtVerify, type JWTPayload } from 'jose';
import type { App } from '../context.ts';
import { unauthenticated } from '../platform/errors.ts';

declare module '../context.ts' {
  interface App {
    /** The secret that signs tokens. */
    readonly jwtSecret: Uint8Array;
  }
}

export interface AccessClaims {
  readonly userId: string;
  readonly workspaceId: string;
  readonly authSessionId: string;
  readonly expiresAt: Date;
}

export interface RefreshClaims {
  readonly authSessionId: string;
  readonly generation: number;
}

/** Signs an access token; it ends after JWT_ACCESS_TOKEN_EXPIRE_HOURS. */
export async function signAccessToken(app: App, claims: Omit<AccessClaims, 'expiresAt'>): Promise<{ token: string; expiresAt: Date }> {
  const expiresAt = new Date(Math.floor(Date.now() / 1000 + app.config.accessTokenSeconds) * 1000);
  return { token: await sign(app, 'access', { sub: claims.userId, wid: claims.workspaceId, sid: claims.authSessionId }, expiresAt), expiresAt };
}

/** Signs the refresh token of a sign-in's generation. */
export async function signRefreshToken(app: App, claims: RefreshClaims, expiresAt: Date): Promise<string> {
  return await sign(app, 'refresh', { sid: claims.authSessionId, gen: claims.generation }, expiresAt);
}

/** Reads an access token; throws UNAUTHENTICATED when it is malformed, foreign or expired. */
export async function readAccessToken(app: App, token: string): Promise<AccessClaims> {
  const { sub, wid, sid, exp } = await read(app, 'access', token);
  if (typeof sub !== 'string' || typeof wid !== 'string' || typeof sid !== 'string' || exp === undefined) throw unauthenticated();
  return { userId: sub, workspaceId: wid, authSessionId: sid, expiresAt: new Date(exp * 1000) };
}

/** Reads a refresh token; throws UNAUTHENTICATED when it is malformed, foreign or expired. */
export async function readRefreshToken(app: App, token: string): Promise<RefreshClaims> {
  const { sid, gen } = await read(app, 'refresh', token);
  if (typeof sid !== 'string' || typeof gen !== 'number') throw unauthenticated('This refresh token is not valid. Sign in again.');
  return { authSessionId: sid, generation: gen };
}

function sign(app: App, audience: string, payload: JWTPayload, expiresAt: Date): Promise<string> {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('parley')
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(app.jwtSecret);
}

async function read(app: App, audience: string, token: string): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, app.jwtSecret, { issuer: 'parley', audience, algorithms: ['HS256'] })).payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthenticated('The token has expired. Refresh it with refreshTokens, or sign in again.');
    throw unauthenticated('The token is not valid. Sign in again.');
  }
}
