/** Everything that the control plane says in the status of objects; one replica of all writes it. */
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';
import type { RecordStore } from '../model/store.ts';
import { EventWriter } from './event-writer.ts';
import { LeaderElection } from './leader-election.ts';
import { writeMeshStatus } from './mesh-status.ts';
import { StatusWriter } from './status-writer.ts';

export interface StatusOptions {
  readonly api: Pick<ApiClient, 'get' | 'create' | 'patch' | 'replace'>;
  readonly store: RecordStore;
  /** Resolves when the newest mesh is in force; in the end always. */
  readonly whenInForce: () => Promise<void>;
  /** Whose entries in the status of routes are written. */
  readonly controllerName: string;
  /** Namespace and name of the Lease by which the replica is elected. */
  readonly namespace: string;
  readonly leaseName: string;
  /** Of this process among all. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** Milliseconds after which the XMesh is looked at again; its CRD may come at any time. */
const MESH_RECHECK_MS = 60_000;

/** Begins to take part in the election; answers what ends it and gives the Lease up. */
export function startStatus(options: StatusOptions): { stop(): Promise<void> } {
  const { api, store, whenInForce, controllerName, namespace, leaseName, identity, clock, random, log } =
    options;
  const isLeader = (): boolean => election.leading;
  const common = { api, store, whenInForce, controllerName, isLeader, clock, random, log };
  const routes = new StatusWriter(common);
  const events = new EventWriter(common);
  const mesh = keepMeshStatus(options, isLeader);
  const election = new LeaderElection({
    api,
    namespace,
    name: leaseName,
    identity,
    clock,
    log,
    onChange() {
      routes.leadershipChanged();
      events.leadershipChanged();
      mesh.leadershipChanged();
    },
  });
  election.start();
  return {
    async stop() {
      // Nothing is written any more when another may lead.
      await Promise.all([routes.stop(), events.stop(), mesh.stop()]);
      await election.stop();
    },
  };
}

interface Keeper {
  leadershipChanged(): void;
  stop(): Promise<void>;
}

function keepMeshStatus({ api, clock, random, log }: StatusOptions, isLeader: () => boolean): Keeper {
  const backoff = new Backoff(500, 30_000, random);
  let cancel = (): void => {};
  let running: Promise<void> | null = null;
  let stopped = false;

  const look = async (): Promise<void> => {
    let next = MESH_RECHECK_MS;
    try {
      await writeMeshStatus(api, clock.unix(), log);
      backoff.reset();
    } catch (error) {
      log.warn({ err: error }, 'status of the XMesh not written; it is tried again');
      next = backoff.next();
    }
    running = null;
    schedule(next);
  };
  const schedule = (ms: number): void => {
    cancel();
    if (stopped || running !== null || !isLeader()) return;
    cancel = clock.after(ms, () => {
      if (isLeader()) running = look();
    });
  };
  return {
    leadershipChanged: () => schedule(0),
    async stop() {
      stopped = true;
      cancel();
      await running;
    },
  };
}
