// Typed requests: the document, made by `graphql()` and `npm run codegen`, knows its variables and its result.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print, type DocumentNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export interface TypedClient {
  /** Answers the data; throws on top-level errors. A `File` among the variables is sent as multipart/form-data. */
  request<R, V extends object>(document: TypedDocumentNode<R, V>, variables: V): Promise<R>;
  /** The results of a subscription, until the caller stops iterating. */
  follow<R, V extends object>(document: TypedDocumentNode<R, V>, variables: V): AsyncIterableIterator<R>;
  /** Closes the WebSocket, which opens with the first subscription. */
  close(): Promise<void>;
}

/** A client of the server at `url`, as a guest or with an access token. */
export function createTypedClient(url: string, accessToken: string | null): TypedClient {
  const authorization: Record<string, string> = accessToken === null ? {} : { authorization: `Bearer ${accessToken}` };
  const socket = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: authorization, retryAttempts: 0 });
  return {
    async request<R, V extends object>(document: TypedDocumentNode<R, V>, variables: V) {
      const { headers, body } = encode(document, variables);
      const response = await fetch(`${url}/graphql`, { method: 'POST', headers: { accept: 'application/graphql-response+json', connection: 'close', ...authorization, ...headers }, body });
      const { data, errors } = (await response.json()) as { data?: R; errors?: unknown };
      if (errors !== undefined || data === undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    async *follow<R, V extends object>(document: TypedDocumentNode<R, V>, variables: V) {
      for await (const { data, errors } of socket.iterate<R>({ query: print(document), variables: { ...variables } as Record<string, unknown> })) {
        if (errors || !data) throw new Error(JSON.stringify(errors));
        yield data;
      }
    },
    close: async () => await socket.dispose(),
  };
}

/** JSON, or by https://github.com/jaydenseric/graphql-multipart-request-spec when there are files. */
function encode(document: DocumentNode, variables: object): { headers: Record<string, string>; body: string | FormData } {
  const files: { path: string; file: File }[] = [];
  const plain = withoutFiles(variables, 'variables', files);
  const operation = JSON.stringify({ query: print(document), variables: plain });
  if (files.length === 0) return { headers: { 'content-type': 'application/json' }, body: operation };
  const form = new FormData();
  form.append('operations', operation);
  form.append('map', JSON.stringify(Object.fromEntries(files.map(({ path }, index) => [String(index), [path]]))));
  files.forEach(({ file }, index) => form.append(String(index), file));
  return { headers: { 'graphql-require-preflight': 'yes' }, body: form };
}

function withoutFiles(value: unknown, path: string, files: { path: string; file: File }[]): unknown {
  if (value instanceof File) {
    files.push({ path, file: value });
    return null;
  }
  if (Array.isArray(value)) return value.map((item, index) => withoutFiles(item, `${path}.${index}`, files));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutFiles(item, `${path}.${key}`, files)]));
}
