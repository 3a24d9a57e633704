import type { SessionConfig } from '../../cluster/cluster-config.ts';
import type { MetadataReader } from './metadata.ts';

/** The session of a Route or of a Cluster; null without one. */
export function readSession(metadata: MetadataReader): SessionConfig | null {
  const name = metadata.text('session_name');
  if (name === '') return null;
  return {
    kind: metadata.choice('session_kind', ['cookie', 'header']),
    name,
    path: metadata.text('session_path'),
    timeoutMs: metadata.number('session_timeout_ms'),
    permanent: metadata.choice('session_permanent', ['true', 'false'], 'false') === 'true',
    key: metadata.text('session_key'),
  };
}
