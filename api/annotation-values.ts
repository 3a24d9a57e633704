/** Values of annotations: how each type is written, and what is wrong with one that is not. */
import { isIP } from 'node:net';

/** Ports `from` to `to`, both included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** A value, or what would be one: a phrase that follows "use". */
export type Parsed<T> = { readonly value: T } | { readonly remedy: string };

const items = (raw: string): string[] =>
  raw
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '');

function portRange(item: string): PortRange | null {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(item);
  if (match === null) return null;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return from >= 1 && to <= 65_535 && from <= to ? { from, to } : null;
}

/** Ports and ranges of ports, `80,8000-8100`; the empty string is none. */
export function parsePorts(raw: string): Parsed<readonly PortRange[]> {
  const ranges = items(raw).map(portRange);
  return ranges.includes(null)
    ? { remedy: 'ports from 1 to 65535 and ranges of them, separated by commas, as in 25,8000-8100' }
    : { value: ranges as PortRange[] };
}

export function formatPorts(ranges: readonly PortRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(',');
}

function cidr(item: string): string | null {
  const [address, length, ...rest] = item.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (bits === 0 || rest.length > 0 || address.includes('%')) return null;
  if (length === undefined) return `${address}/${bits}`;
  return /^\d{1,3}$/.test(length) && Number(length) <= bits ? `${address}/${Number(length)}` : null;
}

/** Networks in CIDR notation, IPv4 and IPv6; an address alone is a network of one. The empty string is none. */
export function parseCidrs(raw: string): Parsed<readonly string[]> {
  const networks = items(raw).map(cidr);
  return networks.includes(null)
    ? { remedy: 'networks separated by commas, as in 10.0.0.0/8,192.168.1.7,fd00::/8' }
    : { value: networks as string[] };
}

/** A number within limits; `whole` allows no fraction. */
export function parseNumber(raw: string, whole: boolean, min: number, max: number): Parsed<number> {
  const value = /^\d+(\.\d+)?$/.test(raw) ? Number(raw) : Number.NaN;
  return (whole && !Number.isInteger(value)) || !(value >= min && value <= max)
    ? { remedy: `${whole ? 'an integer' : 'a number'} from ${min} to ${max}` }
    : { value };
}

/** Some of a few words, separated by commas. The empty string is none. */
export function parseWords(raw: string, words: readonly string[]): Parsed<readonly string[]> {
  const given = items(raw);
  return given.every(item => words.includes(item))
    ? { value: [...new Set(given)] }
    : { remedy: `some of ${words.join(', ')}, separated by commas` };
}

const QUANTITY = /^(\d{1,15}(?:\.\d{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const FACTORS: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Cores or bytes that a Kubernetes quantity stands for; NaN if it is none. */
export function quantity(raw: string): number {
  const match = QUANTITY.exec(raw);
  return match === null ? Number.NaN : Number(match[1]) * (FACTORS[match[2]] ?? 1);
}

/** A quantity of `cpu` (`100m`, `1.5`) or `memory` (`64Mi`), or `none`, which becomes the empty string. */
export function parseQuantity(raw: string, of: 'cpu' | 'memory'): Parsed<string> {
  if (raw === 'none') return { value: '' };
  const fits = of === 'cpu' ? /^\d+(\.\d{1,3}|m)?$/ : /^\d+(\.\d+)?([kMGT]|[KMGT]i)?$/;
  if (fits.test(raw) && !Number.isNaN(quantity(raw))) return { value: raw };
  return {
    remedy: of === 'cpu' ? 'a quantity as in 100m or 1.5, or none' : 'a quantity as in 64Mi or 1G, or none',
  };
}
