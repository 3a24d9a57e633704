/**
 * Cuts an array off, in place. Setting `length` would do as well, but V8 leaves optimised code for that: 0.2 µs, as much as
 * passing a frame on.
 */
export function truncate(array: unknown[], length: number): void {
  while (array.length > length) array.pop();
}
