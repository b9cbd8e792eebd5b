/**
 * The body of one multipart request, part by part: `operations`, then `map`, then the files that `map` names. Files
 * arrive one after the other, so a file that nobody reads holds up those behind it; that is what `end` and the limit
 * on stalls are for.
 */
import { posix } from 'node:path';
import { Readable, Transform } from 'node:stream';
import busboy from 'busboy';
import { GraphQLError } from 'graphql';
import type { GraphQLParams } from 'graphql-yoga';
import { UserError } from './errors.ts';

/** A file of the request, as the `Upload` scalar gives it (a promise of it). */
export interface FileUpload {
  /** The name the client gave, without directories and control characters; "file" if there was none. */
  readonly name: string;
  /** What the client says it is, in lower case, such as "application/pdf"; not to be trusted. */
  readonly mediaType: string;
  /**
   * The bytes, to be read once and before the operation ends; files must be read in the order they were sent.
   * Fails with `UploadTooLargeError` or `UploadInterruptedError`.
   */
  readonly stream: Readable;
}

/** How much a request may carry. */
export interface MultipartLimits {
  /** Bytes of one file. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Bytes of `operations` and of `map`. */
  readonly maxFieldBytes?: number;
  /** How long neither side may move a byte before the request fails with TIMEOUT. */
  readonly stallMs?: number;
}

/** A file has more bytes than `maxBytes`; what was read of it is to be thrown away. */
export class UploadTooLargeError extends UserError {
  readonly maxBytes: number;

  constructor(name: string, maxBytes: number) {
    super('PAYLOAD_TOO_LARGE', `The file "${name}" is larger than ${maxBytes} bytes. Send a smaller one or split it.`);
    this.maxBytes = maxBytes;
  }
}

/** A file ended before all of it had come: the client went away, or its request was cut or malformed. */
export class UploadInterruptedError extends UserError {
  constructor(name: string, options?: ErrorOptions) {
    super('VALIDATION_FAILED', `The file "${name}" did not arrive completely. Send it again.`, null, options);
  }
}

/** A request that is being read. */
export interface MultipartBody {
  /** The operation with promises of files in its variables; rejects with a `GraphQLError` that has an HTTP status. */
  readonly operation: Promise<GraphQLParams>;
  /** To be called once the operation has its result: files that were not read are thrown away. */
  end(): void;
}

