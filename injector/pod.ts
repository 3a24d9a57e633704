/**
 * The parts of a Pod (core/v1) that the injector reads or writes. Objects come as JSON and keep whatever else they have.
 * The types of @kubernetes/client-node are classes, which these plain objects are not.
 */

/** Metadata of any stored object. */
export interface ObjectMeta {
  name: string;
  resourceVersion: string;
  annotations?: Strings;
  labels?: Strings;
}

export type Strings = Readonly<Record<string, string>>;

export interface HttpGetAction {
  path?: string;
  port: number | string;
  host?: string;
  scheme?: string;
  httpHeaders?: readonly { name: string; value: string }[];
}

export interface TcpSocketAction {
  port: number | string;
  host?: string;
}

/** A lifecycle hook, or what a probe does. */
export interface Handler {
  httpGet?: HttpGetAction;
  tcpSocket?: TcpSocketAction;
  exec?: { command?: readonly string[] };
}

export interface Probe extends Handler {
  grpc?: { port: number; service?: string };
  timeoutSeconds?: number;
  periodSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
}

export interface Resources {
  requests?: Strings;
  limits?: Strings;
}

export interface SecurityContext {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { add?: readonly string[]; drop?: readonly string[] };
  seccompProfile?: { type: string };
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { fieldRef: { apiVersion: string; fieldPath: string } };
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
}

export interface Container {
  name: string;
  image?: string;
  imagePullPolicy?: string;
  args?: readonly string[];
  env?: readonly EnvVar[];
  ports?: readonly { name?: string; containerPort: number; protocol?: string }[];
  resources?: Resources;
  restartPolicy?: string;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  securityContext?: SecurityContext;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  volumeMounts?: readonly VolumeMount[];
}

export interface Volume {
  name: string;
  projected?: object;
  configMap?: object;
}

export interface Pod {
  metadata?: { name?: string; generateName?: string; annotations?: Strings; labels?: Strings };
  spec: {
    containers: readonly Container[];
    initContainers?: readonly Container[];
    ephemeralContainers?: readonly Container[];
    volumes?: readonly Volume[];
    hostNetwork?: boolean;
    os?: { name: string };
    securityContext?: { runAsUser?: number };
    terminationGracePeriodSeconds?: number;
    automountServiceAccountToken?: boolean;
  };
}
