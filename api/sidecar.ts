/**
 * How a sidecar is told what it is: its environment. The injector and the demo's launcher write it, `proxy/config` reads
 * it; docs/reference/sidecar.md is made from this table.
 */
import type { Setting } from '../runtime/settings.ts';
import { ports } from './ports.ts';

export const sidecarSettings = {
  mode: {
    env: 'TULLE_MODE',
    type: 'string',
    default: 'redirect',
    values: ['redirect', 'explicit'],
    description:
      'redirect: connections arrive through the redirection rules of the pod and the original destination is read from the kernel. explicit: the outbound port is an HTTP proxy (absolute-form and CONNECT), and inboundListeners and outboundListeners are opened.',
  },
  podName: { env: 'TULLE_POD_NAME', type: 'string', description: 'name of the pod' },
  podNamespace: { env: 'TULLE_POD_NAMESPACE', type: 'string', description: 'namespace of the pod' },
  podIp: { env: 'TULLE_POD_IP', type: 'string', description: 'address of the pod' },
  serviceAccount: {
    env: 'TULLE_SERVICE_ACCOUNT',
    type: 'string',
    default: 'default',
    description: 'service account of the pod',
  },
  node: {
    env: 'TULLE_NODE',
    type: 'string',
    default: '',
    description: 'name of the Kubernetes node, for locality',
  },
  trustDomain: {
    env: 'TULLE_TRUST_DOMAIN',
    type: 'string',
    default: 'cluster.local',
    description: 'SPIFFE trust domain of the mesh',
  },
  clusterDomain: {
    env: 'TULLE_CLUSTER_DOMAIN',
    type: 'string',
    default: 'cluster.local',
    description: 'DNS domain of the cluster; explicit mode expands short Service names with it',
  },
  controlPlane: {
    env: 'TULLE_CONTROL_PLANE',
    type: 'string',
    default: 'tulle-control-plane.tulle-system.svc:14010',
    description:
      'host:port of the control plane; its certificate must be valid for the host, or for the name in controlPlaneName',
  },
  controlPlaneName: {
    env: 'TULLE_CONTROL_PLANE_NAME',
    type: 'string',
    default: '',
    description:
      'name that the certificate of the control plane must carry, if it is not the host of controlPlane',
  },
  trustBundle: {
    env: 'TULLE_TRUST_BUNDLE',
    type: 'string',
    default: '/var/run/tulle/trust/ca.crt',
    description: 'file with the roots of the mesh, PEM; read again when it changes',
  },
  token: {
    env: 'TULLE_TOKEN',
    type: 'string',
    default: '/var/run/tulle/token/token',
    description: 'file with the token that proves the service account; read again for every certificate',
  },
  listenAddress: {
    env: 'TULLE_LISTEN_ADDRESS',
    type: 'string',
    default: '0.0.0.0',
    description: 'address of the inbound, outbound and admin ports',
  },
  inboundPort: {
    env: 'TULLE_INBOUND_PORT',
    type: 'integer',
    default: String(ports.inbound),
    min: 0,
    max: 65_535,
    description: 'port for redirected incoming connections (redirect mode)',
  },
  outboundPort: {
    env: 'TULLE_OUTBOUND_PORT',
    type: 'integer',
    default: String(ports.outbound),
    min: 0,
    max: 65_535,
    description: 'port for redirected outgoing connections; in explicit mode an HTTP proxy',
  },
  adminPort: {
    env: 'TULLE_ADMIN_PORT',
    type: 'integer',
    default: String(ports.admin),
    min: 0,
    max: 65_535,
    description: 'port of metrics, probes, health and configuration',
  },
  inboundListeners: {
    env: 'TULLE_INBOUND_LISTENERS',
    type: 'list',
    default: '',
    description:
      'explicit mode: addresses to serve and where the application listens, as ADDRESS:PORT=ADDRESS:PORT',
  },
  outboundListeners: {
    env: 'TULLE_OUTBOUND_LISTENERS',
    type: 'list',
    default: '',
    description: 'explicit mode: local addresses and the Service each stands for, as ADDRESS:PORT=HOST:PORT',
  },
  logLevel: {
    env: 'TULLE_LOG_LEVEL',
    type: 'string',
    default: 'info',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    description: 'lowest level that is logged',
  },
  accessLog: {
    env: 'TULLE_ACCESS_LOG',
    type: 'string',
    default: 'off',
    values: ['off', 'errors', 'all'],
    description: 'which requests are logged: none, those that failed, or all',
  },
  drainSeconds: {
    env: 'TULLE_DRAIN_SECONDS',
    type: 'number',
    default: '30',
    min: 0,
    max: 3600,
    description: 'seconds after SIGTERM until connections that still work are cut off',
  },
  detectTimeoutMs: {
    env: 'TULLE_DETECT_TIMEOUT_MS',
    type: 'integer',
    default: '1000',
    min: 10,
    max: 60_000,
    description:
      'longest wait for the first bytes of a connection of unknown protocol; after that it is opaque',
  },
  configTimeoutMs: {
    env: 'TULLE_CONFIG_TIMEOUT_MS',
    type: 'integer',
    default: '5000',
    min: 100,
    max: 60_000,
    description: 'longest wait for the configuration of a destination that is called for the first time',
  },
  connectTimeoutMs: {
    env: 'TULLE_CONNECT_TIMEOUT_MS',
    type: 'integer',
    default: '1000',
    min: 10,
    max: 60_000,
    description:
      'longest wait for a connection to the application and to destinations outside the mesh; for endpoints of services the control plane sets it',
  },
  idleDestinationSeconds: {
    env: 'TULLE_IDLE_DESTINATION_SECONDS',
    type: 'integer',
    default: '600',
    min: 1,
    max: 86_400,
    description: 'seconds without a call after which the configuration of a destination is forgotten',
  },
  appMetrics: {
    env: 'TULLE_APP_METRICS',
    type: 'string',
    default: '',
    description: "the application's own metrics to merge into /metrics, as http://127.0.0.1:PORT/PATH",
  },
  probes: {
    env: 'TULLE_PROBES',
    type: 'string',
    default: '{}',
    description:
      'probes of the application that the sidecar makes for the kubelet, JSON: path on the admin port to a Kubernetes probe with httpGet, tcpSocket or grpc',
  },
  limits: {
    env: 'TULLE_LIMITS',
    type: 'string',
    default: '',
    description:
      'limits other than their defaults, as NAME=NUMBER,mesh.NAME=NUMBER with the names in limits.md',
  },
  maxSeries: {
    env: 'TULLE_MAX_SERIES',
    type: 'integer',
    default: '2000',
    min: 100,
    max: 1_000_000,
    description: 'metric series per metric; more are counted in an overflow series',
  },
} as const satisfies Record<string, Setting>;
