import { expect, test } from 'vitest';
import { environment } from '../environment/testing/environment.ts';
import { gatewayConfig } from './gateway.ts';

test('is rendered as it was reviewed', async () => {
  const config = environment({
    kind: 'production',
    gateway: { trusted_proxies: ['10.1.0.0/16', '192.0.2.7'], https: 8443 },
  });
  await expect(gatewayConfig(config)).toMatchFileSnapshot('golden/haproxy.cfg');
});

test('only production and staging insist on encryption and on their name', () => {
  const staging = gatewayConfig(environment());
  expect(staging).toContain('strict-transport-security');
  expect(staging).toContain('unless { req.hdr(host),field(1,:) -m str -i test.example.org }');
  const development = gatewayConfig(environment({ kind: 'development' }));
  expect(development).not.toContain('strict-transport-security');
  expect(development).not.toContain('status 421');
});

test('the port for http and the limit by client can be left out', () => {
  const text = gatewayConfig(environment({ gateway: { http: null, requests_per_second: 0 } }));
  expect(text).not.toContain('frontend http\n');
  expect(text).not.toContain('track-sc0');
});

test('uploads of the size that the application takes pass', () => {
  const text = gatewayConfig(environment({ settings: { MAX_FILE_SIZE_MB: 10 } }));
  expect(text).toContain(`content-length) gt ${26 * 1024 * 1024} }`);
});

test('only what is harmless is sent a second time', () => {
  const text = gatewayConfig(environment());
  const repeated =
    'disable-l7-retry unless { method GET HEAD OPTIONS } || { req.hdr(idempotency-key) -m found }';
  // https, traffic, blue, green
  expect(text.split(repeated)).toHaveLength(5);
});
