// Node's Buffer has these methods at run time; they skip the argument checks of write() and toString(), which
// the codecs do for themselves on every field line. The official types leave them out.
interface Buffer {
  latin1Write(value: string, offset: number, length: number): number;
  latin1Slice(start: number, end: number): string;
  asciiSlice(start: number, end: number): string;
}
