import { baseImage } from './base-images/build.ts';

/** The images that tests use, all of them in the daemon when a test begins. */
export const images = {
  app: 'calculaud:test',
  gateway: 'calculaud-gateway:test',
  pooler: 'calculaud-pooler:test',
  postgres: baseImage('postgres'),
  storage: 'calculaud-storage:test',
} as const;
