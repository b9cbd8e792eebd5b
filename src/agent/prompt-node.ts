// The prompt node: asks the model, with the conversation and the passages, and streams what it says.
import { z } from 'zod';
import { defineNode } from '../graph/node.ts';
import { askOrReplay } from './answer-cache.ts';
import { composePrompt, promptConfig, promptInput, promptReads, requestOf, toldBy } from './prompt.ts';

/** The node type `prompt`. */
export const promptNode = defineNode({
  type: 'prompt',
  description: 'Asks the profile\'s model with its system prompt, the conversation and the retrieved passages, and streams the answer.',
  config: promptConfig,
  input: promptInput,
  output: z.object({}),
  timeoutMs: 600_000,
  reads: promptReads,
  async process(input, config, run) {
    const { messages, passages } = await composePrompt(run, input, config);
    await askOrReplay(run, requestOf(run, messages), passages, toldBy(run));
    return {};
  },
});
