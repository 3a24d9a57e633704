/** A scripted ADS client: sends exactly what a test says, and answers nothing by itself. */
import { Client, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import { type DeepPartial, type MessageFns } from '../../api/xds/gen/google/protobuf/any.ts';
import { aggregatedDiscoveryService } from './services.ts';

export class RawStream<Request, Response> {
  readonly received: Response[] = [];
  status: StatusObject | null = null;
  readonly #call: ClientDuplexStream<Request, Response>;
  #waiting: (() => void)[] = [];

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.#call = call;
    call.on('data', (response: Response) => {
      this.received.push(response);
      this.#wake();
    });
    call.on('status', (status: StatusObject) => {
      this.status = status;
      this.#wake();
    });
    call.on('error', () => {});
  }

  send(request: Request): void {
    this.#call.write(request);
  }

  halfClose(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** The next response that has not been taken. */
  async next(): Promise<Response> {
    await this.#until(() => this.received.length > 0);
    const response = this.received.shift();
    if (response === undefined) throw new Error(`stream ended: ${JSON.stringify(this.status)}`);
    return response;
  }

  async ended(): Promise<StatusObject> {
    while (this.status === null) await new Promise<void>(resolve => this.#waiting.push(resolve));
    return this.status;
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && this.status === null) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export type DeltaStream = RawStream<DeepPartial<DeltaDiscoveryRequest>, DeltaDiscoveryResponse>;
export type SotwStream = RawStream<DeepPartial<DiscoveryRequest>, DiscoveryResponse>;

export class RawClient {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  delta(): DeltaStream {
    const { path } = aggregatedDiscoveryService.deltaAggregatedResources;
    return new RawStream(
      this.#client.makeBidiStreamRequest(
        path,
        serializer(DeltaDiscoveryRequest),
        deserializer(DeltaDiscoveryResponse),
      ),
    );
  }

  sotw(): SotwStream {
    const { path } = aggregatedDiscoveryService.streamAggregatedResources;
    return new RawStream(
      this.#client.makeBidiStreamRequest(path, serializer(DiscoveryRequest), deserializer(DiscoveryResponse)),
    );
  }

  /** A stream on which a test sends bytes that are no message. */
  sotwBytes(): RawStream<Buffer, Buffer> {
    const { path } = aggregatedDiscoveryService.streamAggregatedResources;
    const identity = (bytes: Buffer): Buffer => bytes;
    return new RawStream(this.#client.makeBidiStreamRequest(path, identity, identity));
  }

  close(): void {
    this.#client.close();
  }
}

function serializer<T, V extends string>(codec: MessageFns<T, V>): (message: DeepPartial<T>) => Buffer {
  return message => Buffer.from(codec.encode(codec.fromPartial(message)).finish());
}

function deserializer<T, V extends string>(codec: MessageFns<T, V>): (bytes: Buffer) => T {
  return bytes => codec.decode(bytes);
}
