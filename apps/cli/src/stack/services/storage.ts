import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, secretPath } from '../container.ts';
import { NETWORKS, STORAGE_USER } from '../names.ts';
import { placement } from '../placement.ts';

const FOLDER = '/data';

/** An S3 server over a folder. It takes its keys from the environment only, so a shell puts them there at the start. */
export function storageService(
  config: EnvironmentConfig,
  { image, bucket }: { readonly image: string; readonly bucket: string },
): ComposeService {
  return {
    image,
    entrypoint: ['/bin/sh', '-c', start(bucket)],
    init: true,
    ...hardened(STORAGE_USER),
    networks: [NETWORKS.data],
    secrets: secretFiles(['s3-access-key-id', 's3-secret-access-key'], STORAGE_USER),
    volumes: [{ type: 'volume', source: 'storage', target: FOLDER }, scratch('/tmp', 64)],
    healthcheck: {
      test: ['CMD-SHELL', 'wget -q -O /dev/null http://127.0.0.1:7070/health'],
      interval: '5s',
      timeout: '3s',
      retries: 5,
      start_period: '10s',
    },
    stop_grace_period: '30s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      update_config: { parallelism: 1, order: 'stop-first', failure_action: 'rollback', monitor: '10s' },
      rollback_config: { parallelism: 1, order: 'stop-first', failure_action: 'pause', monitor: '10s' },
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'storage'),
      ...placement(config, 'storage'),
    },
  };
}

/** A bucket is a folder. */
function start(bucket: string): string {
  return [
    `mkdir -p ${FOLDER}/${bucket}`,
    `export ROOT_ACCESS_KEY="$(cat ${secretPath('s3-access-key-id')})"`,
    `export ROOT_SECRET_KEY="$(cat ${secretPath('s3-secret-access-key')})"`,
    `exec /app/versitygw --port :7070 --health /health posix ${FOLDER}`,
  ].join(' && ');
}
