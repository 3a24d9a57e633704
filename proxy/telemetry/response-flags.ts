/**
 * Envoy's response flags as this proxy uses them: in the label `response_flags` and in the access log. Those of answers
 * that the proxy makes itself are in api/failure.ts; the others come with answers that were passed on.
 */
export const responseFlags = {
  DC: 'The client went away before the answer was complete.',
  DPE: 'The client broke the protocol or a limit.',
  DR: 'The proxy has shut down, and its drain time was over.',
  LR: 'The proxy reset the stream itself.',
  NC: 'The route refers to a cluster that cannot be used, or there is no configuration.',
  NR: 'No route matches, or the destination is not one.',
  SI: 'Nothing moved on the request for too long.',
  UAEX: 'Refused by authorization or by the mTLS mode.',
  UC: 'The endpoint closed the connection.',
  UF: 'No connection to the endpoint.',
  UH: 'No endpoint.',
  UO: 'A limit of connections or requests of the service is reached.',
  UPE: 'The endpoint broke the protocol or a limit.',
  UR: 'The endpoint reset the stream.',
  URX: 'All attempts that the retry policy or its budget allows have failed; the answer is that of the last, and so is the other flag.',
  UT: 'A timeout of the request.',
} as const satisfies Record<string, string>;

export type ResponseFlag = keyof typeof responseFlags;

/** Both flags, in the order given and without repetition. */
export function joinFlags(flags: string, flag: ResponseFlag): string {
  if (flags === '') return flag;
  return flags.split(',').includes(flag) ? flags : `${flags},${flag}`;
}
