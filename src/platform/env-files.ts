/**
 * Settings from files beside the program: `.env.<env>.local`, `.env.<env>`, `.env.local`, `.env`. An earlier file
 * goes before a later one, and the real environment before all of them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The environment with the files of `directory` beneath it. `<env>` is `NODE_ENV` of the real environment, or
 * development. A variable that is set but empty counts as absent, so a file may fill it.
 */
export function withEnvFiles(env: Env = process.env, directory: string = process.cwd()): Record<string, string | undefined> {
  const name = env.NODE_ENV?.trim() || 'development';
  // A name from outside must not lead to another directory.
  const own = /^[\w-]+$/.test(name) ? [`.env.${name}.local`, `.env.${name}`] : [];
  const merged: Record<string, string | undefined> = {};
  for (const layer of [env, ...[...own, '.env.local', '.env'].map((file) => readEnvFile(join(directory, file)))]) {
    for (const [variable, value] of Object.entries(layer)) {
      if ((merged[variable] ?? '').trim() === '' && value !== undefined) merged[variable] = value;
    }
  }
  return merged;
}

function readEnvFile(path: string): Env {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // A directory of that name (Docker makes one for a missing mount) holds no settings either.
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return {};
    throw error;
  }
  return parseEnv(text);
}
