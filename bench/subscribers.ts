// What readers feel while others have stopped reading: `count` readers of streaming answers, without and with as many paused
// subscribers in turn, on one instance with a PostgreSQL of its own.
// `npm run bench:subscribers -- [--count 1000] [--rounds 9] [--sessions 2] [--pieces 40] [--pause 200]`
import { parseArgs } from 'node:util';
import { measureCrowd } from '../test/support/crowd.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '9' },
    sessions: { type: 'string', default: '2' },
    pieces: { type: 'string', default: '40' },
    pause: { type: 'string', default: '200' },
  },
});
const rounds = await measureCrowd({ count: Number(values.count), rounds: Number(values.rounds), sessions: Number(values.sessions), pieces: Number(values.pieces), pauseMs: Number(values.pause), warmUpMs: 5_000 });
for (const kind of ['without', 'with'] as const) {
  console.info(kind);
  console.table(rounds[kind].map(({ faults, ...figures }) => ({ ...figures, faults: faults.length })));
}
