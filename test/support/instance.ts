// A Parley with one more type of node, for tests of effects: "tally" writes a row for each of its calls, through the run's
// `once`. Started as a process of its own (see cluster.ts).
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineNode, type NodeType } from '../../src/graph/node.ts';
import { kysely, sql } from '../../src/platform/database.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { serve } from '../../src/serve.ts';

const tally = defineNode({
  type: 'tally',
  description: 'Writes one row per call, slowly, and says so.',
  config: z.object({ calls: z.number().int().min(1).max(100).default(8), pauseMs: z.number().int().min(0).max(1000).default(20) }),
  input: z.object({ question: z.string() }),
  output: z.object({}),
  hasEffects: true,
  async process(_input, { calls, pauseMs }, run) {
    for (let call = 0; call < calls; call++) {
      await run.once({ id: String(call), name: 'tally', arguments: { call } }, async (tx) => {
        await sql`insert into tally (run_id, call) values (${run.runId}, ${call})`.execute(kysely(tx.em));
        return { call };
      });
      run.emit({ type: 'text', text: `call ${call} ` });
      await sleep(pauseMs, undefined, { signal: run.signal });
    }
    return {};
  },
});

await serve(loadConfig(), { nodeTypes: [tally as unknown as NodeType] });
