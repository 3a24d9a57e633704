/** PEM (RFC 7468): certificates between files and DER. */

/** All certificates of a text, DER; other blocks and comments are passed over. */
export function certificatesOf(pem: string): Buffer[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g);
  return Array.from(blocks, block => Buffer.from(block[1], 'base64'));
}

/** Certificates as PEM, one after the other. */
export function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates
    .map(der => {
      const lines = Buffer.from(der)
        .toString('base64')
        .replace(/.{64}(?=.)/g, '$&\n');
      return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}
