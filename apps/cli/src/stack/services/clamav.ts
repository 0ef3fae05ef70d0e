import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, stopFirst } from '../container.ts';
import { CLAMAV_USER, NETWORKS } from '../names.ts';
import { placement } from '../placement.ts';

/** A scanner of files on port 3310 of the data network. It fetches its signatures from outside. */
export function clamavService(config: EnvironmentConfig, image: string): ComposeService {
  return {
    image,
    entrypoint: ['/init-unprivileged'],
    init: true,
    ...hardened(CLAMAV_USER),
    networks: [NETWORKS.data, NETWORKS.outside],
    volumes: [
      { type: 'volume', source: 'clamav', target: '/var/lib/clamav' },
      scratch('/tmp', 512),
      scratch('/run/clamav', 1),
      scratch('/var/log/clamav', 16),
    ],
    healthcheck: {
      test: ['CMD', 'clamdcheck.sh'],
      interval: '30s',
      timeout: '10s',
      retries: 3,
      start_period: '6m',
    },
    stop_grace_period: '30s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      ...stopFirst('30s', 'rollback'),
      restart_policy: { condition: 'any', delay: '5s' },
      resources: bounded(config, 'clamav'),
      ...placement(config, 'app'),
    },
  };
}
