import { meshAlpn } from '../../api/protocol.ts';
import { readClientHello } from './client-hello.ts';
import { detectProtocol } from './detect-protocol.ts';

/** What the first bytes of a connection to the pod are; tls: a ClientHello from outside the mesh. */
export type InboundVerdict = 'mesh' | 'tls' | 'http1' | 'http2' | 'opaque';

/** null: more bytes are needed. */
export function judge(bytes: Buffer): InboundVerdict | null {
  const hello = readClientHello(bytes);
  if (hello.kind === 'incomplete') return null;
  if (hello.kind === 'hello') return hello.alpn.some(isMeshAlpn) ? 'mesh' : 'tls';
  const protocol = detectProtocol(bytes);
  return protocol === 'incomplete' ? null : protocol;
}

export function isMeshAlpn(protocol: string): boolean {
  return protocol === meshAlpn.http2 || protocol === meshAlpn.http1 || protocol === meshAlpn.tcp;
}
