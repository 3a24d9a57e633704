import { connect } from 'node:net';

/** Says the bytes, with `fin` also that nothing follows, and returns what was received until the other side closed. */
export function say(port: number, bytes: string, fin: boolean): Promise<string> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    const raw = Buffer.from(bytes, 'latin1');
    if (fin) socket.end(raw);
    else socket.write(raw);
  });
}
