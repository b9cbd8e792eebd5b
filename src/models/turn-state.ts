// What a model wants back with the calls that it requested: its thoughts, or the signature of one. Some vendors refuse the
// results of calls without it, all refuse that of another model, and only the adapter that made it reads it.
//
// An adapter's model tells it, as text, in the `additional_kwargs` of a last chunk, and finds it at the same place in the message
// that repeats its turn: https://ai.google.dev/gemini-api/docs/thought-signatures,
// https://platform.claude.com/docs/en/build-with-claude/extended-thinking, https://api-docs.deepseek.com/guides/thinking_mode
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import { z } from 'zod';

/** What one turn is to be repeated with, and to which model: `model` as `AskedModel.identity`, `data` is that model's own. */
export const turnState = z.object({ model: z.string(), data: z.string() });
export type TurnState = z.output<typeof turnState>;

const key = 'turnState';

/** For the message that repeats a turn. */
export function repeatedWith(state: TurnState | undefined): { additional_kwargs?: Record<string, unknown> } {
  return state ? { additional_kwargs: { [key]: state } } : {};
}

/** The messages for this model: what another one wanted back is left out. */
export function statesFor(model: string, messages: readonly BaseMessage[]): BaseMessage[] {
  return messages.map((message) => {
    const state = message.additional_kwargs[key] as TurnState | undefined;
    if (!state || !AIMessage.isInstance(message)) return message;
    const { [key]: _, ...more } = message.additional_kwargs;
    return changed(message, { additional_kwargs: state.model === model ? { ...more, [key]: state.data } : more });
  });
}

/** What the chunk tells of the state, if it does. */
export function stateTold({ additional_kwargs: told }: AIMessageChunk): string | undefined {
  return told[key] as string | undefined;
}

/** For adapters: collects what a model wants back from the chunks of its answer; null where it wants nothing. */
export interface StateCollector {
  add(chunk: AIMessageChunk): void;
  state(): unknown;
}

/** For adapters: the chunks, and one more that tells the state. */
export async function* tellingState(chunks: AsyncIterable<ChatGenerationChunk>, collector: StateCollector): AsyncGenerator<ChatGenerationChunk> {
  for await (const chunk of chunks) {
    collector.add(chunk.message as AIMessageChunk);
    yield chunk;
  }
  const state = collector.state();
  if (state != null) yield new ChatGenerationChunk({ text: '', message: new AIMessageChunk({ content: '', additional_kwargs: { [key]: JSON.stringify(state) } }) });
}

/** For adapters: what such a message is to be repeated with. Undefined where that is nothing, or of another form: an instance of another version may have written it. */
export function stateOf<T>({ additional_kwargs: { [key]: data } }: BaseMessage, form: z.ZodType<T>): T | undefined {
  return typeof data === 'string' ? form.safeParse(JSON.parse(data)).data : undefined;
}

/** For adapters: the messages, those that repeat a turn with a state of this form as `repeat` makes them. */
export function repeatingState<T>(messages: readonly BaseMessage[], form: z.ZodType<T>, repeat: (message: AIMessage, state: T) => AIMessage): BaseMessage[] {
  return messages.map((message) => {
    const state = stateOf(message, form);
    return state === undefined ? message : repeat(message as AIMessage, state);
  });
}

/** The message with something changed. */
export function changed({ content, tool_calls = [], additional_kwargs }: AIMessage, change: Partial<Pick<AIMessage, 'content' | 'additional_kwargs'>>): AIMessage {
  return new AIMessage({ content, tool_calls, additional_kwargs, ...change });
}
