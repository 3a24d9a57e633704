/** Ports of application.ts, by what a connection to them meets. */
export const ports = {
  /** HTTP that answers. */
  echo: 8080,
  /** HTTP that answers 500, gRPC INTERNAL. */
  error: 8081,
  /** Reset with the request unread. */
  unread: 8082,
  /** Read, and closed with FIN. */
  dies: 8083,
  /** Read, and nothing more. */
  silent: 8084,
  /** Read, and not even HTTP/2 spoken. */
  mute: 8089,
  /** Reset after the first bytes of an answer of HTTP/1.1. */
  partial: 8085,
  /** Reset after the head of an answer and a part of its body. */
  halfReset: 8086,
  /** Closed with FIN after the same. */
  halfClosed: 8087,
  /** TCP that echoes. */
  bytes: 9000,
  /** A port that takes mTLS only. */
  strict: 8088,
  /** Nobody listens. */
  closed: 9999,
} as const;

export type PortName = keyof typeof ports;
