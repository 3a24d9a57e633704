import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Header and field names that never reach a log line. */
const SECRET_FIELDS = ['token', 'key', 'privateKey', 'csr', 'authorization', 'cookie', 'password'];

/** JSON lines on standard output; `role` names the process (sidecar, control-plane, injector). */
export function createLogger(role: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { role },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap(field => [field, `*.${field}`]), censor: '[redacted]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
