/**
 * The mesh as a resource of its own: XMesh (gateway.networking.x-k8s.io/v1alpha1, GEP-3949), where tools read what this
 * mesh can do. Its CRD is in Gateway API's experimental channel, so that most clusters have none.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ApiClient, orAbsent } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Condition, condition, mergeConditions, timestamp } from './condition.ts';
import { controllerName } from './route-status.ts';

/** The one that is made if there is none of ours. */
export const meshName = 'tulle';

/** Gateway API's names (pkg/features of v1.6.1) of what Tulle does at a Service, sorted. */
export const supportedFeatures = [
  'BackendTLSPolicy',
  'BackendTLSPolicySANValidation',
  'GRPCRoute',
  'GRPCRouteNamedRouteRule',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteBackendProtocolH2C',
  'HTTPRouteBackendProtocolWebSocket',
  'HTTPRouteBackendRequestHeaderModification',
  'HTTPRouteBackendTimeout',
  'HTTPRouteCORS',
  'HTTPRouteDestinationPortMatching',
  'HTTPRouteHostRewrite',
  'HTTPRouteMethodMatching',
  'HTTPRouteNamedRouteRule',
  'HTTPRouteParentRefPort',
  'HTTPRoutePathRedirect',
  'HTTPRoutePathRewrite',
  'HTTPRoutePortRedirect',
  'HTTPRouteQueryParamMatching',
  'HTTPRouteRequestMirror',
  'HTTPRouteRequestMultipleMirrors',
  'HTTPRouteRequestPercentageMirror',
  'HTTPRouteRequestTimeout',
  'HTTPRouteResponseHeaderModification',
  'HTTPRouteRetry',
  'HTTPRouteRetryBackendTimeout',
  'HTTPRouteRetryConnectionError',
  'HTTPRouteSchemeRedirect',
  'Mesh',
  'MeshClusterIPMatching',
  'MeshConsumerRoute',
  'MeshHTTPRouteBackendRequestHeaderModification',
  'MeshHTTPRouteNamedRouteRule',
  'MeshHTTPRouteQueryParamMatching',
  'MeshHTTPRouteRedirectPath',
  'MeshHTTPRouteRedirectPort',
  'MeshHTTPRouteRewritePath',
  'MeshHTTPRouteSchemeRedirect',
  'TCPRoute',
  'TLSRoute',
] as const;

interface MeshObject {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly spec: { readonly controllerName: string; readonly parametersRef?: unknown };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly supportedFeatures?: readonly { readonly name: string }[];
  };
}

type MeshApi = Pick<ApiClient, 'get' | 'create' | 'replace'>;

const collection = '/apis/gateway.networking.x-k8s.io/v1alpha1/xmeshes';

/**
 * Makes the XMesh if there is none of ours, and says in the status of ours that they are accepted and what is supported.
 * Does nothing where the CRD is not installed; writes nothing that is right already. Never touches `spec`. `unix`: now, in
 * milliseconds. Rejects with an ApiError; it may be called again at any time.
 */
export async function writeMeshStatus(api: MeshApi, unix: number, log: Logger): Promise<void> {
  const list = await api.get<{ items: readonly MeshObject[] }>(collection).catch(orAbsent);
  if (list === null) return;
  const ours = list.items.filter(({ spec }) => spec.controllerName === controllerName);
  if (ours.length === 0) {
    if (list.items.some(({ metadata }) => metadata.name === meshName)) {
      log.warn(
        { name: meshName },
        'an XMesh of this name belongs to another controller; delete it or rename it',
      );
      return;
    }
    ours.push(
      await api.create<MeshObject>(collection, {
        apiVersion: 'gateway.networking.x-k8s.io/v1alpha1',
        kind: 'XMesh',
        metadata: { name: meshName },
        spec: { controllerName },
      }),
    );
  }
  for (const { metadata } of ours) await writeStatus(api, metadata.name, unix);
}

/** Items of a list say neither apiVersion nor kind, so each is read by itself. */
async function writeStatus(api: MeshApi, name: string, unix: number): Promise<void> {
  const path = `${collection}/${name}`;
  const mesh = await api.get<MeshObject>(path);
  const status = statusOf(mesh, timestamp(unix));
  if (!isDeepStrictEqual(status, mesh.status)) await api.replace(`${path}/status`, { ...mesh, status });
}

/** The status that an XMesh of ours should have. */
export function statusOf(
  { metadata, spec, status }: MeshObject,
  now: string,
): NonNullable<MeshObject['status']> {
  const { name, generation } = metadata;
  const accepted =
    spec.parametersRef === undefined
      ? condition('Accepted', true, 'Accepted', `XMesh ${name} is the mesh of ${controllerName}`, generation)
      : condition(
          'Accepted',
          false,
          'InvalidParameters',
          `XMesh ${name} has spec.parametersRef, ${JSON.stringify(spec.parametersRef)}; remove it: ${controllerName} has no parameters`,
          generation,
        );
  return {
    ...status,
    conditions: mergeConditions(status?.conditions ?? [], [accepted], ['Accepted'], now),
    supportedFeatures: supportedFeatures.map(feature => ({ name: feature })),
  };
}
