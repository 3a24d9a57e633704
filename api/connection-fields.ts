/**
 * Fields that frame a message or belong to one connection (RFC 9110 §7.6.1, RFC 9112 §6): no filter may edit them. The
 * control plane refuses such a filter, as a sidecar would refuse the routes of the whole Service with it.
 */
export const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