/** Starts to read. `maxTotal` is the most bytes that are taken from `source` in all. */
export function readMultipart(source: Readable, contentType: string, limits: MultipartLimits, maxTotal: number): MultipartBody {
  const { maxBytes, maxFiles, maxFieldBytes = 1024 ** 2, stallMs = 120_000 } = limits;
  const operation = Promise.withResolvers<GraphQLParams>();
  const slots = new Map<string, PromiseWithResolvers<FileUpload>>();
  let operations: GraphQLParams | undefined;
  let started = false;
  let over = false;
  let current: Readable | undefined;

  const parser = openParser(contentType, {
    // busboy also cuts what is exactly as long as its limit.
    fileSize: maxBytes + 1,
    fieldSize: maxFieldBytes + 1,
    files: maxFiles,
    fields: 16,
    parts: maxFiles + 32,
  });
  const stall = setTimeout(() => {
    fail(requestError(408, `No byte of the request moved for ${stallMs} ms. Send files in the order in which they are used.`));
  }, stallMs).unref();
  const meter = meteringStream(maxTotal, () => stall.refresh());

  parser
    .on('field', (name, value, { valueTruncated }) => attempt(() => {
      if (valueTruncated) throw requestError(413, `The part "${name}" is larger than ${maxFieldBytes} bytes.`);
      readField(name, value);
    }))
    .on('file', (name, file, info) => {
      // A stream's error that nobody listens to ends the process.
      file.on('error', () => {});
      attempt(() => readFile(name, file, info), () => file.resume());
    })
    .on('filesLimit', () => fail(requestError(413, `The request has more than ${maxFiles} files, the most allowed.`)))
    .on('fieldsLimit', () => fail(requestError(413, 'The request has more than 16 parts that are not files.')))
    .on('partsLimit', () => fail(requestError(413, `The request has more than ${maxFiles + 32} parts.`)))
    .on('error', (error) => fail(malformed(error)))
    .on('finish', finish);
  meter.on('error', fail);
  source.on('error', lost).on('close', lost);
  source.pipe(meter).pipe(parser);

  function attempt(step: () => void, otherwise?: () => void): void {
    try {
      if (!over) return step();
    } catch (error) {
      fail(error);
    }
    otherwise?.();
  }

  function readField(name: string, value: string): void {
    if (name === 'operations') {
      if (operations !== undefined) throw requestError(400, 'The part "operations" comes twice.');
      operations = readOperations(value);
    } else if (name === 'map') {
      if (operations === undefined) throw requestError(400, 'The part "map" comes before "operations".');
      if (started) throw requestError(400, 'The part "map" comes twice.');
      const map = readMap(value);
      if (map.size > maxFiles) throw requestError(413, `The request has ${map.size} files; at most ${maxFiles} are allowed.`);
      for (const [key, path] of map) {
        const slot = Promise.withResolvers<FileUpload>();
        // Nobody may be waiting for it; whoever does still gets the error.
        slot.promise.catch(() => {});
        placeFile(operations, path, slot.promise);
        slots.set(key, slot);
      }
      started = true;
      operation.resolve(operations);
    } else if (slots.has(name)) {
      throw requestError(400, `The part "${name}" is named in "map" but has no file name, so it is not a file.`);
    }
  }

  function readFile(name: string, file: Readable, info: busboy.FileInfo): void {
    if (!started) throw requestError(400, `A file ("${name}") comes before "operations" and "map".`);
    const slot = slots.get(name);
    if (slot === undefined) throw requestError(400, `The file "${name}" is not named in "map", or comes twice.`);
    slots.delete(name);
    const upload = { name: cleanName(info.filename), mediaType: info.mimeType.toLowerCase() };
    current = readableOf(file, upload.name, maxBytes, () => stall.refresh());
    slot.resolve({ ...upload, stream: current });
  }

  function finish(): void {
    if (operations === undefined) return fail(requestError(400, 'The part "operations" is missing.'));
    if (!started) return fail(requestError(400, 'The part "map" is missing.'));
    const [missing] = slots.keys();
    if (missing !== undefined) return fail(requestError(400, `The file "${missing}" is named in "map" but was not sent.`));
    over = true;
    clearTimeout(stall);
  }

  function lost(error?: Error): void {
    if (!source.readableEnded) fail(requestError(400, 'The request was cut off.'), error);
  }

  /** Tells everyone who waits, and lets go of the body. */
  function fail(error: unknown, cause: unknown = error): void {
    if (over) return;
    over = true;
    clearTimeout(stall);
    operation.reject(error);
    for (const slot of slots.values()) slot.reject(error);
    current?.destroy(new UploadInterruptedError('', { cause }));
    source.unpipe(meter);
    parser.destroy();
    meter.destroy();
    if (!source.destroyed) discard(source, maxTotal);
  }

  return {
    operation: operation.promise,
    end: () => fail(requestError(400, 'The operation ended before this file was read.')),
  };
}

/** An error of the request itself, answered with its HTTP status. */
export function requestError(status: 400 | 403 | 408 | 413, message: string): GraphQLError {
  const code = { 400: 'VALIDATION_FAILED', 403: 'FORBIDDEN', 408: 'TIMEOUT', 413: 'PAYLOAD_TOO_LARGE' }[status];
  return new GraphQLError(message, { extensions: { code, http: { status } } });
}

/**
 * Reads on without keeping anything, so that a client that is still sending gets to see the answer; cuts the
 * connection of one that sends without end.
 */
