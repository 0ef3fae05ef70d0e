/** Whether an environment of this name is held to the strict rules. */
export function isProduction(environment: string): boolean {
  return /^prod(uction)?$/i.test(environment);
}
