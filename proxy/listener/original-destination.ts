/**
 * Where a redirected connection was going, from the kernel's connection tracking: getsockopt(SO_ORIGINAL_DST) and
 * IP6T_SO_ORIGINAL_DST (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h). Node has no getsockopt, so libc is
 * called through koffi; about 20 µs a connection.
 */
import { createRequire } from 'node:module';

export interface Destination {
  /** IP address in its canonical form. */
  readonly address: string;
  readonly port: number;
}

/** null if the connection was not redirected, or the kernel has forgotten. */
export type OriginalDestination = (descriptor: number) => Destination | null;

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** The same number for both families. */
const SO_ORIGINAL_DST = 80;
const AF_INET = 2;
const AF_INET6 = 10;
/** sizeof(struct sockaddr_in6). */
const SOCKADDR_BYTES = 28;

/** Loads koffi and libc; throws if this platform has neither. Call it in redirect mode only. */
export function createOriginalDestination(): OriginalDestination {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const getsockopt = koffi
    .load('libc.so.6')
    .func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)');
  const value = Buffer.alloc(SOCKADDR_BYTES);
  const read = (descriptor: number, level: number): Destination | null => {
    value.fill(0);
    return getsockopt(descriptor, level, SO_ORIGINAL_DST, value, [SOCKADDR_BYTES]) === 0
      ? parseSocketAddress(value)
      : null;
  };
  return descriptor => read(descriptor, SOL_IP) ?? read(descriptor, SOL_IPV6);
}

/** Reads struct sockaddr_in or sockaddr_in6; the family is in host order, which is little-endian on all of ours. */
export function parseSocketAddress(bytes: Buffer): Destination | null {
  const family = bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (family === AF_INET) return { address: Array.from(bytes.subarray(4, 8)).join('.'), port };
  if (family === AF_INET6) return { address: formatIpv6(bytes.subarray(8, 24)), port };
  return null;
}

/** RFC 5952; an IPv4-mapped address is the IPv4 address, which is how Services know it. */
function formatIpv6(bytes: Buffer): string {
  const host = new URL(
    `http://[${Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':')}]`,
  ).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  return mapped === null ? host : Array.from(bytes.subarray(12, 16)).join('.');
}
