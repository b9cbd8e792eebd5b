// Writes migrations/Migration<time>.ts with what the entities have that the migrations do not: `npm run migration:create`.
import { fileURLToPath } from 'node:url';
import { entities } from './entities.ts';
import { loadConfig } from './platform/config.ts';
import { openDatabase } from './platform/database.ts';

const migrations = fileURLToPath(new URL('../migrations', import.meta.url));
const database = await openDatabase({ config: loadConfig({ NODE_ENV: 'test' }), folder: null, entities, migrations });
await database.migrate();
const { fileName } = await database.orm.migrator.create();
console.log(fileName ? `migrations/${fileName}` : 'The migrations have all that the entities have.');
await database.close();
