// Google's Gemini API. LangChain's classes for it stand on an SDK that calls the global fetch; here its requests go through
// the connection's, as those of all vendors.
import { ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings } from '@langchain/google-genai';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { FilteredError, RefusedError } from './failures.ts';
import type { Connection, ProviderAdapter } from './provider.ts';
import { changed, repeatingState, tellingState } from './turn-state.ts';

export const gemini: ProviderAdapter = {
  kind: 'GEMINI',
  description: "Google's Gemini API.",
  usualUrl: 'https://generativelanguage.googleapis.com',
  needsKey: true,
  chat(model, { temperature, maxOutputTokens }, connection) {
    const chat = new Signing({ model, apiKey: connection.apiKey, temperature, maxOutputTokens, streamUsage: true, maxRetries: 0 });
    const { generationConfig } = chat['client'] as unknown as { generationConfig: object };
    const body = (request: Request): object => ({ generationConfig, ...request, contents: joined(request.contents) });
    chat['client'] = {
      generationConfig,
      generateContent: async (request: Request, options: Options) => ({ response: createReader()(await json(await send(connection, model, 'generateContent', body(request), options))) }),
      generateContentStream: async (request: Request, options: Options) => ({ stream: events(await send(connection, model, 'streamGenerateContent?alt=sse', body(request), options)) }),
    } as never;
    return chat;
  },
  embeddings(model, connection) {
    const embedder = new GoogleGenerativeAIEmbeddings({ model, apiKey: connection.apiKey, stripNewLines: false, maxRetries: 0 });
    const batch = async (texts: readonly string[], taskType: string): Promise<number[][]> => {
      const requests = texts.map((text) => ({ model: `models/${model}`, content: { role: 'user', parts: [{ text }] }, taskType }));
      const { embeddings } = (await json(await send(connection, model, 'batchEmbedContents', { requests }))) as { embeddings: { values: number[] }[] };
      return embeddings.map(({ values }) => values);
    };
    embedder.embedQuery = async (text) => (await batch([text], 'RETRIEVAL_QUERY'))[0] ?? [];
    // LangChain's own takes a batch that failed for one of empty vectors.
    embedder.embedDocuments = async (texts) => {
      const vectors: number[][] = [];
      for (let at = 0; at < texts.length; at += batchSize) vectors.push(...(await batch(texts.slice(at, at + batchSize), 'RETRIEVAL_DOCUMENT')));
      return vectors;
    };
    return embedder;
  },
};

/** Texts of one request at most. */
const batchSize = 100;

/** Where LangChain has the signatures of thoughts, by the ids of the calls that they stand beside. */
const signaturesKey = '__gemini_function_call_thought_signatures__';
/** LangChain signs calls of Gemini 3 itself that have no signature; those that came without one, beside another, go back without. */
const unsigned = 'unsigned';

/** Signatures by calls: of several at once only the first has one. */
const signatures = z.array(z.string().nullable());

/** A call goes back with the signature that it came with. */
class Signing extends ChatGoogleGenerativeAI {
  override _streamResponseChunks(...[messages, ...rest]: Parameters<ChatGoogleGenerativeAI['_streamResponseChunks']>): ReturnType<ChatGoogleGenerativeAI['_streamResponseChunks']> {
    const signed = repeatingState(messages, signatures, (message, given) =>
      changed(message, { additional_kwargs: { [signaturesKey]: Object.fromEntries((message.tool_calls ?? []).map(({ id }, index) => [id, given[index] ?? unsigned])) } }));
    const given: (string | null)[] = [];
    return tellingState(super._streamResponseChunks(signed, ...rest), {
      add({ tool_call_chunks: calls = [], additional_kwargs: more }) {
        const byId = more[signaturesKey] as Readonly<Record<string, string>> | undefined;
        for (const { id } of calls) given.push(byId?.[id ?? ''] ?? null);
      },
      state: () => (given.some((signature) => signature !== null) ? given : null),
    });
  }
}

interface Request {
  readonly contents: readonly Content[];
}
interface Content {
  readonly role: string;
  readonly parts: readonly { readonly functionResponse?: object; readonly thoughtSignature?: string }[];
}

/** What the calls of one turn gave belongs into one content: it counts them. */
function joined(contents: readonly Content[]): Content[] {
  const all: Content[] = [];
  for (const { role, parts: given } of contents) {
    const parts = given.map(({ thoughtSignature, ...part }) => (thoughtSignature === undefined || thoughtSignature === unsigned ? part : { ...part, thoughtSignature }));
    const last = all.at(-1);
    if (last && [...last.parts, ...parts].every(({ functionResponse }) => functionResponse)) all[all.length - 1] = { role, parts: [...last.parts, ...parts] };
    else all.push({ role, parts });
  }
  return all;
}

interface Options {
  readonly signal?: AbortSignal;
}

/** What is read of an answer. */
interface Answer {
  candidates?: { content?: object; finishReason?: string }[];
  readonly promptFeedback?: { readonly blockReason?: string };
  usageMetadata?: Usage;
  readonly error?: { readonly code?: number };
}

/** Tokens of the whole answer so far. Those of thoughts stand beside those of what it says, and those cached within the prompt's. */
interface Usage {
  readonly candidatesTokenCount?: number;
  readonly thoughtsTokenCount?: number;
  readonly cachedContentTokenCount?: number;
}

async function send({ baseUrl, apiKey, fetch }: Connection, model: string, method: string, body: object, { signal }: Options = {}): Promise<Response> {
  const response = await fetch(`${baseUrl}/v1beta/models/${encodeURIComponent(model)}:${method}`, {
    method: 'POST',
    // The key stands in a header, since addresses are logged on the way.
    headers: { 'content-type': 'application/json', 'x-goog-api-key': apiKey },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  throw new RefusedError(response, await response.text());
}

const json = async (response: Response): Promise<unknown> => JSON.parse(await response.text());

async function* events(response: Response): AsyncGenerator<Answer> {
  const messages = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).pipeThrough(new EventSourceParserStream());
  const read = createReader();
  for await (const { data } of messages) yield read(JSON.parse(data));
}

/** Reads the parts of one answer, and makes of each what LangChain takes for what it is. */
function createReader(): (part: unknown) => Answer {
  let used: Usage | undefined;
  return (part) => {
    const answer = part as Answer;
    if (answer.error) throw new RefusedError({ status: answer.error.code ?? 500 }, JSON.stringify(answer));
    if (answer.promptFeedback?.blockReason !== undefined) throw new FilteredError('The prompt was refused.');
    // A part without a content is skipped, and with it why the answer ended and what it used.
    if (!answer.candidates?.length && answer.usageMetadata) answer.candidates = [{}];
    for (const candidate of answer.candidates ?? []) candidate.content ??= { role: 'model', parts: [{ text: '' }] };
    // Of the counts it takes what is new in each part, except of the cached ones, and a part without any for the same again.
    const now = answer.usageMetadata ?? used;
    if (now) {
      const { candidatesTokenCount: said = 0, thoughtsTokenCount: thought = 0, cachedContentTokenCount: cached = 0 } = now;
      answer.usageMetadata = { ...now, candidatesTokenCount: said + thought, cachedContentTokenCount: cached - (used?.cachedContentTokenCount ?? 0) };
      used = now;
    }
    return answer;
  };
}
