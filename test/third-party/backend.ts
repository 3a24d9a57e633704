import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { CertificateFiles } from './workload-certificate.ts';

export interface BackendOptions {
  /** With these a gRPC service demands mTLS. */
  readonly files?: CertificateFiles;
  readonly host?: string;
  /** 0: any that is free. */
  readonly port?: number;
}

export interface Backend {
  readonly port: number;
  close(): Promise<void>;
}

const bytes = (value: Buffer): Buffer => value;

/**
 * A gRPC service that answers every call of /echo.Echo/Say with its name, and with the identity of the caller if a
 * sidecar tells it.
 */
export async function grpcBackend(name: string, options: BackendOptions = {}): Promise<Backend> {
  const { files, host = '127.0.0.1', port: wanted = 0 } = options;
  const server = new Server();
  const say = {
    path: '/echo.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const handler = ({ metadata }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
    const caller = /URI=([^;,]+)/.exec(String(metadata.get('x-forwarded-client-cert')[0]))?.[1];
    answer(null, Buffer.from(caller === undefined ? name : `${name} for ${caller}`));
  };
  server.addService({ say }, { say: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${wanted}`, credentialsOf(files), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: async () => server.forceShutdown() };
}

function credentialsOf(files: CertificateFiles | undefined): ServerCredentials {
  if (files === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, roots } = files.read();
  return ServerCredentials.createSsl(roots, [{ private_key: key, cert_chain: certificate }], true);
}

/** An HTTP/1.1 service that answers with its name and what it was asked. */
export async function httpBackend(
  name: string,
  { host = '127.0.0.1', port = 0 }: BackendOptions = {},
): Promise<Backend> {
  const server = createServer((request: IncomingMessage, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name, method: request.method, path: request.url, headers: request.headers }),
    );
  });
  await new Promise<void>(resolve => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
