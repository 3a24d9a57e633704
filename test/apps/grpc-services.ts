/** gRPC services of the test application: a JSON echo, and the standard health service. */
import type { handleUnaryCall, MethodDefinition } from '@grpc/grpc-js';

type Json = Record<string, unknown>;

function method<Request, Response>(
  path: string,
  codec: {
    request: { encode(value: Request): Buffer; decode(bytes: Buffer): Request };
    response: { encode(value: Response): Buffer; decode(bytes: Buffer): Response };
  },
): MethodDefinition<Request, Response> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: codec.request.encode,
    requestDeserialize: codec.request.decode,
    responseSerialize: codec.response.encode,
    responseDeserialize: codec.response.decode,
  };
}

const json = {
  encode: (value: Json): Buffer => Buffer.from(JSON.stringify(value)),
  decode: (bytes: Buffer): Json => JSON.parse(bytes.toString()) as Json,
};

export const echoMethod = method('/tulle.test.Echo/Echo', { request: json, response: json });

/** `callerOf`: who calls, by the value of `x-forwarded-client-cert`. */
export const echoService = {
  definition: { echo: echoMethod },
  implementation: (
    pod: string,
    callerOf: (header: string | Buffer | undefined) => string,
  ): { echo: handleUnaryCall<Json, Json> } => ({
    echo: (call, reply) => {
      reply(null, {
        pod,
        caller: callerOf(call.metadata.get('x-forwarded-client-cert')[0]),
        ...call.request,
      });
    },
  }),
};

/** grpc.health.v1.HealthCheckResponse: field 1, varint, is 1 (SERVING) or 2 (NOT_SERVING). */
const healthAnswer = (serving: boolean): Buffer => Buffer.from([0x08, serving ? 0x01 : 0x02]);
const bytes = { encode: (value: Buffer): Buffer => value, decode: (value: Buffer): Buffer => value };

export const healthService = {
  definition: { check: method('/grpc.health.v1.Health/Check', { request: bytes, response: bytes }) },
  implementation: (serving: () => boolean): { check: handleUnaryCall<Buffer, Buffer> } => ({
    check: (_call, reply) => reply(null, healthAnswer(serving())),
  }),
};
