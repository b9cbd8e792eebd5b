/**
 * Uploads by the GraphQL multipart request specification, streamed: the operation starts as soon as `operations` and
 * `map` are read, and its files are promises of streams that pull the rest of the body. Nothing is kept in memory but
 * the few chunks under way. https://github.com/jaydenseric/graphql-multipart-request-spec
 *
 * In Yoga's options: `multipart: false` and `maxRequestBodySize: false`, since Yoga's limit would read the body too.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Plugin } from 'graphql-yoga';
import { discard, readMultipart, requestError, type MultipartLimits } from './multipart-body.ts';

export { UploadTooLargeError, type FileUpload, type MultipartLimits } from './multipart-body.ts';

/**
 * Any of these makes a browser ask first (a CORS preflight). Without one a form on any web page could send an upload
 * with the rights of the person who looks at it.
 */
export const preflightHeaders = ['x-graphql-yoga-csrf', 'apollo-require-preflight', 'graphql-require-preflight', 'x-requested-with'];

/** Reads multipart requests for Yoga, in place of its own parser, which keeps whole files in memory. */
export function useMultipart(limits: MultipartLimits): Plugin {
  const endings = new WeakMap<Request, () => void>();
  const maxTotal = totalBytes(limits);
  return {
    onRequestParse({ request, serverContext, setRequestParser }) {
      const contentType = request.headers.get('content-type') ?? '';
      if (request.method !== 'POST' || !/^multipart\/form-data\b/i.test(contentType)) return;
      setRequestParser((wrapped) => {
        if (wrapped !== request) throw new Error('useMultipart needs maxRequestBodySize: false, or two readers share the body.');
        const source = sourceOf(request, serverContext);
        endings.set(request, () => discard(source, maxTotal));
        refuseSimpleRequest(request.headers);
        refuseLength(request.headers, maxTotal);
        const body = readMultipart(source, contentType, limits, maxTotal);
        endings.set(request, body.end);
        return body.operation;
      });
    },
    onResponse({ request }) {
      endings.get(request)?.();
      endings.delete(request);
    },
  };
}

/** The largest body that can hold all that is allowed, with some room for the headers of each part. */
function totalBytes({ maxBytes, maxFiles, maxFieldBytes = 1024 ** 2 }: MultipartLimits): number {
  return maxFiles * maxBytes + 2 * maxFieldBytes + (maxFiles + 16) * 32_768;
}

/** Under Node the request itself: its pauses reach the socket at once. */
function sourceOf(request: Request, serverContext: object): Readable {
  if ('req' in serverContext) return serverContext.req as IncomingMessage;
  return Readable.from((request.body ?? []) as AsyncIterable<Uint8Array>);
}

function refuseSimpleRequest(headers: Headers): void {
  if (preflightHeaders.some((name) => headers.has(name))) return;
  throw requestError(403, `A multipart request needs one of these headers, with any value: ${preflightHeaders.join(', ')}.`);
}

function refuseLength(headers: Headers, maxTotal: number): void {
  const length = Number(headers.get('content-length') ?? 0);
  if (length > maxTotal) {
    throw requestError(413, `The request has ${length} bytes; at most ${maxTotal} are read. Send fewer or smaller files.`);
  }
}
