// Makes one migrated PGlite for the whole run and keeps its dump, so that each test file starts in under a second.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { entities } from '../../src/entities.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { openDatabase } from '../../src/platform/database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the dump of a migrated, empty PGlite. */
    databaseTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const database = await openDatabase({
    config: loadConfig({ NODE_ENV: 'test' }),
    folder: null,
    entities,
    migrations: fileURLToPath(new URL('../../migrations', import.meta.url)),
  });
  await database.migrate();
  const dump = await database.pglite?.dumpDataDir('none');
  await database.close();
  const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
  const file = join(folder, 'template.tar');
  await writeFile(file, Buffer.from(await (dump as Blob).arrayBuffer()));
  project.provide('databaseTemplate', file);
  return () => rm(folder, { recursive: true, force: true });
}
