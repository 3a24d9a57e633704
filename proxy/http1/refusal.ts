import { type FailureCode, failures } from '../../api/failure.ts';
import type { ResetReason } from '../exchange/stream.ts';
import type { Http1Limits } from './limits.ts';

/** Why a message is refused. `limit` names the exceeded limit, '' where the message breaks the protocol. */
export interface Refusal {
  /** Of the answer to a refused request; a refused response resets its stream instead. */
  readonly code: FailureCode;
  /** One plain sentence, sent in `tulle-error`. Never holds bytes of the peer. */
  readonly sentence: string;
  readonly limit: keyof Http1Limits | '';
}

function bad(sentence: string): Refusal {
  return { code: 'BAD_REQUEST', sentence, limit: '' };
}

function over(code: FailureCode, limit: keyof Http1Limits, sentence: string): Refusal {
  return { code, sentence, limit };
}

/** HTTP status of the answer. */
export function refusalStatus({ code }: Refusal): number {
  return failures[code].status;
}

export const REFUSALS = {
  requestLine: bad('The request line is not "method SP target SP version".'),
  method: bad('The method is not an upper-case token.'),
  target: bad('The request target holds a byte that a URI may not hold.'),
  targetForm: bad('The request target has a form that the method does not allow.'),
  targetAuthority: bad('The authority in the request target is not host[:port].'),
  version: bad('The protocol version is not HTTP/1.0 or HTTP/1.1.'),
  statusLine: bad('The status line is not "version SP status SP reason".'),
  bareCr: bad('A CR is not followed by LF.'),
  bareLf: bad('A line ends with LF instead of CRLF.'),
  obsFold: bad('A field line is folded.'),
  nameSpace: bad('There is whitespace between a field name and its colon.'),
  name: bad('A field name is empty or not a token.'),
  value: bad('A field value holds a control character.'),
  hostMissing: bad('The Host field is missing.'),
  hostSeveral: bad('There is more than one Host field.'),
  host: bad('The Host field is not host[:port].'),
  contentLength: bad('The Content-Length is not a decimal number.'),
  contentLengthSeveral: bad('There is more than one Content-Length field.'),
  transferEncoding: bad('The Transfer-Encoding is not exactly "chunked", once.'),
  lengthAndEncoding: bad('There are both a Content-Length and a Transfer-Encoding.'),
  encodingInHttp10: bad('A message of HTTP/1.0 has a Transfer-Encoding.'),
  connectionOption: bad('The Connection field holds something that is not a token.'),
  connectionNamesField: bad('The Connection field names a field that is not hop-by-hop.'),
  upgradeWithBody: bad('A request for an upgrade or a tunnel has a body.'),
  upgradeOption: bad('The Upgrade field is not a list of protocols.'),
  expectation: { code: 'EXPECTATION_FAILED', sentence: 'The expectation is not 100-continue.', limit: '' },
  chunkSize: bad('A chunk size is not a plain hexadecimal number.'),
  chunkExtension: bad('A chunk extension is malformed.'),
  trailerFraming: bad('A trailer field belongs to the framing or the connection.'),
  chunkEnd: bad('A chunk is not followed by CRLF.'),
  unexpectedBytes: bad('Bytes came that belong to no message.'),
  informationalFraming: bad('An informational response closes the connection or has a body.'),
  unaskedUpgrade: bad('The status 101 answers a request that did not ask for that upgrade.'),
  headBytes: over('HEADERS_TOO_LARGE', 'maxHeadBytes', 'The head is too long.'),
  fieldCount: over('HEADERS_TOO_LARGE', 'maxFieldCount', 'There are too many field lines.'),
  startLineBytes: over('TARGET_TOO_LONG', 'maxStartLineBytes', 'The start line is too long.'),
  trailerBytes: over('HEADERS_TOO_LARGE', 'maxTrailerBytes', 'The trailer section is too long.'),
  chunkExtensionBytes: over(
    'REQUEST_TOO_LARGE',
    'maxChunkExtensionBytes',
    'The chunk extensions are too long.',
  ),
  contentLengthRange: over('REQUEST_TOO_LARGE', 'maxContentLength', 'The Content-Length is too large.'),
  informational: over('BAD_REQUEST', 'maxInformational', 'There are too many informational responses.'),
  bufferedBytes: over(
    'REQUEST_TOO_LARGE',
    'maxBufferedBytes',
    'Too many bytes were sent ahead of their turn.',
  ),
  headTimeout: over('REQUEST_INCOMPLETE', 'headTimeoutMs', 'The head took too long.'),
  bodyTimeout: over('REQUEST_INCOMPLETE', 'bodyIdleTimeoutMs', 'The request body took too long.'),
} as const satisfies Record<string, Refusal>;

const NAMES: ReadonlyMap<Refusal, string> = new Map(
  Object.entries(REFUSALS).map(([name, refusal]) => [refusal, name]),
);

/** The name that a refusal has here, for metrics. */
export function refusalName(refusal: Refusal): string {
  return NAMES.get(refusal) ?? '';
}

/** What the receiver of a message that is refused after its head is told. */
export function resetReason(refusal: Refusal): ResetReason {
  if (refusal.code === 'REQUEST_INCOMPLETE') return 'timeout';
  return refusal.limit === '' ? 'protocol-error' : 'limit';
}
