/**
 * Requests to the API server. @kubernetes/client-node brings the classes of every kind of object, 80 MB of them in
 * memory, and its informer ends at the first error; here objects stay the JSON that they are.
 */
import { StringDecoder } from 'node:string_decoder';
import { Agent, buildConnector } from 'undici';
import type { Credentials } from './credentials.ts';

/** An answer of the API server that is no success. */
export class ApiError extends Error {
  readonly status: number;
  constructor(method: string, path: string, status: number, message: string) {
    super(`${method} ${path}: ${status} ${message}`);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** For `catch`, where an object that is not there is an answer like any other: null. Throws any other error again. */
export function orAbsent(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: unknown }
  /** A Status; the stream has ended with it. */
  | { readonly type: 'ERROR'; readonly object: { readonly code?: number; readonly message?: string } };

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  /** Server-side apply; the query must name a fieldManager. */
  | 'application/apply-patch+yaml';

const REQUEST_TIMEOUT_MS = 10_000;
/** A page of a large list on a busy API server. */
const LIST_TIMEOUT_MS = 60_000;

/** All paths hold their query. Rejects with {@link ApiError}, or with undici's error if the server cannot be reached. */
export class ApiClient {
  readonly #credentials: Credentials;
  readonly #agent: Agent;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
    this.#agent = new Agent({
      // Watches are silent between events: the limit of undici on silence would end them.
      bodyTimeout: 0,
      // On HTTP/2 all requests share a connection, and giving one up does not replace a connection that is dead.
      allowH2: false,
      connect: (options, callback) =>
        buildConnector({
          ca: credentials.ca(),
          ...credentials.certificate,
          timeout: REQUEST_TIMEOUT_MS,
          allowH2: false,
        })(options, callback),
    });
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#json<T>('GET', path, undefined, undefined, LIST_TIMEOUT_MS, signal);
  }

  create<T>(path: string, object: object): Promise<T> {
    return this.#json<T>('POST', path, object, 'application/json');
  }

  /** Status 409 if `metadata.resourceVersion` of the object is not the stored one. */
  replace<T>(path: string, object: object): Promise<T> {
    return this.#json<T>('PUT', path, object, 'application/json');
  }

  patch<T>(path: string, type: PatchType, patch: object): Promise<T> {
    return this.#json<T>('PATCH', path, patch, type);
  }

  delete<T>(path: string): Promise<T> {
    return this.#json<T>('DELETE', path);
  }

  /** Events of one watch request, until the API server ends it or the signal does. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent, void, undefined> {
    const { body } = await this.#request('GET', path, signal);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for await (const chunk of body) {
      const lines = decoder.write(chunk as Buffer).split('\n');
      lines[0] = rest + lines[0];
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent;
    }
  }

  /** Ends all requests, watches among them. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #json<T>(
    method: string,
    path: string,
    object?: object,
    type?: string,
    timeoutMs = REQUEST_TIMEOUT_MS,
    signal?: AbortSignal,
  ): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    const { body } = await this.#request(method, path, either, object, type);
    return (await body.json()) as T;
  }

  async #request(
    method: string,
    path: string,
    signal: AbortSignal,
    object?: object,
    type?: string,
  ): ReturnType<Agent['request']> {
    const authorization = await this.#credentials.authorization();
    const answer = await this.#agent.request({
      origin: this.#credentials.server,
      method: method as 'GET',
      path,
      signal,
      headers: {
        accept: 'application/json',
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(authorization === null ? {} : { authorization }),
      },
      body: object === undefined ? null : JSON.stringify(object),
    });
    if (answer.statusCode < 300) return answer;
    throw new ApiError(method, path, answer.statusCode, failureMessage(await answer.body.text()));
  }
}

/** `message` of a Status object (meta/v1), or the text of an answer that is none. */
function failureMessage(text: string): string {
  try {
    const status = JSON.parse(text) as { message?: unknown };
    if (typeof status.message === 'string') return status.message;
  } catch {
    // Proxies between us and the API server answer in plain text.
  }
  return text.slice(0, 200);
}
