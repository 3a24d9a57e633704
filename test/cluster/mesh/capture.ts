/** Packets on the pod network of the kit's cluster, as tcpdump sees them in the node. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { kit } from '../harness/images.ts';
import { run } from '../harness/run.ts';
import { isKitCluster } from './kit-cluster.ts';

export interface Segment {
  /** `ADDRESS:PORT>ADDRESS:PORT` */
  flow: string;
  destination: string;
  payload: Buffer;
}

export interface Capture {
  /** Everything that was captured, as it was on the wire. */
  bytes: Buffer;
  /** TCP segments that carry data, in the order they were seen; each is seen on several interfaces. */
  segments: Segment[];
}

/** Why packets of the cluster under test cannot be captured, or null if they can. */
export async function noCapture(): Promise<string | null> {
  if (!(await isKitCluster())) return 'packets can be captured on the cluster of ../shared/cluster only';
  const { code, stderr } = await run(join(kit, 'enter'), ['tcpdump', '--version']);
  return code === 0 ? null : `tcpdump does not run in the node: ${stderr.trim()}`;
}

/** Captures what matches `filter` (pcap-filter(7)) while `during` runs. */
export async function capture(filter: string, during: () => Promise<void>): Promise<Capture> {
  // At once, so that nothing is left in the kernel at the end; that takes a slot of the snapshot length for each packet.
  const how = '-i any -n --immediate-mode -B 65536 -s 65535 -U -w -';
  const args = ['tcpdump', ...how.split(' '), ...filter.split(' ')];
  // A group of its own: the signal must reach tcpdump, which runs in the node's process namespace.
  const child = spawn(join(kit, 'enter'), args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      if (said.includes('listening on')) resolve();
    });
    child.once('exit', code => reject(new Error(`tcpdump ended (${code}): ${said}`)));
  });
  const ended = once(child, 'close');
  try {
    await during();
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    await ended;
  }
  if (!/^0 packets dropped by kernel/m.test(said)) throw new Error(`tcpdump has not seen all: ${said}`);
  const bytes = Buffer.concat(chunks);
  return { bytes, segments: segmentsOf(bytes) };
}

/** Length of the link header and offset of the Ethertype in it, by link type (tcpdump.org/linktypes.html). */
const links: Readonly<Record<number, { length: number; type: number }>> = {
  1: { length: 14, type: 12 },
  113: { length: 16, type: 14 },
  276: { length: 20, type: 0 },
};

const address = (packet: Buffer, at: number): string => packet.subarray(at, at + 4).join('.');

/** The TCP payloads of a pcap file (little-endian, microseconds) with IPv4 packets. */
function segmentsOf(file: Buffer): Segment[] {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('tcpdump wrote something other than pcap');
  const link = links[file.readUInt32LE(20)];
  if (link === undefined) throw new Error(`unknown link type ${file.readUInt32LE(20)}`);
  const segments: Segment[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.readUInt16BE(link.type) !== 0x0800) continue;
    const ip = frame.subarray(link.length);
    const tcp = ip.subarray((ip[0] & 0x0f) * 4, ip.readUInt16BE(2));
    const payload = tcp.subarray((tcp[12] >> 4) * 4);
    if (ip[9] !== 6 || payload.length === 0) continue;
    const destination = `${address(ip, 16)}:${tcp.readUInt16BE(2)}`;
    segments.push({ flow: `${address(ip, 12)}:${tcp.readUInt16BE(0)}>${destination}`, destination, payload });
  }
  return segments;
}

/** The first data of each flow, in both directions. */
export function openings(segments: readonly Segment[]): Segment[] {
  const seen = new Set<string>();
  return segments.filter(({ flow }) => !seen.has(flow) && seen.add(flow));
}

/** A TLS handshake record (RFC 8446 §5.1): type 22, legacy version 3.x. */
export const isTlsHandshake = (payload: Buffer): boolean => payload[0] === 0x16 && payload[1] === 0x03;
