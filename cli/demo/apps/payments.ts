/** The demo's gRPC service: one unary method with JSON messages, so that it needs no generated code. */
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServiceEnvironment } from './server.ts';

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const decode = (bytes: Buffer): Record<string, unknown> =>
  JSON.parse(bytes.toString()) as Record<string, unknown>;

const definition = {
  pay: {
    path: '/shop.Payments/Pay',
    requestStream: false,
    responseStream: false,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  },
} as const;

export function servePayments(environment: ServiceEnvironment): void {
  const server = new Server();
  server.addService(definition, {
    pay: (call: { request: Record<string, unknown> }, reply: (error: null, value: unknown) => void) =>
      reply(null, { paid: call.request.amount, pod: environment.pod }),
  });
  server.bindAsync(`${environment.host}:${environment.port}`, ServerCredentials.createInsecure(), error => {
    if (error !== null) throw error;
  });
  process.on('SIGTERM', () => server.tryShutdown(() => process.exit(0)));
}

/** A client that calls `target`; the standard variable `grpc_proxy` takes it through the sidecar. */
export function paymentsClient(target: string): (amount: number) => Promise<Record<string, unknown>> {
  const client = new Client(target, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = definition.pay;
  return amount =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { amount }, (error, value) => {
        if (error !== null || value === undefined) reject(error ?? new Error('no answer'));
        else resolve(value);
      });
    });
}
