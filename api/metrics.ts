/**
 * Names, labels and buckets of the sidecar's metrics. The `istio_*` names and labels are Istio's standard metrics,
 * so that Flagger, Kiali and existing Grafana boards work; `tulle_*` is what they lack.
 * docs/reference/metrics.md is made from this table.
 */

/** Upper bounds in milliseconds of `istio_request_duration_milliseconds`. */
export const durationBuckets = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
] as const;

/** Upper bounds in bytes of `istio_request_bytes` and `istio_response_bytes`. */
export const byteBuckets = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] as const;

/** Labels of every `istio_*` series, in the order they are printed. */
export const edgeLabels = [
  'reporter',
  'source_workload',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_canonical_service',
  'source_canonical_revision',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'request_protocol',
  'connection_security_policy',
] as const;

/** Labels of the request metrics besides {@link edgeLabels}. */
export const requestLabels = ['response_code', 'grpc_response_status', 'response_flags'] as const;

export const metricNames = {
  requests: { name: 'istio_requests_total', type: 'counter', help: 'Requests by outcome.' },
  duration: {
    name: 'istio_request_duration_milliseconds',
    type: 'histogram',
    help: 'Time from the first byte of the request to the last byte of the response.',
  },
  requestBytes: { name: 'istio_request_bytes', type: 'histogram', help: 'Body bytes of requests.' },
  responseBytes: { name: 'istio_response_bytes', type: 'histogram', help: 'Body bytes of responses.' },
  tcpSent: {
    name: 'istio_tcp_sent_bytes_total',
    type: 'counter',
    help: 'Bytes sent to the client on TCP connections.',
  },
  tcpReceived: {
    name: 'istio_tcp_received_bytes_total',
    type: 'counter',
    help: 'Bytes received from the client on TCP connections.',
  },
  tcpOpened: { name: 'istio_tcp_connections_opened_total', type: 'counter', help: 'TCP connections opened.' },
  tcpClosed: {
    name: 'istio_tcp_connections_closed_total',
    type: 'counter',
    help: 'TCP connections closed, by response_flags as well.',
  },
  retries: {
    name: 'tulle_retries_total',
    type: 'counter',
    help: 'Attempts after the first, by destination_service and reason.',
  },
  retriesDenied: {
    name: 'tulle_retries_denied_total',
    type: 'counter',
    help: 'Retries that were wanted and not made, by destination_service and why (budget, body, method).',
  },
  ejections: {
    name: 'tulle_ejections_total',
    type: 'counter',
    help: 'Endpoints ejected by outlier detection, by destination_service.',
  },
  ejected: {
    name: 'tulle_ejected_endpoints',
    type: 'gauge',
    help: 'Endpoints that are ejected now, by destination_service.',
  },
  endpoints: { name: 'tulle_endpoints', type: 'gauge', help: 'Endpoints known, by destination_service.' },
  limits: {
    name: 'tulle_limits_exceeded_total',
    type: 'counter',
    help: 'Limits that a peer has passed, by limit: the names and what follows are in limits.md.',
  },
  protocolErrors: {
    name: 'tulle_protocol_errors_total',
    type: 'counter',
    help: 'Messages and connections refused because a peer broke the protocol, by protocol (http1, http2, tls), peer (client, server) and error. Of tls: identity, if the peer did not prove who it should be; rejected, if it did not accept our certificate; backend, if there is no TLS with an application as its BackendTLSPolicy asks for; plaintext; handshake.',
  },
  undetected: {
    name: 'tulle_undetected_connections_total',
    type: 'counter',
    help: 'Connections that are carried as bytes because their first ones did not tell the protocol in detectTimeoutMs, by direction. Who declares the protocol of the port spares them the wait.',
  },
  connections: {
    name: 'tulle_connections',
    type: 'gauge',
    help: 'Open connections, by direction (inbound, outbound, upstream).',
  },
  controlConnected: {
    name: 'tulle_control_plane_connected',
    type: 'gauge',
    help: '1 while the stream to the control plane is up.',
  },
  configAge: {
    name: 'tulle_config_age_seconds',
    type: 'gauge',
    help: 'Seconds since the control plane was last heard.',
  },
  configRejected: {
    name: 'tulle_config_rejected_total',
    type: 'counter',
    help: 'xDS responses answered with a NACK, by type.',
  },
  certificateExpiry: {
    name: 'tulle_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'Unix time at which the certificate of the sidecar ends.',
  },
  applicationUp: {
    name: 'tulle_application_metrics_up',
    type: 'gauge',
    help: "1 if the application's own metrics could be merged into the last scrape.",
  },
  overflowSeries: {
    name: 'tulle_metric_series_overflow_total',
    type: 'counter',
    help: 'Samples counted in the overflow series because the limit of series is reached.',
  },
} as const;
