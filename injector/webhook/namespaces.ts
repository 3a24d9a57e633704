/** Admission of namespaces: the annotation becomes the label, in the same write. */
import { annotations, readAnnotations } from '../../api/annotations.ts';
import { diff, type Json } from '../inject/json-patch.ts';
import { labelChange, type NamespaceMeta } from '../namespaces/inject-label.ts';
import { type AdmissionRequest, type Answer, allowed, denied, patched, ReviewError } from './review.ts';

interface Namespace {
  metadata: NamespaceMeta;
}

const hasMetadata = (object: unknown): object is Namespace =>
  typeof (object as Namespace | null)?.metadata === 'object';

const { name } = annotations.inject;

function withLabel(namespace: Namespace, value: string | undefined): Namespace {
  const { [name]: _before, ...labels } = namespace.metadata.labels ?? {};
  return {
    ...namespace,
    metadata: { ...namespace.metadata, labels: value === undefined ? labels : { ...labels, [name]: value } },
  };
}

/** Reviews a namespace that is created or updated. */
export function reviewNamespace(request: AdmissionRequest): Answer {
  const { object, oldObject } = request;
  if (!hasMetadata(object)) throw new ReviewError(400, 'the object of the review is not a Namespace');
  const { warnings } = readAnnotations('namespace', object.metadata.annotations);
  const change = labelChange(object.metadata, hasMetadata(oldObject) ? oldObject.metadata : null);
  const label = object.metadata.labels?.[name];
  const patch = (value: string | undefined) =>
    diff(object as unknown as Json, withLabel(object, value) as unknown as Json);
  switch (change.kind) {
    case 'none':
      return allowed('label_agrees', 'the label says what the annotation says', warnings);
    case 'invalid':
      return denied(
        'invalid_annotation',
        `the namespace is not accepted: ${change.problems.join('; ')}`,
        warnings,
      );
    case 'remove':
      return patched('label_removed', 'the label goes with the annotation', patch(undefined), warnings);
    case 'set': {
      const replaced =
        label === undefined
          ? []
          : [`label ${name}: ${label} becomes ${change.value}, as the annotation says`];
      return patched('label_set', 'the annotation is copied to the label', patch(change.value), [
        ...warnings,
        ...replaced,
      ]);
    }
  }
}
