import type { Job } from '../platform/jobs.ts';

export const fileJobs: readonly Job[] = [];
