/** Text of the configuration as the data path compares and writes it: each character is one byte of its UTF-8 form. */
export function toWire(text: string): string {
  for (let i = 0; i < text.length; i++) {
    // Written as latin1, U+010A would become a line feed.
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'utf8').toString('latin1');
  }
  return text;
}
