/** What the caller of a command learns from its end, without reading a word. */
export const EXIT = {
  done: 0,
  internalError: 1,
  /** The command looked and found something, or there are changes to be made. */
  findings: 2,
  /** A precondition is not met (usage and configuration included); nothing was changed. */
  refused: 3,
  rolledBack: 4,
  notRolledBack: 5,
  locked: 6,
  /** The work was done, but the system does not confirm it. */
  unverified: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
