import { certificateIdentity } from '../../api/spiffe-certificate.ts';
import type { PeerIdentity } from './identity.ts';

/** Who a peer is by the certificate it showed (`getPeerX509Certificate().raw`), or why it is nobody. */
export function peerIdentity(der: Buffer): PeerIdentity {
  return certificateIdentity(der);
}
