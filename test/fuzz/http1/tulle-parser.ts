import { Http1ClientConnection } from '../../../proxy/http1/client-connection.ts';
import { Http1Codec } from '../../../proxy/http1/http1-codec.ts';
import { DEFAULT_HTTP1_LIMITS } from '../../../proxy/http1/limits.ts';
import { Http1ServerConnection } from '../../../proxy/http1/server-connection.ts';
import { type RecordedRequest, RecordingHandler } from '../../../proxy/http1/testing/recording-handler.ts';
import { RecordedResponse, RecordingOwner } from '../../../proxy/http1/testing/recording-response.ts';
import { RecordingTransport } from '../../../proxy/http1/testing/recording-transport.ts';
import { endToEnd, type Message, type Parsed } from './message.ts';

/** The codec under test, in the terms of {@link Parsed}. */
export class TulleParser {
  #refusal = '';
  readonly #codec = new Http1Codec(
    {
      onLimit: name => {
        this.#refusal = name;
      },
      onRefusal: (_, refusal) => {
        this.#refusal = refusal.sentence;
      },
    },
    DEFAULT_HTTP1_LIMITS,
  );

  requests(pieces: readonly Buffer[]): Parsed {
    this.#refusal = '';
    const transport = new RecordingTransport();
    const handler = new RecordingHandler({
      onEnd: request => request.stream.respond({ status: 200, fields: [], contentLength: 0 }, true),
    });
    const connection = new Http1ServerConnection(this.#codec, transport, handler, 'http', null);
    for (const piece of pieces) {
      connection.receive(Buffer.from(piece));
      transport.turn();
    }
    return { messages: handler.requests.map(requestMessage), error: this.#refusal };
  }

  response(method: string, pieces: readonly Buffer[]): Parsed {
    this.#refusal = '';
    const transport = new RecordingTransport();
    const connection = new Http1ClientConnection(this.#codec, transport, new RecordingOwner());
    const response = new RecordedResponse();
    response.stream = connection.open(
      {
        method,
        scheme: 'http',
        authority: 'a.test',
        path: '/',
        upgrade: '',
        version: 11,
        fields: [],
        contentLength: 0,
      },
      true,
      response,
    );
    transport.turn();
    for (const piece of pieces) connection.receive(Buffer.from(piece));
    if (this.#refusal === '') connection.receiveEnd();
    const { head, body, trailers, ended } = response;
    if (head === null) return { messages: [], error: response.reset ?? '' };
    const message = {
      start: String(head.status),
      fields: endToEnd(head.fields),
      body,
      trailers: trailers ?? [],
      ended,
      asksUpgrade: false,
    };
    return { messages: [message], error: response.reset ?? '' };
  }
}

function requestMessage(request: RecordedRequest): Message {
  const { head, body, trailers, ended } = request;
  return {
    start: `${head.method} ${head.authority} ${head.path}`,
    fields: endToEnd(head.fields),
    body,
    trailers: trailers ?? [],
    ended,
    asksUpgrade: head.upgrade !== '' || head.method === 'CONNECT',
  };
}
