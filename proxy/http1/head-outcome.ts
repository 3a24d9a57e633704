/** What the readers of a head answer instead of the offset after it. */

/** More bytes are needed. */
export const INCOMPLETE = 0;
/** The head is refused; `HeadParser.refusal` says why. */
export const REFUSED = -1;
