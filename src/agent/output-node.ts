// The output node: checks what the answer cites. Each [n] becomes a citation whose quote stands, to the character, in the
// document's stored text; an invented one is dropped and counted.
import { z } from 'zod';
import { readText } from '../documents/text.ts';
import { defineNode } from '../graph/node.ts';
import { loadPassages } from '../search/passages.ts';
import { findCitations } from './citations.ts';

/** The node type `output`. */
export const outputNode = defineNode({
  type: 'output',
  description: 'Checks the citations of the answer against the stored text and finishes the message.',
  config: z.object({}),
  input: z.object({ passages: z.array(z.object({ n: z.number(), chunkId: z.string() })).default([]) }),
  output: z.object({}),
  async process({ passages }, _config, run) {
    const loaded = new Map((await loadPassages(run.ctx, passages.map((passage) => passage.chunkId))).map((passage) => [passage.chunkId, passage]));
    const numbered = new Map(passages.flatMap(({ n, chunkId }) => { const passage = loaded.get(chunkId); return passage ? [[n, passage] as const] : []; }));
    const { citations, invented } = findCitations(run.answer(), [...numbered].map(([n, passage]) => ({ n, text: passage.text })));
    let dropped = invented.length;
    for (const found of citations) {
      const passage = numbered.get(found.index);
      if (!passage) continue;
      const startOffset = passage.startOffset + found.quoteStart;
      const endOffset = passage.startOffset + found.quoteEnd;
      const quote = passage.text.slice(found.quoteStart, found.quoteEnd);
      // The document may have been replaced or deleted since it was retrieved.
      if ((await readText(run.ctx, passage.versionId, startOffset, endOffset)) !== quote) {
        dropped++;
        continue;
      }
      run.emit({
        type: 'citation',
        index: found.index,
        chunkId: passage.chunkId,
        documentId: passage.documentId,
        documentName: passage.documentName,
        documentVersion: passage.documentVersion,
        page: passage.page,
        headingPath: passage.headingPath,
        startOffset,
        endOffset,
        quote,
        answerStart: found.answerStart,
        answerEnd: found.answerEnd,
      });
    }
    if (dropped > 0) {
      run.ctx.app.metrics.inventedCitations.inc(dropped);
      run.ctx.log.warn({ runId: run.runId, dropped }, 'citations without support were dropped');
    }
    return {};
  },
});
