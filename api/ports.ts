/**
 * Ports that Tulle listens on, outside those of Linkerd (4140–4191) and Istio (15000–15090), so that pods can
 * move from one mesh to the other one by one. docs/architecture.md gives the reasons.
 */
export const ports = {
  /** Sidecar: where outgoing connections of the pod are redirected to; in explicit mode an HTTP proxy. */
  outbound: 14001,
  /** Sidecar: where incoming connections of the pod are redirected to. */
  inbound: 14006,
  /** Control plane: xDS and certificates, TLS. */
  controlPlane: 14010,
  /** Control plane: metrics, readiness and liveness. */
  controlPlaneAdmin: 14011,
  /** Injector: admission webhooks, HTTPS. */
  webhook: 14017,
  /** Injector: metrics, readiness and liveness. */
  injectorAdmin: 14018,
  /** Sidecar: metrics, probes, health and configuration. */
  admin: 14020,
} as const;

/**
 * Source of the sidecar's connections to an application that listens on the pod's own address only. The redirection tells
 * by it that they are for the application: without it they would come back to the sidecar, again and again.
 */
export const applicationSource = '127.0.0.6';

/** User and group of the sidecar; its own connections are told from the application's by the uid. */
export const proxyUid = 14337;
