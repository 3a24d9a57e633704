/**
 * The few requests that the injector makes to the API server. @kubernetes/client-node brings the classes of every kind
 * of object, 90 MB of them in memory; here objects stay the JSON that they are.
 */
import { Agent } from 'undici';
import type { Credentials } from './credentials.ts';

export interface ObjectMeta {
  name: string;
  resourceVersion: string;
  annotations?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
}

/** An answer of the API server that is not a success. */
export class ApiError extends Error {
  readonly status: number;
  constructor(method: string, path: string, status: number, message: string) {
    super(`${method} ${path}: ${status} ${message}`);
    this.name = 'ApiError';
    this.status = status;
  }
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: { code: number; message: string } };

export type PatchType = 'application/json-patch+json' | 'application/merge-patch+json';

const REQUEST_TIMEOUT_MS = 10_000;

export class ApiClient {
  readonly #credentials: Credentials;
  readonly #agent: Agent;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
    const { ca, cert, key } = credentials;
    // A watch is silent between events; the API server ends it at the timeoutSeconds it was asked for.
    this.#agent = new Agent({ connect: { ca, ...(cert && key ? { cert, key } : {}) }, bodyTimeout: 0 });
  }

  /** Throws {@link ApiError} if the object does not exist or may not be read. */
  get<T>(path: string): Promise<T> {
    return this.#json<T>('GET', path);
  }

  /** Fails with status 409 if `metadata.resourceVersion` of the object is not the stored one. */
  replace<T>(path: string, object: object): Promise<T> {
    return this.#json<T>('PUT', path, object, 'application/json');
  }

  patch<T>(path: string, type: PatchType, patch: object): Promise<T> {
    return this.#json<T>('PATCH', path, patch, type);
  }

  /** Events of one watch request, until the API server ends it or the signal does. `path` holds the query. */
  async *watch<T>(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { body } = await this.#request('GET', path, signal);
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent<T>;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #json<T>(method: string, path: string, object?: object, type?: string): Promise<T> {
    const { body } = await this.#request(method, path, AbortSignal.timeout(REQUEST_TIMEOUT_MS), object, type);
    return (await body.json()) as T;
  }

  async #request(
    method: string,
    path: string,
    signal: AbortSignal,
    object?: object,
    type?: string,
  ): ReturnType<Agent['request']> {
    const token = this.#credentials.token();
    const answer = await this.#agent.request({
      origin: this.#credentials.server,
      method: method as 'GET',
      path,
      signal,
      headers: {
        accept: 'application/json',
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: object === undefined ? null : JSON.stringify(object),
    });
    if (answer.statusCode < 300) return answer;
    const text = await answer.body.text();
    throw new ApiError(method, path, answer.statusCode, failureMessage(text));
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
