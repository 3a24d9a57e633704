import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Loopback } from '../../test/h2spec/loopback.ts';
import type {
  FieldLines,
  RequestHandler,
  RequestHead,
  RequestReceiver,
  ServerStream,
} from '../exchange/stream.ts';
import { RecordedResponse, RecordingOwner } from '../http1/testing/recording-response.ts';

/** Sends a request's body back, obeying flow control, with its trailers; `/fields` sends the field lines as JSON. */
class Mirror implements RequestReceiver {
  readonly #stream: ServerStream;
  #held = 0;

  constructor(stream: ServerStream, head: RequestHead, end: boolean) {
    this.#stream = stream;
    stream.informational(103, ['link', '</style.css>']);
    const body =
      head.path === '/fields' ? Buffer.from(JSON.stringify(head.fields), 'latin1') : Buffer.alloc(0);
    stream.respond({ status: 200, fields: ['x-method', head.method], contentLength: -1 }, false);
    if (end) stream.data(body, true);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#stream.data(chunk, end)) this.#stream.consumed(chunk.length);
    else this.#held += chunk.length;
  }

  onRequestTrailers(fields: FieldLines): void {
    this.#stream.trailers(fields);
  }

  onCutOff(): void {}

  onWritable(): void {
    this.#stream.consumed(this.#held);
    this.#held = 0;
  }

  onRequestReset(): void {}
  onResponseSent(): void {}
}

const MIRROR: RequestHandler = {
  onRequest(stream, head, end) {
    stream.receiver = new Mirror(stream, head, end);
  },
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A stream of octets that differ, so that loss and disorder show. */
function octets(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31) ^ (i >>> 8);
  return bytes;
}

interface Answer {
  headers: IncomingHttpHeaders;
  body: Buffer;
  trailers: IncomingHttpHeaders;
  early: number;
}

function ask(
  session: ClientHttp2Session,
  fields: Record<string, string>,
  body: Buffer | null,
  trailers = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = session.request(fields, { endStream: body === null, waitForTrailers: true });
    const answer: Answer = { headers: {}, body: Buffer.alloc(0), trailers: {}, early: 0 };
    const chunks: Buffer[] = [];
    request.on('headers', headers => {
      answer.early = headers[':status'] ?? 0;
    });
    request.on('response', headers => {
      answer.headers = headers;
    });
    request.on('trailers', headers => {
      answer.trailers = headers;
    });
    request.on('wantTrailers', () => request.sendTrailers(trailers));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve({ ...answer, body: Buffer.concat(chunks) }));
    request.on('error', reject);
    if (body !== null) request.end(body);
  });
}

describe('the client of Node against our server', () => {
  async function start(): Promise<ClientHttp2Session> {
    const loopback = new Loopback();
    cleanups.push(() => loopback.close());
    const session = connect(`http://127.0.0.1:${await loopback.listen(MIRROR)}`);
    cleanups.push(() => session.destroy());
    return session;
  }

  it('gets interim responses, bodies and trailers back', async () => {
    const answer = await ask(await start(), { ':method': 'POST' }, Buffer.from('hello'), {
      'x-trailer': 'yes',
    });
    expect(answer).toMatchObject({
      early: 103,
      trailers: { 'x-trailer': 'yes' },
      headers: { 'x-method': 'POST' },
    });
    expect(answer.body.toString()).toBe('hello');
  });

  it('sends 10 MB in 8 streams at once and gets the same back', async () => {
    const session = await start();
    const bodies = Array.from({ length: 8 }, (_, i) => octets(1_250_000 + i));
    const answers = await Promise.all(bodies.map(body => ask(session, { ':method': 'POST' }, body)));
    answers.forEach((answer, i) => expect(answer.body.equals(bodies[i])).toBe(true));
  });

  it('is understood whatever the fields are, 500 times over', async () => {
    const session = await start();
    for (let i = 0; i < 500; i++) {
      const fields: Record<string, string> = {
        ':path': '/fields',
        [`x-name-${i % 90}`]: octets(i % 50).toString('hex'),
      };
      if (i % 3 === 0) fields.authorization = `Bearer ${i}`;
      const { body } = await ask(session, fields, null);
      const expected = Object.entries(fields).filter(([name]) => !name.startsWith(':'));
      expect(JSON.parse(body.toString())).toEqual(expected.flat());
    }
  });
});

