/** Whether an environment of this name is held to the strict rules. */
export function isProduction(environment: string): boolean {
  return /^prod(uction)?$/i.test(environment);
}

/** Whether an environment of this name is somebody's own machine, where nothing is worth stealing. */
export function isLocal(environment: string): boolean {
  return /^(dev(elopment)?|test(ing)?|local)$/i.test(environment);
}
