import type { Route } from '../../model/model.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { httpMatch } from './route-match.ts';
import { convertRoute } from './route-rule.ts';

/** An HTTPRoute (gateway.networking.k8s.io v1 and v1beta1, which have the same fields). */
export function convertHttpRoute(object: KubernetesObject): Converted<Route> {
  return convertRoute(object, { kind: 'HTTPRoute', readMatch: httpMatch });
}
