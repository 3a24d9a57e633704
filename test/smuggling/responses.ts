export interface RawResponse {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * Cuts what a client received into responses, as strictly as it can be done: a status line, fields, and a body by
 * Content-Length or chunks. `methods`: of the requests in their order, since HEAD has no body. Throws at anything else.
 */
export function cutResponses(bytes: string, methods: readonly string[]): RawResponse[] {
  const responses: RawResponse[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at);
    const head = bytes.slice(at, end + 4);
    const line = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[!#-'*+\-.^_`|~0-9a-z]+: [^\r\n]*\r\n)*)\r\n$/.exec(
      head,
    );
    if (end < 0 || line === null)
      throw new Error(`no response: ${JSON.stringify(bytes.slice(at, at + 200))}`);
    at = end + 4;
    const status = Number(line[1]);
    if (status < 200) continue;
    const length = /\r\ncontent-length: (\d+)\r\n/.exec(head);
    let body = '';
    if (methods[responses.length] === 'HEAD' || status === 204 || status === 304) {
      // No body, whatever the fields say.
    } else if (length !== null) {
      body = bytes.slice(at, at + Number(length[1]));
      at += Number(length[1]);
    } else if (/\r\ntransfer-encoding: chunked\r\n/.test(head)) {
      for (;;) {
        const lineEnd = bytes.indexOf('\r\n', at);
        const size = Number.parseInt(bytes.slice(at, lineEnd), 16);
        body += bytes.slice(lineEnd + 2, lineEnd + 2 + size);
        at = lineEnd + 2 + size + 2;
        if (size === 0) break;
      }
    } else {
      body = bytes.slice(at);
      at = bytes.length;
    }
    responses.push({ status, head, body });
  }
  return responses;
}
