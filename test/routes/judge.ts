/** What a case asks for beside what came of it. */
import { randomUUID } from 'node:crypto';
import { type FailureCode, failureHeader, failures } from '../../api/failure.ts';
import type { RawOutcome, RawRequest } from '../apps/requests.ts';
import type { KubernetesObject } from '../cluster/harness/kubectl.ts';
import { type Expected, NS, type RouteCase, type Step, type Version } from './route-case.ts';

/** `addressOf`: of the pod of a version. */
export function requestOf(
  { name }: RouteCase,
  step: Step,
  addressOf: (version: Version) => string,
): RawRequest {
  const { protocol = 'http1', method = 'GET', path = '/', to = name, port = 80 } = step;
  const { fields = [], count = 1 } = step;
  const host = typeof to === 'string' ? to : addressOf(to.pod);
  const { serverName = '', fresh = false } = step;
  const authority = step.host ?? host;
  return { host, port, protocol, serverName, fresh, method, path, authority, fields: unique(fields), count };
}

/** Flat, with what stands for a name that nobody has used. */
function unique(fields: NonNullable<Step['fields']>): string[] {
  const name = randomUUID();
  return fields.flatMap(([field, value]) => [field, value.replace('%unique%', name)]);
}

/** What an outcome looks like to who has asked. */
export interface View {
  /** A sidecar tells its failures, proves who it is, and names a URL in one form of many. */
  readonly isSidecar: boolean;
  /** By which a call fails. */
  readonly grpcStatusOf: (failure: FailureCode) => number;
}

const sidecarView: View = { isSidecar: true, grpcStatusOf: code => failures[code].grpc };

/** What is wrong, a sentence each. */
export function judge(step: Step, { answer, tally }: RawOutcome, view: View = sidecarView): string[] {
  const { expect: expected, protocol = 'http1' } = step;
  const count = Object.values(tally).reduce((sum, times) => sum + times, 0);
  const isMixed = expected.shares !== undefined || expected.each !== undefined;
  const wrong = judgeShares(expected, tally, count);
  if (expected.each !== undefined)
    note(wrong, 'outcomes', expected.each.toSorted().join(), Object.keys(tally).toSorted().join());
  // Where every connection is to be refused there is none.
  if (answer === null && expected.shares?.reset === 1) return wrong;
  if (answer === null) return [...wrong, `no answer: ${JSON.stringify(tally)}`];
  if (!isMixed && count > 1 && Object.keys(tally).length > 1)
    wrong.push(`answers differ: ${JSON.stringify(tally)}`);
  const isGrpc = protocol === 'grpc';
  const wanted = fieldsOf(expected, isGrpc, view);
  const status = statusOf(expected, isGrpc);
  const seen = seenBy(answer.body);
  if (expected.shares === undefined) note(wrong, 'status', status, answer.status);
  if (expected.version !== undefined) note(wrong, 'version', expected.version, seen?.version);
  // Of several outcomes the first may be any.
  if (isMixed || !view.isSidecar) delete wanted[failureHeader];
  if (isMixed && expected.answer?.['grpc-status'] === undefined) delete wanted['grpc-status'];
  for (const [name, value] of Object.entries(wanted)) {
    const got = valueOf(answer.fields, name);
    const isUrl = name === 'location' && !view.isSidecar;
    note(wrong, `field ${name} of the answer`, value, isUrl ? normalized(got) : got);
  }
  for (const [what, value] of Object.entries(expected.seen ?? {})) {
    if (what === 'fields' || (what === 'caller' && !view.isSidecar)) continue;
    const got = what === 'host' ? hostOf(seen) : seen?.[what];
    note(wrong, `${what} that the application saw`, value, got);
  }
  for (const [name, value] of Object.entries(expected.seen?.fields ?? {}))
    note(wrong, `field ${name} that the application saw`, value, valueOf(seen?.rawHeaders ?? [], name));
  return wrong;
}

function note(wrong: string[], what: string, expected: unknown, got: unknown): void {
  if (expected !== got) wrong.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`);
}

function statusOf({ status = 200, failure }: Expected, isGrpc: boolean): number {
  return failure === undefined || isGrpc ? status : failures[failure].status;
}

/** Without the port that its scheme has anyway (RFC 3986 §6.2.3). */
function normalized(url: string | null): string | null {
  return url === null
    ? null
    : url.replace(/^(http:\/\/[^/:]+):80(?=\/)|^(https:\/\/[^/:]+):443(?=\/)/, '$1$2');
}

function fieldsOf(
  { answer = {}, failure }: Expected,
  isGrpc: boolean,
  { grpcStatusOf }: View,
): Record<string, string | null> {
  const grpcStatus = isGrpc
    ? { 'grpc-status': String(failure === undefined ? 0 : grpcStatusOf(failure)) }
    : {};
  const said = failure === undefined ? null : `${failure}; ${failures[failure].sentence}`;
  return { ...grpcStatus, [failureHeader]: said, ...answer };
}

/** How far a share may be off where each request is left to chance: more than five standard deviations. */
const toleranceOf = (share: number, count: number): number => 5.1 * Math.sqrt((share * (1 - share)) / count);

function judgeShares({ shares }: Expected, tally: Readonly<Record<string, number>>, count: number): string[] {
  const wrong: string[] = [];
  if (shares === undefined) return wrong;
  for (const name of new Set([...Object.keys(shares), ...Object.keys(tally)])) {
    const wanted = shares[name] ?? 0;
    const got = (tally[name] ?? 0) / count;
    const off =
      wanted === 0 || wanted === 1 ? got !== wanted : Math.abs(got - wanted) > toleranceOf(wanted, count);
    if (off) wrong.push(`share of ${JSON.stringify(name)}: ${got} instead of ${wanted}`);
  }
  return wrong;
}

/** Values of all fields of the name, joined; null if there is none. */
function valueOf(fields: readonly string[], name: string): string | null {
  const values = fields.filter((_, i) => i % 2 === 1 && fields[i - 1].toLowerCase() === name);
  return values.length === 0 ? null : values.join(',');
}

interface Seen {
  readonly version?: string;
  readonly rawHeaders?: readonly string[];
  readonly [member: string]: unknown;
}

function seenBy(body: string): Seen | null {
  return body.startsWith('{') ? (JSON.parse(body) as Seen) : null;
}

function hostOf(seen: Seen | null): string | null {
  const fields = seen?.rawHeaders ?? [];
  return valueOf(fields, 'host') ?? valueOf(fields, ':authority');
}

const GOOD = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];

/** Conditions that the routes of a case must have, by `<kind>/<namespace>/<name>`, for each parent. */
export function statusesOf({
  objects = [],
  status = {},
}: RouteCase): Map<string, readonly (readonly string[])[]> {
  const routes = objects.filter(({ kind }) => kind.endsWith('Route'));
  return new Map(
    routes.map(route => {
      const { namespace = NS, name = '' } = route.metadata;
      const wanted = namespace === NS ? status[`${route.kind}/${name}`] : undefined;
      return [`${route.kind}/${namespace}/${name}`, wanted ?? parentsOf(route).map(() => GOOD)];
    }),
  );
}

const parentsOf = ({ spec }: KubernetesObject): unknown[] => (spec as { parentRefs: unknown[] }).parentRefs;

interface ConditionLike {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

/** As cases write conditions; of the types that every route has. */
export const written = (conditions: readonly ConditionLike[]): string[] =>
  conditions
    .filter(({ type }) => type === 'Accepted' || type === 'ResolvedRefs')
    .map(({ type, status, reason }) => `${type}=${status}/${reason}`);
