// What a crowd of subscribers feels: one Parley on PostgreSQL in a process of its own, answers of a scripted model in several sessions, and
// readers of them in another process (swarm.ts), with and without as many subscribers who have stopped reading.
import { execFileSync, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startModelServer } from './model-server.ts';
import { startPostgres } from './postgres.ts';
import { startProgram } from './program.ts';
import { pieceLength, type Order, type Told } from './swarm.ts';
import { visit } from './visitor.ts';

export interface CrowdOptions {
  /** Readers, and in every second round as many who are paused. */
  readonly count: number;
  /** Pairs of rounds. */
  readonly rounds: number;
  readonly sessions: number;
  /** Pieces of each session's answer, and milliseconds between two. */
  readonly pieces: number;
  readonly pauseMs: number;
  /** Of streaming before a round is measured: long enough for the server to see who does not read (two seconds, and what it lags). */
  readonly warmUpMs: number;
}

export interface Round {
  /** Who had stopped reading and was connected from the first word to the last. */
  readonly paused: number;
  readonly readers: number;
  readonly faults: readonly string[];
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Messages that each reader got: fewer than pieces when pieces were joined. */
  readonly messagesPerReader: number;
  /** Of the server, resident after the round with all of them still connected, once collected. */
  readonly memoryMb: number;
}

/** Rounds without and with paused subscribers, in turn. */
export async function measureCrowd({ count, rounds, sessions, pieces, pauseMs, warmUpMs }: CrowdOptions): Promise<{ without: Round[]; with: Round[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-crowd-'));
  const model = await startModelServer();
  const postgres = await startPostgres();
  const limits = { RATE_LIMIT_CHAT_EVENTS: 'off', RATE_LIMIT_SEND_MESSAGE: 'off', RATE_LIMIT_DEFAULT_HOUR: 'off', RATE_LIMIT_DEFAULT_DAY: 'off' };
  const program = await startProgram({
    cwd: folder,
    env: {
      NODE_ENV: 'test',
      PORT: '0',
      DATABASE_URL: await postgres.createDatabase('parley'),
      // Tidies its memory when told to (settledMemoryMb).
      NODE_OPTIONS: "--expose-gc --import=data:text/javascript,process.on('SIGUSR2',()=>gc())",
      JWT_SECRET_KEY: 'a secret of a process that lives for a minute',
      // Whoever does not answer a ping is cut off; here not before a round has been measured.
      KEEPALIVE_SECONDS: '120',
      ...limits,
      ...model.env,
    },
  });
  const swarm = fork(fileURLToPath(new URL('./swarm.ts', import.meta.url)), { execArgv: [] });
  const order = async (what: Order): Promise<Told> => {
    swarm.send(what);
    const [told] = await once(swarm, 'message');
    return told as Told;
  };
  const door = visit(program.url);
  try {
    const ada = await door.signUp();
    const profile = await ada.ask('mutation { createProfile(input: { name: "P", systemPrompt: "Answer.", retrieval: { mode: OFF } }) { profile { id } } }');
    const ids: string[] = [];
    for (let made = 0; made < sessions; made++) {
      const { createChatSession } = await ada.ask('mutation ($p: ID!) { createChatSession(input: { profileId: $p }) { session { id } } }', { p: profile.createProfile.profile.id });
      ids.push(createChatSession.session.id);
    }

    /** One answer in each session, all at once. */
    const answer = async (words: number): Promise<void> => {
      const ends = await Promise.all(
        ids.map(async (sessionId) => {
          const { sendMessage } = await ada.ask('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { cursor userErrors { message } } }', { input: { sessionId, text: 'Go on.', idempotencyKey: randomUUID() } });
          return ada.subscribe('subscription ($s: ID!, $a: EventCursor) { chatEvents(sessionId: $s, after: $a) { ... on RunUpdated { runStatus } } }', { s: sessionId, a: sendMessage.cursor });
        }),
      );
      const calls = await Promise.all(ids.map(() => model.call()));
      for (let said = 0; said < words; said++) {
        // Sessions take turns within the pause, as the answers of several people do.
        for (const call of calls) {
          call.say(`${String(process.hrtime.bigint() / 1000n).padStart(pieceLength - 1, '0')} `);
          await sleep(pauseMs / calls.length);
        }
      }
      for (const call of calls) call.end();
      for (const end of ends) {
        await end.until((event) => event.chatEvents.runStatus === 'SUCCEEDED');
        end.stop();
      }
    };

    const open = (group: string): Promise<Told> => order({ do: 'open', group, count, url: program.url, token: ada.accessToken, sessions: ids });
    const round = async (isPaused: boolean): Promise<Round> => {
      if (isPaused) {
        await open('paused');
        await order({ do: 'pause', group: 'paused' });
      }
      // Until the server knows who reads: what it sends first lands in the buffers of the network.
      await answer(Math.ceil(warmUpMs / pauseMs));
      await order({ do: 'expect', group: 'readers', pieces: Math.ceil(warmUpMs / pauseMs) });
      await answer(pieces);
      const { connected: readers, faults, latency } = await order({ do: 'expect', group: 'readers', pieces });
      if (!latency) throw new Error('No latency was told.');
      const memoryMb = await settledMemoryMb(program.pid);
      const { status } = await ada.ask('{ status { activeSubscriptions } }');
      if (isPaused) await order({ do: 'close', group: 'paused' });
      while ((await ada.ask('{ status { activeSubscriptions } }')).status.activeSubscriptions > count) await sleep(20);
      return { paused: status.activeSubscriptions - readers, readers, faults, medianMs: latency.medianMs, p99Ms: latency.p99Ms, messagesPerReader: latency.messages / count, memoryMb };
    };

    await open('readers');
    // What a process does only once is no part of any round.
    await round(false);
    const result: { without: Round[]; with: Round[] } = { without: [], with: [] };
    for (let pair = 0; pair < rounds; pair++) {
      // Neither kind is always the first of its pair.
      for (const isPaused of pair % 2 === 0 ? [false, true] : [true, false]) {
        const done = await round(isPaused);
        if (process.env['VERBOSE']) console.info(done);
        result[isPaused ? 'with' : 'without'].push(done);
      }
    }
    return result;
  } finally {
    swarm.kill();
    await door.leave();
    await program.stop('SIGKILL');
    await model.close();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resident memory once what nobody needs is collected, and it has stopped falling. */
async function settledMemoryMb(pid: number): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  await sleep(250);
  let lowest = Infinity;
  for (;;) {
    const now = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
    if (now > lowest - 1) return Math.min(now, lowest);
    lowest = now;
    await sleep(250);
  }
}

