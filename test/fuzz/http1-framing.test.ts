import { expect, test } from 'vitest';
import { Http1Codec } from '../../proxy/http1/http1-codec.ts';
import { Http1ServerConnection } from '../../proxy/http1/server-connection.ts';
import { RecordingHandler } from '../../proxy/http1/testing/recording-handler.ts';
import { RecordingObserver } from '../../proxy/http1/testing/recording-observer.ts';
import { RecordingTransport } from '../../proxy/http1/testing/recording-transport.ts';
import { FRAMING_CORPUS, type FramingCase } from './http1/framing-corpus.ts';

/** Sends the pieces in turns of their own, answers each request when it ends, and returns what came of it. */
function serve(codec: Http1Codec, pieces: Buffer[]): { verdict: string; served: string[]; written: string } {
  const transport = new RecordingTransport();
  const handler = new RecordingHandler({
    onEnd: request => request.stream.respond({ status: 204, fields: [], contentLength: 0 }, true),
  });
  const connection = new Http1ServerConnection(codec, transport, handler, 'http', null);
  for (const piece of pieces) {
    connection.receive(Buffer.from(piece));
    transport.turn();
  }
  const written = transport.text;
  const refused =
    /HTTP\/1\.1 (4\d\d) [^\r]*\r\ntulle-error: [A-Z_]+; [^\r]+\r\ncontent-length: 0\r\nconnection: close\r\n\r\n$/.exec(
      written,
    );
  return {
    verdict: refused === null ? 'accept' : refused[1],
    served: handler.requests.map(({ head, body, ended }) => JSON.stringify([head, body, ended])),
    written,
  };
}

function check(framing: FramingCase, result: ReturnType<typeof serve>): void {
  expect(result.verdict).toBe(String(framing.verdict));
  expect(result.served.length).toBe(framing.served ?? (framing.verdict === 'accept' ? 1 : 0));
}

const codec = new Http1Codec(new RecordingObserver());

test.each(FRAMING_CORPUS)('$name → $verdict', framing => {
  check(framing, serve(codec, [Buffer.from(framing.bytes, 'latin1')]));
});

test.each(FRAMING_CORPUS)('$name → $verdict, cut anywhere', framing => {
  const bytes = Buffer.from(framing.bytes, 'latin1');
  const whole = serve(codec, [bytes]);
  const step = Math.max(1, Math.floor(bytes.length / 300));
  for (let at = 1; at < bytes.length; at += step) {
    const cut = serve(codec, [bytes.subarray(0, at), bytes.subarray(at)]);
    check(framing, cut);
    expect(cut.served).toEqual(whole.served);
  }
});

test.each(FRAMING_CORPUS.filter(framing => framing.bytes.length < 2000))(
  '$name → $verdict, byte by byte',
  framing => {
    const bytes = Buffer.from(framing.bytes, 'latin1');
    check(
      framing,
      serve(
        codec,
        Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1)),
      ),
    );
  },
);