describe('our client against the server of Node', () => {
  async function start(server: Http2Server) {
    const loopback = new Loopback();
    const owner = new RecordingOwner();
    cleanups.push(() => loopback.close());
    cleanups.push(() => server.close());
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const connection = await loopback.connect((server.address() as AddressInfo).port, owner);
    return { connection, owner };
  }

  function mirror(): Http2Server {
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream, headers, _flags, rawHeaders) => {
      stream.on('error', () => {});
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200, 'x-method': headers[':method'] }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'yes' }));
      if (headers[':path'] === '/fields') stream.end(JSON.stringify(rawHeaders));
      else stream.pipe(stream);
    });
    return server;
  }

  class Waiting extends RecordedResponse {
    readonly done: Promise<void>;
    #finish: () => void = () => {};

    constructor() {
      super();
      this.done = new Promise(resolve => {
        this.#finish = resolve;
      });
    }

    override onResponseTrailers(fields: FieldLines): void {
      super.onResponseTrailers(fields);
      this.#finish();
    }

    override onResponseReset(reason: Parameters<RecordedResponse['onResponseReset']>[0]): void {
      super.onResponseReset(reason);
      this.#finish();
    }
  }

  function head(fields: FieldLines, method = 'POST', path = '/'): RequestHead {
    const base = { scheme: 'http', authority: 'a.test', upgrade: '', version: 20 } as const;
    return { ...base, method, path, fields, contentLength: -1 };
  }

  it('gets interim responses, bodies and trailers', async () => {
    const { connection } = await start(mirror());
    const response = new Waiting();
    response.stream = connection.open(head(['x-a', 'b']), false, response);
    response.stream.data(Buffer.from('hello'), false);
    response.stream.trailers(['x-sent', 'too']);
    await response.done;
    expect(response).toMatchObject({
      informational: [103],
      body: 'hello',
      trailers: ['x-trailer', 'yes'],
      reset: null,
    });
    expect(response.head).toEqual({
      status: 200,
      fields: expect.arrayContaining(['x-method', 'POST']),
      contentLength: -1,
    });
  });

  it('sends 10 MB in 8 streams at once and gets the same back', async () => {
    const { connection } = await start(mirror());
    const bodies = Array.from({ length: 8 }, (_, i) => octets(1_250_000 + i));
    const responses = bodies.map(body => {
      const response = new Waiting();
      response.stream = connection.open(head([]), false, response);
      response.stream.data(body, true);
      return response;
    });
    await Promise.all(responses.map(response => response.done));
    responses.forEach((response, i) => expect(Buffer.concat(response.chunks).equals(bodies[i])).toBe(true));
  });

  it('is understood whatever the fields are, 500 times over', async () => {
    const { connection } = await start(mirror());
    for (let i = 0; i < 500; i++) {
      const fields = [
        `x-name-${i % 90}`,
        octets(i % 50).toString('hex'),
        'x-often',
        `${i % 5}`,
        'cookie',
        `c=${i}`,
      ];
      const response = new Waiting();
      response.stream = connection.open(head(fields, 'GET', '/fields'), true, response);
      await response.done;
      expect(JSON.parse(response.body).slice(8)).toEqual(fields);
    }
  });

  it('sends a head that needs CONTINUATION', async () => {
    const { connection } = await start(mirror());
    const response = new Waiting();
    const fields = Array.from({ length: 10 }, (_, i) => [`x-long-${i}`, 'v'.repeat(5000)]).flat();
    response.stream = connection.open(head(fields, 'GET', '/fields'), true, response);
    await response.done;
    expect(JSON.parse(response.body).slice(8)).toEqual(fields);
  });

  it('drains, and the server of Node sees a clean end', async () => {
    const server = mirror();
    const ended = new Promise<void>(resolve => {
      server.on('session', session => session.on('close', () => resolve()));
    });
    const { connection, owner } = await start(server);
    const response = new Waiting();
    response.stream = connection.open(head([]), true, response);
    connection.drain();
    await response.done;
    await ended;
    expect(response.reset).toBeNull();
    expect(owner.events[0]).toBe('draining');
  });
});