export function discard(source: Readable, maxBytes: number): void {
  let bytes = 0;
  source.on('data', (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) source.destroy();
  });
  source.on('error', () => {});
  source.resume();
}

function openParser(contentType: string, limits: busboy.Limits): busboy.Busboy {
  try {
    return busboy({ headers: { 'content-type': contentType }, limits, defParamCharset: 'utf8' });
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(error: unknown) {
  return requestError(400, `The multipart body cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
}

/** Passes bytes on and counts them, since a body need not say how long it is. */
function meteringStream(maxTotal: number, onBytes: () => void): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.byteLength;
      onBytes();
      if (bytes > maxTotal) done(requestError(413, `The request has more than ${maxTotal} bytes, the most that are read.`));
      else done(null, chunk);
    },
  });
}

/**
 * A stream of the file that may be abandoned: busboy's own would then hold up the body for ever, while this one lets
 * the rest of the file go by, so that the next one arrives.
 */
function readableOf(file: Readable, name: string, maxBytes: number, onRead: () => void): Readable {
  const stream = new Readable({
    read() {
      onRead();
      file.resume();
    },
    destroy(error, done) {
      file.resume();
      done(error instanceof UploadInterruptedError ? new UploadInterruptedError(name, { cause: error.cause }) : error);
    },
  });
  file.pause();
  file.on('data', (chunk: Uint8Array) => {
    if (!stream.destroyed && !stream.push(chunk)) file.pause();
  });
  file.on('limit', () => stream.destroy(new UploadTooLargeError(name, maxBytes)));
  file.on('end', () => { if (!stream.destroyed) stream.push(null); });
  file.on('error', (error) => stream.destroy(new UploadInterruptedError(name, { cause: error })));
  // Nobody may be reading it; whoever begins to read later still gets the error.
  stream.on('error', () => {});
  return stream;
}

function readOperations(text: string): GraphQLParams {
  const operations = parseJson('operations', text);
  if (Array.isArray(operations)) throw requestError(400, 'Several operations in one request are not supported.');
  if (!isObject(operations)) throw requestError(400, 'The part "operations" is not a JSON object.');
  return operations;
}

/** Each file's key and the path of its variable. */
function readMap(text: string): Map<string, string> {
  const map = parseJson('map', text);
  if (!isObject(map) || Array.isArray(map)) throw requestError(400, 'The part "map" is not a JSON object.');
  return new Map(Object.entries(map).map(([key, paths]) => {
    const [path] = Array.isArray(paths) ? paths : [];
    if (typeof path !== 'string') throw requestError(400, `"map" has no list of paths for the file "${key}".`);
    if ((paths as unknown[]).length > 1) {
      throw requestError(400, `"map" uses the file "${key}" ${(paths as unknown[]).length} times; a stream is read once. Send it as often.`);
    }
    return [key, path];
  }));
}

/** Puts a file where the operation holds null for it. Only what JSON itself holds is walked, never a prototype. */
function placeFile(operations: GraphQLParams, path: string, file: Promise<FileUpload>): void {
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let place: unknown = operations;
  for (const step of steps) place = hasOwn(place, step) ? place[step] : undefined;
  if (steps[0] !== 'variables' || !hasOwn(place, last) || place[last] !== null) {
    throw requestError(400, `"map" names "${path}", but there is no null at that place in the variables.`);
  }
  place[last] = file;
}

function hasOwn(value: unknown, key: string): value is Record<string, unknown> {
  return isObject(value) && key !== '__proto__' && Object.hasOwn(value, key);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parseJson(part: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw requestError(400, `The part "${part}" is not JSON: ${(error as Error).message}.`);
  }
}

/** Browsers send a name, some clients a path with either kind of slash. */
function cleanName(given: string | undefined): string {
  const name = posix.basename((given ?? '').replaceAll('\\', '/')).replace(/\p{Cc}/gu, '').trim();
  return name.slice(0, 255) || 'file';
}
