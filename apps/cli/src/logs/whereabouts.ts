import type { Cluster } from '../host/cluster.ts';
import type { Node, Task } from '../host/docker-answers.ts';
import { stackName } from '../stack/names.ts';

/** For so long a task that nobody knows is not asked for again. */
const ASK_AGAIN_AFTER_MS = 2000;

/** Which number a container has among those of its service, and on which host it runs. */
export class Whereabouts {
  readonly #cluster: Cluster;
  #tasks: ReadonlyMap<string, Task> = new Map();
  #nodes: ReadonlyMap<string, Node> = new Map();
  #askedAt = -Infinity;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async of(
    task: string,
    node: string,
  ): Promise<{ readonly slot: number | undefined; readonly host: string }> {
    const unknown = !this.#tasks.has(task);
    if (unknown && performance.now() - this.#askedAt > ASK_AGAIN_AFTER_MS) {
      this.#askedAt = performance.now();
      // Lines without a number are better than none.
      await this.#ask().catch(() => undefined);
    }
    return {
      slot: this.#tasks.get(task)?.Slot,
      host: this.#nodes.get(node)?.Description.Hostname ?? node,
    };
  }

  async #ask(): Promise<void> {
    const { manager, config } = this.#cluster;
    const [tasks, nodes] = await Promise.all([
      manager.api.tasks({ label: [`com.docker.stack.namespace=${stackName(config)}`] }),
      manager.api.nodes(),
    ]);
    this.#tasks = new Map(tasks.map((task) => [task.ID, task]));
    this.#nodes = new Map(nodes.map((node) => [node.ID, node]));
  }
}
