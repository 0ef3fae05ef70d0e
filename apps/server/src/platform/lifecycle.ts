/** Where the process stands between its start and its end. Readiness follows from it. */
export class Lifecycle {
  #started = false;
  #draining = false;

  get started(): boolean {
    return this.#started;
  }

  /** No new work should come: the process is on its way out and only finishes what it has. */
  get draining(): boolean {
    return this.#draining;
  }

  markStarted(): void {
    this.#started = true;
  }

  markDraining(): void {
    this.#draining = true;
  }
}
