import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposePort, ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, stopFirst } from '../container.ts';
import { GATEWAY, GATEWAY_USER, NETWORKS } from '../names.ts';
import { placement } from '../placement.ts';

/** The key of its config in the stack file. */
export const GATEWAY_CONFIG = 'haproxy';

export function gatewayService(config: EnvironmentConfig, image: string): ComposeService {
  const { http, https } = config.gateway;
  return {
    image,
    ...hardened(GATEWAY_USER),
    networks: [NETWORKS.edge, NETWORKS.front],
    ports: [
      ...(http === null ? [] : [published(GATEWAY.ports.http, http)]),
      published(GATEWAY.ports.https, https),
    ],
    secrets: secretFiles(['tls'], GATEWAY_USER),
    configs: [
      {
        source: GATEWAY_CONFIG,
        target: GATEWAY.givenConfig,
        uid: String(GATEWAY_USER),
        gid: String(GATEWAY_USER),
        mode: 0o444,
      },
    ],
    volumes: [
      { type: 'volume', source: 'gateway', target: GATEWAY.folder },
      scratch('/run/haproxy', 16),
      scratch('/tmp', 16),
    ],
    // The test is the image's own.
    healthcheck: { interval: '5s', timeout: '3s', retries: 3, start_period: '10s' },
    // Softly, but soon: nobody answers on its ports until the next one has them.
    stop_signal: 'SIGUSR1',
    stop_grace_period: '10s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      // Two cannot have the same ports.
      ...stopFirst('10s', 'rollback'),
      restart_policy: { condition: 'any', delay: '1s' },
      resources: bounded(config, 'gateway'),
      ...placement(config, 'gateway'),
    },
  };
}

/** On the host itself: clients keep their addresses, and no mesh is on the way. */
function published(target: number, port: number): ComposePort {
  return { target, published: port, protocol: 'tcp', mode: 'host' };
}
