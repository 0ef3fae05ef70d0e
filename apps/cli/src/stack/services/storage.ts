import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, stopFirst } from '../container.ts';
import { NETWORKS, STORAGE_USER } from '../names.ts';
import { placement } from '../placement.ts';

/** An S3 server over a folder. */
export function storageService(
  config: EnvironmentConfig,
  { image, bucket }: { readonly image: string; readonly bucket: string },
): ComposeService {
  return {
    image,
    init: true,
    ...hardened(STORAGE_USER),
    environment: { BUCKET: bucket },
    networks: [NETWORKS.data],
    secrets: secretFiles(['s3-access-key-id', 's3-secret-access-key'], STORAGE_USER),
    volumes: [{ type: 'volume', source: 'storage', target: '/srv/objects' }, scratch('/tmp', 64)],
    healthcheck: { interval: '5s', timeout: '3s', retries: 5, start_period: '10s' },
    stop_grace_period: '30s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      ...stopFirst('10s', 'rollback'),
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'storage'),
      ...placement(config, 'storage'),
    },
  };
}
