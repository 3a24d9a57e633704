/** What came of the calls of one client. */

export interface Failed {
  /** Since the first call, in milliseconds. */
  atMs: number;
  status: string;
  /** `tulle-error` header, '' without one. */
  error: string;
  /** Pod that answered, '' if none did. */
  pod: string;
}

export interface Outcome {
  /** Answers by status (HTTP) or `OK` and gRPC codes; failures to get an answer by their text. */
  statuses: Record<string, number>;
  /** JSON bodies; only the first 50 are kept. */
  bodies: Record<string, unknown>[];
  /** Pods that answered, by how often. */
  pods: Record<string, number>;
  versions: Record<string, number>;
  /** `tulle-error` headers by how often. */
  errors: Record<string, number>;
  /** The first 20 that are neither 2xx nor OK. */
  failed: Failed[];
  /** What a stream brought. */
  text: string;
}

const KEPT_BODIES = 50;
const KEPT_FAILURES = 20;

function count(record: Record<string, number>, name: string): void {
  record[name] = (record[name] ?? 0) + 1;
}

export class OutcomeRecorder {
  readonly outcome: Outcome = {
    statuses: {},
    bodies: [],
    pods: {},
    versions: {},
    errors: {},
    failed: [],
    text: '',
  };
  readonly #began = performance.now();
  readonly #onFirst: () => void;
  #any = false;

  /** `onFirst` is called once, when the first outcome is there. */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst;
  }

  /** `text`: the body if it is JSON that names pod and version. */
  add(status: string, text = '', error = ''): void {
    const { outcome } = this;
    count(outcome.statuses, status);
    const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : null;
    const pod = typeof body?.pod === 'string' ? body.pod : '';
    if (pod !== '') count(outcome.pods, pod);
    if (typeof body?.version === 'string') count(outcome.versions, body.version);
    if (body !== null && outcome.bodies.length < KEPT_BODIES) outcome.bodies.push(body);
    if (error !== '') count(outcome.errors, error);
    if (!/^(2..|OK)$/.test(status) && outcome.failed.length < KEPT_FAILURES)
      outcome.failed.push({ atMs: Math.round(performance.now() - this.#began), status, error, pod });
    if (!this.#any) this.#onFirst();
    this.#any = true;
  }

  addText(text: string): void {
    this.outcome.text += text;
  }
}
