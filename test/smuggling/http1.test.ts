/**
 * Request smuggling through the complete path: client, sidecar, mTLS, sidecar, application; and in plaintext through the
 * server's sidecar alone. Each case is followed by two more requests on its connection, and by one of a victim on another.
 * The application must see exactly the requests that the first sidecar believes it has forwarded, in their order, with the
 * same bodies; and every client gets the answer to its own request.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessRecord } from '../../proxy/telemetry/access-log.ts';
import { TulleParser } from '../fuzz/http1/tulle-parser.ts';
import { cluster, endpoint, SERVER_ID } from '../integration/proxy/configuration.ts';
import { TestMesh } from '../integration/proxy/test-mesh.ts';
import {
  nginxApplication,
  nginxMissing,
  nodeApplication,
  type RecordingApplication,
  type Seen,
} from './applications.ts';
import { Believed, isForwarded } from './believed.ts';
import { FORGED, SMUGGLING_CASES, type SmugglingCase } from './cases.ts';
import { say } from './client.ts';
import { cutResponses, type RawResponse } from './responses.ts';

const MARKER = 'GET /marker HTTP/1.1\r\nHost: a.test\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';

interface Run {
  readonly believed: readonly AccessRecord[];
  readonly received: string;
  readonly victim: string;
}

/** All that a client says in a case. */
function bytesOf({ bytes, incomplete }: SmugglingCase): string {
  return incomplete ? bytes : bytes + MARKER + LAST;
}

const applications: [string, () => Promise<RecordingApplication>, string][] = [
  ['node:http', nodeApplication, ''],
  ['nginx', nginxApplication, nginxMissing()],
];

for (const [name, , missing] of applications) {
  if (missing !== '') process.stdout.write(`smuggling to ${name} is skipped: ${missing}\n`);
}

describe.each(applications.filter(([, , missing]) => missing === ''))('to %s', (_, start) => {
  describe.each(['two sidecars', 'one sidecar'] as const)('through %s:', path => {
    const believed = new Believed();
    const runs = new Map<SmugglingCase, Run>();
    /** What the application saw in each case, the victim's request last. */
    const segments = new Map<SmugglingCase, Seen[]>();
    const entry = path === 'two sidecars' ? 'outbound' : 'inbound';
    let mesh: TestMesh;
    let application: RecordingApplication;
    let port: number;

    beforeAll(async () => {
      application = await start();
      mesh = new TestMesh();
      mesh.accessLog = believed;
      const server = await mesh.server(application.port, { protocol: 'http' });
      const orders = cluster('orders', [endpoint(server.port, { identity: SERVER_ID })]);
      const client = await mesh.orders([orders]);
      port = path === 'two sidecars' ? client.port : server.port;
      for (const [i, smuggling] of SMUGGLING_CASES.entries()) {
        const from = believed.records.length;
        const received = await say(port, bytesOf(smuggling), smuggling.incomplete === true);
        const victim = await say(
          port,
          `GET /victim-${i} HTTP/1.1\r\nHost: v.test\r\nConnection: close\r\n\r\n`,
          false,
        );
        const records = believed.records.slice(from).filter(({ direction }) => direction === entry);
        runs.set(smuggling, { believed: records, received, victim });
      }
      await cut();
    }, 120_000);

    afterAll(() => {
      mesh.close();
      application.stop();
    });

    /** nginx writes its log a moment after its answer. */
    async function cut(): Promise<void> {
      const last = `/victim-${SMUGGLING_CASES.length - 1}`;
      while (application.seen().at(-1)?.target !== last)
        await new Promise(resolve => setTimeout(resolve, 20));
      let segment: Seen[] = [];
      let i = 0;
      for (const seen of application.seen()) {
        segment.push(seen);
        if (seen.target !== `/victim-${i}`) continue;
        segments.set(SMUGGLING_CASES[i++], segment);
        segment = [];
      }
    }

    test.each(SMUGGLING_CASES)('$name', smuggling => {
      const run = runs.get(smuggling) as Run;
      const seen = segments.get(smuggling) as Seen[];
      const ours = new TulleParser().requests([Buffer.from(bytesOf(smuggling), 'latin1')]);
      const complete = ours.messages.filter(({ ended }) => ended);
      // What the sidecar says that it has forwarded is what its codec reads in the bytes.
      const forwarded = run.believed.filter(isForwarded);
      const told = forwarded.map(({ method, authority, path: target }) => `${method} ${authority} ${target}`);
      expect(told.slice(0, -1)).toEqual(complete.map(({ start }) => start));
      expect(told.at(-1)).toMatch(/^GET v\.test \/victim-\d+$/);
      // Who sends no Host gets the service that the client's sidecar stands for.
      const host = path === 'two sidecars' ? 'orders' : '';
      const expected = complete.map(({ start, body }) => ({ start: start.replace('  ', ` ${host} `), body }));
      const answers = expectAnswers(
        smuggling,
        run,
        complete.map(({ start }) => start),
      );
      // The application saw that, but for what it refused itself (nginx: `OPTIONS *`, TRACE) or saw no end of.
      const served = seen.filter(({ status }) => status < 400).map(inOurTerms);
      expect(served.slice(0, -1)).toEqual(expected.filter((_, i) => answers[i].status < 400));
      expect(seen.map(({ rest }) => rest).join()).not.toContain(FORGED);
    });

    /** Each answer is the one to its request, and a refusal is the last. */
    function expectAnswers(smuggling: SmugglingCase, run: Run, starts: readonly string[]): RawResponse[] {
      const methods = starts.map(start => start.slice(0, start.indexOf(' ')));
      const answers = cutResponses(run.received, methods);
      for (const [i, start] of starts.entries()) {
        const [method, , target] = start.split(' ');
        if (method !== 'HEAD' && answers[i].status < 400) expect(answers[i].body).toBe(`${method} ${target}`);
      }
      expect(answers).toHaveLength(starts.length + (smuggling.verdict === 'accept' ? 0 : 1));
      if (smuggling.verdict !== 'accept') {
        expect(answers.at(-1)?.status).toBe(smuggling.verdict);
        expect(answers.at(-1)?.head).toMatch(
          /\r\ntulle-error: [A-Z_]+; [^\r]+\r\n(.*\r\n)*connection: close\r\n/,
        );
      }
      const [victim] = cutResponses(run.victim, ['GET']);
      expect([victim.status, victim.body.startsWith('GET /victim-')]).toEqual([200, true]);
      return answers;
    }

    /** Host and target as the codec derives them (RFC 9112 §3.3). */
    function inOurTerms({ method, target, host, body }: Seen): { start: string; body: string } {
      return { start: `${method} ${host} ${target}`, body };
    }
  });
});
