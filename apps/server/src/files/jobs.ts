import type { Job } from '../platform/jobs.ts';
import { sweepObjects } from './sweep.ts';

export const fileJobs: readonly Job[] = [
  // Every minute: what a deletion leaves goes soon after it. Uploads that broke off are due a day after they began.
  { name: 'files.sweep', schedule: '* * * * *', run: sweepObjects },
];
