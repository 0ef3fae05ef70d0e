import type { Cluster } from '../host/cluster.ts';
import { besideLabel, jobLabel } from '../stack/names.ts';

/**
 * Takes away what killed commands have left beside the stack: jobs, and programs beside the gateway. Those end by
 * themselves with their standard input; but a host may not learn for hours that the machine of an operator is gone. Only
 * for whoever holds the lock: nobody else has any then. Answers what was there.
 */
export async function removeLeftovers({ manager, config, engines }: Cluster): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { ID, Spec } of await manager.api.services({ label: [jobLabel(config)] })) {
    if (await manager.api.removeService(ID)) removed.push(`the job ${Spec.Name}`);
  }
  for (const { api } of engines) {
    for (const { Id, Names } of await api.containers({ label: [besideLabel(config)] })) {
      const [name = Id] = Names;
      if (await api.removeContainer(Id)) removed.push(`the program ${name.replace(/^\//, '')}`);
    }
  }
  return removed;
}
