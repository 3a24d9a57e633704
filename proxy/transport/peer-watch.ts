/**
 * Whether the other end of a TCP connection is still there. Keepalive finds a dead peer of a silent connection, but the
 * kernel sends no probes while bytes are on their way: it repeats those for a quarter of an hour. TCP_USER_TIMEOUT would
 * cut that short, and with it every reader that pauses for as long, since a shut window counts as silence there (tcp(7)).
 * So the kernel is asked when it last heard of the peer: an acknowledgement of a shut window is a sign of life.
 *
 * It is also asked about connections whose peer has sent FIN: Node does not poll those any more, and would hear of RST with the
 * next write, which may never come. And a FIN that acknowledges nothing of a request was sent by a peer that has not read it.
 */
import { createRequire } from 'node:module';

export interface PeerWatch {
  /** Milliseconds without an acknowledgement after which a peer is dead. */
  readonly silenceMs: number;
  /** What is known of the bytes that were sent on a connection. */
  ask(descriptor: number): PeerState;
  /** A connection is given up. */
  onLost(): void;
}

/** `delivered`: the peer has them all. `waiting`: they are on their way. `dead`: for too long. `reset`: RST has come. */
export type PeerState = 'delivered' | 'waiting' | 'dead' | 'reset';

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** struct tcp_info (linux/tcp.h) up to tcpi_last_ack_recv, and where its fields are. */
const BYTES = 60;
const STATE = 0;
const RETRANSMITS = 2;
const UNACKED = 24;
const LAST_ACK_RECEIVED = 56;
/** TCP_CLOSE of enum tcp_state (net/tcp_states.h). */
const CLOSED = 7;
/** Unanswered repetitions in a row: a silence that began before the bytes were sent says nothing of them. */
const MIN_RETRANSMITS = 3;

/** Loads koffi and libc; throws if this platform has neither. Call it in redirect mode only. */
export function createPeerWatch(silenceMs: number, onLost: () => void): PeerWatch {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const getsockopt = koffi
    .load('libc.so.6')
    .func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)');
  const info = Buffer.alloc(BYTES);
  return {
    silenceMs,
    onLost,
    ask(descriptor) {
      if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, [BYTES]) !== 0) return 'delivered';
      if (info[STATE] === CLOSED) return 'reset';
      // In host order, which is little-endian on all of ours.
      if (info.readUInt32LE(UNACKED) === 0) return 'delivered';
      const silent = info.readUInt32LE(LAST_ACK_RECEIVED) >= silenceMs;
      return silent && info[RETRANSMITS] >= MIN_RETRANSMITS ? 'dead' : 'waiting';
    },
  };
}
