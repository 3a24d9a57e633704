import type { Route } from '../../model/model.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { grpcMatch } from './route-match.ts';
import { convertRoute } from './route-rule.ts';

/** A GRPCRoute (gateway.networking.k8s.io v1). */
export function convertGrpcRoute(object: KubernetesObject): Converted<Route> {
  return convertRoute(object, { kind: 'GRPCRoute', readMatch: grpcMatch });
}
