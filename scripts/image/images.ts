/** An image of the product that is built here. */
export interface ImageDefinition {
  /** What it is called, without registry and version. */
  readonly name: string;
  readonly dockerfile: string;
  /** What of the repository the build may see: paths for git, relative to the folder that is the build's root. */
  readonly root: string;
  readonly paths: readonly string[];
  /** What of its source the Dockerfile asks for. */
  readonly asks: readonly ('REVISION' | 'SOURCE_DATE_EPOCH')[];
}

export const IMAGES = {
  app: {
    name: 'calculaud',
    dockerfile: 'deploy/image/Dockerfile',
    root: '.',
    paths: [
      'apps',
      'packages',
      'deploy/image',
      'scripts/build.ts',
      'scripts/run.sh',
      'package.json',
      'package-lock.json',
      '.npmrc',
      '.dockerignore',
      'LICENSE',
      'CHANGELOG.md',
      'docs/operations',
    ],
    asks: ['REVISION', 'SOURCE_DATE_EPOCH'],
  },
  gateway: {
    name: 'calculaud-gateway',
    dockerfile: 'deploy/gateway/Dockerfile',
    root: 'deploy/gateway',
    paths: ['.'],
    asks: [],
  },
  pooler: {
    name: 'calculaud-pooler',
    dockerfile: 'deploy/pooler/Dockerfile',
    root: 'deploy/pooler',
    paths: ['.'],
    asks: [],
  },
  storage: {
    name: 'calculaud-storage',
    dockerfile: 'deploy/storage/Dockerfile',
    root: 'deploy/storage',
    paths: ['.'],
    asks: [],
  },
} as const satisfies Record<string, ImageDefinition>;
