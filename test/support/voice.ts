// A node whose visits a test performs: it tells the run, part by part, what a model or a check of citations would.
import { z } from 'zod';
import { defineNode, type NodeType } from '../../src/graph/node.ts';
import type { RunScope } from '../../src/graph/scope.ts';
import type { TestUser } from './visitor.ts';

/** One visit of the node. */
export interface Visit {
  readonly run: RunScope;
  say(text: string): void;
  think(text: string): void;
  /** Falls back from model "a" to model "b", and keeps what stood there. */
  fallBack(keep: ReturnType<RunScope['written']>, from?: string, to?: string): void;
  end(): void;
  fail(error: Error): void;
}

export interface Voice {
  readonly nodeType: NodeType;
  /** The next visit, begun or to come. */
  visit(): Promise<Visit>;
}

/** A node type "voice", to give to an app. */
export function createVoice(): Voice {
  const waiting: Visit[] = [];
  const wanted: ((visit: Visit) => void)[] = [];
  const nodeType = defineNode({
    type: 'voice',
    description: 'Says what the test wants.',
    config: z.object({}),
    input: z.object({ question: z.string() }),
    output: z.object({}),
    process: (_input, _config, run) =>
      new Promise((resolve, reject) => {
        run.signal.addEventListener('abort', () => reject(run.signal.reason as Error));
        const visit: Visit = {
          run,
          say: (text) => run.emit({ type: 'text', text }),
          think: (text) => run.emit({ type: 'reasoning', text }),
          fallBack: (keep, from = 'openai:gpt-4o', to = 'openai:gpt-4') => run.emit({ type: 'fellBack', from, to, errorCode: 'PROVIDER_UNAVAILABLE', keep }),
          end: () => resolve({}),
          fail: reject,
        };
        const next = wanted.shift();
        if (next) next(visit);
        else waiting.push(visit);
      }),
  });
  return {
    nodeType: nodeType as unknown as NodeType,
    visit: () => {
      const begun = waiting.shift();
      return begun ? Promise.resolve(begun) : new Promise((resolve) => wanted.push(resolve));
    },
  };
}

/** A profile that is answered by visits of "voice" alone, as many as it says; returns its id. */
export async function createVoiceProfile(user: TestUser, visits = 1): Promise<string> {
  const nodes = Array.from({ length: visits }, (_, index) => ({ id: `voice${index}`, type: 'voice' }));
  const ids = ['start', ...nodes.map(({ id }) => id), 'end'];
  const edges = ids.slice(1).map((to, index) => ({ from: ids[index], to }));
  const { createProfile } = await user.ask('mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profile { id } userErrors { message } } }', {
    input: { name: 'Voice', systemPrompt: 'Answer.', graph: { name: 'voice', nodes, edges } },
  });
  if (createProfile.userErrors.length > 0) throw new Error(JSON.stringify(createProfile.userErrors));
  return createProfile.profile.id;
}
