import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { CertificateFiles } from './workload-certificate.ts';

export interface Backend {
  readonly port: number;
  close(): Promise<void>;
}

const bytes = (value: Buffer): Buffer => value;

/** A gRPC service that answers every call of /echo.Echo/Say with its name; with `files` it demands mTLS. */
export async function grpcBackend(name: string, files: CertificateFiles | null = null): Promise<Backend> {
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
  const handler = (_call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void =>
    answer(null, Buffer.from(name));
  server.addService({ say }, { say: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentialsOf(files), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: async () => server.forceShutdown() };
}

function credentialsOf(files: CertificateFiles | null): ServerCredentials {
  if (files === null) return ServerCredentials.createInsecure();
  const { certificate, key, roots } = files.read();
  return ServerCredentials.createSsl(roots, [{ private_key: key, cert_chain: certificate }], true);
}

/** An HTTP/1.1 service that answers with its name and what it was asked. */
export async function httpBackend(name: string): Promise<Backend> {
  const server = createServer((request: IncomingMessage, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name, method: request.method, path: request.url, headers: request.headers }),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
