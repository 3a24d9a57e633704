/**
 * Serves and dials in a network namespace. `answer.ts serve ADDRESS PORT...` answers each connection with the port that
 * accepted it and the original destination; `answer.ts dial ADDRESS PORT` prints the answer, or the error's code.
 * UID in the environment is the user to become first, SOURCE the address to dial from.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import koffi from 'koffi';

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST (linux/netfilter_ipv4.h, netfilter_ipv6/ip6_tables.h). */
const ORIGINAL_DST = 80;

const libc = koffi.load('libc.so.6');
const getsockopt = libc.func('int getsockopt(int, int, int, _Out_ uint8_t *value, _Inout_ uint32_t *length)');

/** Where the client meant to go, or '' if the kernel knows of no redirection. */
function originalDestination(socket: Socket): string {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const address = Buffer.alloc(28);
  // The listener is dual-stack: IPv4 clients have mapped addresses.
  const level = socket.remoteAddress?.startsWith('::ffff:') ? SOL_IP : SOL_IPV6;
  if (getsockopt(fd, level, ORIGINAL_DST, address, [address.length]) !== 0) return '';
  const port = address.readUInt16BE(2);
  if (level === SOL_IP) return `${address.subarray(4, 8).join('.')}:${port}`;
  const words = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(8 + 2 * i).toString(16));
  return `[${words.join(':')}]:${port}`;
}

function serve(address: string, port: number): Server {
  return createServer(socket => {
    socket.on('error', () => undefined);
    socket.end(JSON.stringify({ listener: port, original: originalDestination(socket) }));
  }).listen(port, address);
}

function dial(host: string, port: number): void {
  const source = process.env.SOURCE;
  const socket = connect({
    host,
    port,
    timeout: 3000,
    ...(source === undefined ? {} : { localAddress: source }),
  });
  socket.pipe(process.stdout);
  socket.on('timeout', () => socket.destroy(new Error('timeout')));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    console.log(JSON.stringify({ error: error.code ?? error.message }));
  });
}

const [command, address, ...ports] = process.argv.slice(2);
if (command === 'serve') {
  const servers = ports.map(port => serve(address, Number(port)));
  await Promise.all(servers.map(server => new Promise(resolve => server.once('listening', resolve))));
  console.log('listening');
}
if (process.env.UID !== undefined) {
  process.setgid?.(Number(process.env.UID));
  process.setuid?.(Number(process.env.UID));
}
if (command === 'dial') dial(address, Number(ports[0]));
