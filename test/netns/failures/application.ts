/**
 * What listens in a pod, and fails in the way that its port stands for, whatever the protocol: HTTP/1.1, HTTP/2 and gRPC
 * are told apart by the first bytes. The first argument is the address to listen on.
 */
import { createHash } from 'node:crypto';
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { type PortName, ports } from './ports.ts';
import { serve } from './process.ts';

export type ApplicationRequest =
  /** Counts begin anew. */
  | { readonly do: 'reset' }
  | { readonly do: 'counts' }
  /** A request of its own, to whatever is reached from its pod: its status, 0 without an answer. */
  | { readonly do: 'post'; readonly url: string; readonly body: string };

/** Connections on which something was said, and requests of HTTP on the ports that serve it, by port. */
export interface Counts {
  readonly [name: string]: number;
}

const counts: Record<string, number> = {};
const count = (name: PortName): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};

const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
const isGrpc = (headers: { readonly 'content-type'?: string | undefined }): boolean =>
  headers['content-type']?.startsWith('application/grpc') === true;

function grpcMessage(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** The digest of a request's body, after as many bytes as `x-answer-bytes` asks for. */
function echoOf(body: readonly Buffer[], answerBytes: string | string[] | undefined): Buffer {
  const padding = Buffer.alloc(Number(answerBytes ?? 0), 'x');
  return Buffer.concat([padding, Buffer.from(digest(Buffer.concat(body)))]);
}

const echo1 = createHttp1({ keepAliveTimeout: 60_000 }, (req, res) => {
  count('echo');
  const body: Buffer[] = [];
  req.on('data', (chunk: Buffer) => body.push(chunk));
  req.on('end', () => {
    res.end(echoOf(body, req.headers['x-answer-bytes']));
  });
});

const echo2 = createHttp2();
echo2.on('sessionError', () => {});
echo2.on('stream', (stream: ServerHttp2Stream, headers) => {
  count('echo');
  stream.on('error', () => {});
  const body: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('end', () => {
    if (isGrpc(headers)) return answerGrpc(stream, grpcMessage('ok'), '0');
    stream.respond({ ':status': 200 });
    stream.end(echoOf(body, headers['x-answer-bytes']));
  });
});

function answerGrpc(stream: ServerHttp2Stream, message: Buffer, status: string): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.end(message);
}

const error1 = createHttp1((req, res) => {
  count('error');
  req.resume();
  res.writeHead(500).end('broken');
});

const error2 = createHttp2();
error2.on('sessionError', () => {});
error2.on('stream', (stream: ServerHttp2Stream, headers) => {
  count('error');
  stream.on('error', () => {});
  stream.resume();
  if (isGrpc(headers)) answerGrpc(stream, Buffer.alloc(0), '13');
  else {
    stream.respond({ ':status': 500 });
    stream.end('broken');
  }
});

/** An HTTP/2 server that sends the head and a part of the body, and then ends the connection. */
function half2(name: PortName, end: (socket: Socket) => void): (socket: Socket) => void {
  const server = createHttp2();
  server.on('sessionError', () => {});
  return socket => {
    server.emit('connection', socket);
    server.once('stream', (stream: ServerHttp2Stream, headers) => {
      count(name);
      stream.on('error', () => {});
      stream.respond({
        ':status': 200,
        ...(isGrpc(headers) ? { 'content-type': 'application/grpc' } : { 'content-length': '1000' }),
      });
      // The whole head and a part of what it announces.
      stream.write(isGrpc(headers) ? grpcMessage('x'.repeat(100)).subarray(0, 20) : 'x'.repeat(20), () =>
        setImmediate(() => end(socket)),
      );
    });
  };
}

/** Acts on every request of HTTP/2; but for that the connection is as it should be (RFC 9113 §3.4, §4.1). */
function onHeaders(act: (socket: Socket) => void): (socket: Socket) => void {
  return socket => {
    let bytes = Buffer.alloc(0);
    let at = PREFACE_BYTES;
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
        if (bytes[at + 3] === HEADERS) act(socket);
      }
    });
    socket.write(SETTINGS);
  };
}

const PREFACE_BYTES = 24;
const HEADERS = 1;
const SETTINGS = Buffer.from('000000040000000000', 'hex');

const HALF1 = `HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n${'x'.repeat(20)}`;
const reset = (socket: Socket): void => void socket.resetAndDestroy();
const finish = (socket: Socket): void => void socket.destroy();

function half(name: PortName, end: (socket: Socket) => void): Behaviour {
  const { http1 } = onRequest(name, socket => void socket.write(HALF1, () => end(socket)));
  return { http1, http2: half2(name, end) };
}

/** What is done with a connection when its first bytes are there, by what they are. */
interface Behaviour {
  readonly http1: (socket: Socket) => void;
  readonly http2: (socket: Socket) => void;
}

/** The same with every request of either protocol, and with the first bytes of any other. */
function onRequest(name: PortName, act: (socket: Socket) => void): Behaviour {
  const counted = (socket: Socket): void => {
    count(name);
    act(socket);
  };
  return { http1: counted, http2: onHeaders(counted) };
}

const behaviours: Readonly<Record<Exclude<PortName, 'closed'>, Behaviour>> = {
  echo: {
    http1: socket => void echo1.emit('connection', socket),
    http2: socket => void echo2.emit('connection', socket),
  },
  error: {
    http1: socket => void error1.emit('connection', socket),
    http2: socket => void error2.emit('connection', socket),
  },
  unread: onRequest('unread', reset),
  dies: onRequest('dies', socket => {
    socket.read();
    finish(socket);
  }),
  silent: onRequest('silent', socket => void socket.resume()),
  mute: { http1: socket => void socket.resume(), http2: socket => void socket.resume() },
  partial: onRequest('partial', socket => void socket.write('HTTP/1.1 20', () => reset(socket))),
  halfReset: half('halfReset', reset),
  halfClosed: half('halfClosed', finish),
  // Echoes bytes; what begins with `half` gets a part of it back, and a reset.
  bytes: onRequest('bytes', socket => {
    const first = socket.read() as Buffer;
    if (first.toString().startsWith('half')) socket.write('ha', () => reset(socket));
    else {
      socket.write(first);
      socket.pipe(socket);
    }
  }),
  strict: onRequest('strict', socket => void socket.end('reached')),
};

function listen(port: number, { http1, http2 }: Behaviour): void {
  const server = createServer({ allowHalfOpen: port === ports.bytes }, socket => {
    socket.on('error', () => {});
    socket.once('readable', () => {
      if (socket.readableLength === 0) return socket.destroy();
      const first = socket.read() as Buffer;
      socket.unshift(first);
      (first.toString('latin1').startsWith('PRI ') ? http2 : http1)(socket);
    });
  });
  server.listen(port, process.argv[2]);
}

for (const [name, behaviour] of Object.entries(behaviours)) listen(ports[name as PortName], behaviour);

serve<ApplicationRequest>(request => {
  switch (request.do) {
    case 'reset':
      for (const name of Object.keys(counts)) delete counts[name];
      return null;
    case 'counts':
      return counts;
    case 'post': {
      const { url, body } = request;
      return fetch(url, { method: 'POST', body }).then(
        answer => answer.status,
        () => 0,
      );
    }
  }
});
