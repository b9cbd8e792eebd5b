// Passwords: argon2id (OWASP's 19 MiB, 2 passes), asynchronous so that hashing stays off the event loop.
import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';

const hash = promisify(argon2) as (algorithm: 'argon2id', parameters: Argon2Parameters) => Promise<Buffer>;
const memory = 19_456;
const passes = 2;

/** The rules for a new password; each broken one is an issue of its own. */
export const newPassword = z.string().superRefine((password, ctx) => {
  const rule = (holds: boolean, constraint: string, message: string): void => {
    if (!holds) ctx.addIssue({ code: 'custom', message, params: { constraint } });
  };
  rule(password.length >= 8, 'minLength', 'The password has fewer than 8 characters. Use at least 8.');
  rule(password.length <= 256, 'maxLength', 'The password has more than 256 characters. Use at most 256.');
  rule(/\p{Lu}/u.test(password), 'uppercase', 'The password has no upper-case letter. Add one.');
  rule(/\p{Ll}/u.test(password), 'lowercase', 'The password has no lower-case letter. Add one.');
  rule(/\p{Nd}/u.test(password), 'digit', 'The password has no digit. Add one.');
  rule(/[^\p{L}\p{N}\s]/u.test(password), 'special', 'The password has no special character. Add one, such as ! or -.');
});

/** The hash to store, in PHC form. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16);
  const tag = await derive(password, nonce, memory, passes);
  return `$argon2id$v=19$m=${memory},t=${passes},p=1$${unpadded(nonce)}$${unpadded(tag)}`;
}

/** Whether the password is the stored one. Without a stored one it takes as long and is false. */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([^$]+)\$([^$]+)$/.exec(stored ?? '');
  if (!match) {
    await derive(password, Buffer.alloc(16), memory, passes);
    return false;
  }
  const tag = await derive(password, Buffer.from(match[3] as string, 'base64'), Number(match[1]), Number(match[2]));
  return timingSafeEqual(tag, Buffer.from(match[4] as string, 'base64'));
}

function derive(password: string, nonce: Buffer, memoryKib: number, rounds: number): Promise<Buffer> {
  return hash('argon2id', { message: password, nonce, memory: memoryKib, passes: rounds, parallelism: 1, tagLength: 32 });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
