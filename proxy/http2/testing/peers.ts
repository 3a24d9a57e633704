/** One end of the codec, and a test that plays the other end frame by frame. */
import { RecordingHandler, type RecordingHandlerOptions } from '../../http1/testing/recording-handler.ts';
import { RecordingOwner } from '../../http1/testing/recording-response.ts';
import { RecordingTransport } from '../../http1/testing/recording-transport.ts';
import { Http2ClientConnection } from '../client-connection.ts';
import { CLIENT_PREFACE } from '../frame.ts';
import { type Http2Limits, type Http2Observer, UNTRUSTED_LIMITS } from '../limits.ts';
import { Http2ServerConnection } from '../server-connection.ts';
import { Http2Workspace } from '../workspace.ts';
import { frame, frames, settings, type WireFrame } from './wire.ts';

export class RecordedObserver implements Http2Observer {
  limits: string[] = [];
  faults: string[] = [];
  roundTrips: number[] = [];

  onLimit(name: string): void {
    this.limits.push(name);
  }
  onFault(_code: number, text: string): void {
    this.faults.push(text);
  }
  onRoundTrip(ms: number): void {
    this.roundTrips.push(ms);
  }
}

/** What both harnesses have. */
class Peer {
  readonly transport = new RecordingTransport();
  readonly observer = new RecordedObserver();
  now = 0;
  readonly limits: Http2Limits;

  readonly #workspace: Http2Workspace;

  constructor(limits: Partial<Http2Limits>, workspace: Http2Workspace) {
    this.#workspace = workspace;
    this.limits = { ...UNTRUSTED_LIMITS, ...limits };
  }

  /** Options that both kinds of connection take. */
  protected base() {
    const { transport, observer, limits } = this;
    return { transport, observer, limits, workspace: this.#workspace, clock: () => this.now };
  }

  /** Frames that were sent since the last call. */
  sent(): WireFrame[] {
    return frames(Buffer.from(this.transport.takeText(), 'latin1'));
  }

  /** Those of one type. */
  sentOf(type: number): WireFrame[] {
    return this.sent().filter(sent => sent.type === type);
  }

  /** Error code of the GOAWAY or RST_STREAM that was sent; null if there is none. */
  errorOf(type: 3 | 7): number | null {
    const found = this.sent().findLast(sent => sent.type === type);
    return found === undefined ? null : found.payload.readUInt32BE(type === 7 ? 4 : 0);
  }
}

export class ServerUnderTest extends Peer {
  readonly handler: RecordingHandler;
  readonly connection: Http2ServerConnection;

  /** @param greeted the client has sent its preface and SETTINGS already */
  constructor(
    limits: Partial<Http2Limits> = {},
    options: RecordingHandlerOptions = {},
    greeted = true,
    workspace = new Http2Workspace(),
  ) {
    super(limits, workspace);
    this.handler = new RecordingHandler(options);
    this.connection = new Http2ServerConnection({
      ...this.base(),
      handler: this.handler,
      context: null,
      scheme: 'http',
    });
    if (!greeted) return;
    this.receive(CLIENT_PREFACE, frame(4, 0, 0));
    this.sent();
  }

  receive(...bytes: Buffer[]): void {
    this.connection.receive(Buffer.concat(bytes));
  }

  tick(ms: number): void {
    this.now += ms;
    this.connection.tick(this.now);
  }
}

export class ClientUnderTest extends Peer {
  readonly owner = new RecordingOwner();
  readonly connection: Http2ClientConnection;

  /** @param peerSettings what the server says at once: identifier, value, ...; null: it says nothing yet */
  constructor(
    limits: Partial<Http2Limits> = {},
    peerSettings: number[] | null = [],
    workspace = new Http2Workspace(),
  ) {
    super(limits, workspace);
    this.connection = new Http2ClientConnection({ ...this.base(), owner: this.owner });
    this.transport.takeText();
    if (peerSettings === null) return;
    this.receive(frame(4, 0, 0, settings(...peerSettings)));
    this.sent();
  }

  receive(...bytes: Buffer[]): void {
    this.connection.receive(Buffer.concat(bytes));
  }

  tick(ms: number): void {
    this.now += ms;
    this.connection.tick(this.now);
  }
}
