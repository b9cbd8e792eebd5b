// The installation that the program brings, as an environment sets it up.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InstallationFile } from '../../src/models/installation-file.ts';
import { loadConfig, type Config } from '../../src/platform/config.ts';
import { readInstallation, type ReadInstallation } from '../../src/models/installation.ts';

/** As the settings name them: `openaiApiKey` for OPENAI_API_KEY. */
export type EnvironmentModels = Partial<Omit<Config['models'], 'pineconeApiKey'>>;

/** Reads the shipped file with these variables set. */
export function installationOf({ openaiApiKey, openaiBaseUrl, anthropicApiKey, anthropicBaseUrl, googleApiKey, googleBaseUrl, chatModel, embeddingModel }: EnvironmentModels = {}): ReadInstallation {
  const env = { OPENAI_API_KEY: openaiApiKey, OPENAI_BASE_URL: openaiBaseUrl, ANTHROPIC_API_KEY: anthropicApiKey, ANTHROPIC_BASE_URL: anthropicBaseUrl, GOOGLE_API_KEY: googleApiKey, GOOGLE_BASE_URL: googleBaseUrl, LLM_MODEL: chatModel, EMBEDDING_MODEL: embeddingModel };
  return readInstallation(loadConfig({ NODE_ENV: 'test', ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? ''])) }));
}

let folder: string | null = null;
let files = 0;

/** The path of a file that says what the shipped one says, changed; for CONFIG_FILE. It goes when the process does. */
export function configFile(change: (shipped: InstallationFile) => object): string {
  if (folder === null) {
    folder = mkdtempSync(join(tmpdir(), 'parley-config-'));
    process.once('exit', () => rmSync(folder as string, { recursive: true, force: true }));
  }
  const path = join(folder, `${++files}-config.json`);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(new URL('../../config/config.json', import.meta.url), 'utf8')) as InstallationFile)));
  return path;
}

/** The shipped file without profiles: new workspaces are empty. */
export const withoutProfiles = (): string => configFile((shipped) => ({ ...shipped, profiles: [] }));
