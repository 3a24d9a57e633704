import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import type { RecordStore } from '../model/store.ts';

/** What the control plane says of itself, read at scrape. Times of certificates in Unix milliseconds. */
export function registerMetrics(
  registry: Registry,
  store: Pick<RecordStore, 'current' | 'problems' | 'problemsOf'>,
  expiry: () => { readonly authority: number; readonly serving: number },
): void {
  collectDefaultMetrics({ register: registry });
  gauge(
    registry,
    'tulle_mesh_version',
    'Number of the newest state of the mesh; 0 before the first.',
    () => ({
      '': store.current?.version ?? 0,
    }),
  );
  gauge(
    registry,
    'tulle_mesh_objects',
    'Objects in the newest state of the mesh, by kind.',
    () => ({
      service: store.current?.services.size ?? 0,
      workload: store.current?.workloads.size ?? 0,
      route: store.current?.routes.size ?? 0,
    }),
    'kind',
  );
  gauge(
    registry,
    'tulle_configuration_problems',
    'Objects and files of users with problems; /problems of the admin port lists them.',
    () => ({
      '': store.problems().filter(({ subject }) => store.problemsOf(subject, 'configuration').length > 0)
        .length,
    }),
  );
  gauge(
    registry,
    'tulle_certificate_expiry_timestamp_seconds',
    'Unix time at which a certificate of the control plane ends, by certificate.',
    () => {
      const { authority, serving } = expiry();
      return { authority: authority / 1000, serving: serving / 1000 };
    },
    'certificate',
  );
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => Readonly<Record<string, number>>,
  label?: string,
): void {
  new Gauge({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      for (const [value, number] of Object.entries(read()))
        if (label === undefined) this.set(number);
        else this.set({ [label]: value }, number);
    },
  });
}
