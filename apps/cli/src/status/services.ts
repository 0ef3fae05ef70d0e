import type { Node, Service, Task } from '../host/docker-answers.ts';
import { SERVICES } from '../stack/names.ts';
import type { SeenInstance, SeenService } from './seen.ts';

/** A service as Swarm tells of it; what only its containers know is not in it yet. */
export interface FoundService extends Pick<SeenService, 'service' | 'image' | 'wanted' | 'ended'> {
  readonly tasks: readonly FoundTask[];
  /** Of the container that ended. */
  readonly endedTask: string | undefined;
}

export interface FoundTask
  extends Pick<SeenInstance, 'instance' | 'host' | 'image' | 'state' | 'since' | 'problem'> {
  readonly task: string;
  readonly node: string;
  /** Undefined as long as there is none. */
  readonly container: string | undefined;
}

interface Found {
  /** With the dash or underscore behind it, such as `calculaud-production_`. */
  readonly prefix: string;
  readonly services: readonly Service[];
  readonly tasks: readonly Task[];
  readonly nodes: readonly Node[];
  readonly now: Date;
}

/** So long ago a container that ended by itself is still news. */
const RECENTLY_MS = 15 * 60_000;

/** The order in which requests pass through them; others behind. */
const ORDER: readonly string[] = Object.values(SERVICES);

/** What Swarm knows of the services of a stack, those that run once and end left out. */
export function foundServices({ prefix, services, tasks, nodes, now }: Found): readonly FoundService[] {
  const hosts = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  return services
    .flatMap(({ ID, Spec }): FoundService[] => {
      const service = Spec.Name.slice(prefix.length);
      if (!Spec.Mode.Replicated) return [];
      const own = tasks.filter(({ ServiceID }) => ServiceID === ID);
      const named = (task: Task): string => (task.Slot ? `${service}.${task.Slot}` : service);
      const last = lastEnded(own, now);
      return [
        {
          service,
          image: Spec.TaskTemplate.ContainerSpec?.Image ?? '',
          wanted: Spec.Mode.Replicated.Replicas ?? 0,
          ended: last ? { instance: named(last), at: last.Status.Timestamp, why: reasonOf(last) } : null,
          endedTask: last?.ID,
          tasks: own
            .filter(({ DesiredState }) => ['running', 'ready'].includes(DesiredState))
            .map((task) => ({
              instance: named(task),
              task: task.ID,
              node: task.NodeID ?? '',
              host: hosts.get(task.NodeID ?? '') ?? '',
              container: task.Status.ContainerStatus?.ContainerID || undefined,
              image: task.Spec.ContainerSpec?.Image ?? '',
              state: task.Status.State,
              since: task.Status.Timestamp,
              problem: task.Status.Err ?? null,
            }))
            .toSorted((one, other) => one.instance.localeCompare(other.instance, 'en', { numeric: true })),
        },
      ];
    })
    .toSorted((one, other) => rank(one) - rank(other));
}

function rank({ service }: FoundService): number {
  const index = ORDER.indexOf(service);
  return index === -1 ? ORDER.length : index;
}

function lastEnded(tasks: readonly Task[], now: Date): Task | undefined {
  return tasks
    .filter(
      ({ Status: { State, Timestamp } }) =>
        ['failed', 'rejected', 'orphaned'].includes(State) &&
        now.getTime() - new Date(Timestamp).getTime() < RECENTLY_MS,
    )
    .toSorted((one, other) => other.Status.Timestamp.localeCompare(one.Status.Timestamp))[0];
}

function reasonOf({ Status: { Err, Message, State } }: Task): string {
  return (Err ?? Message ?? State).replace(/^task: /, '');
}
