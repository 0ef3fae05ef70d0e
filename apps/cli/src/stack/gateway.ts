import type { EnvironmentConfig } from '../environment/schema.ts';
import { API_PORT, apiService, backendName, fullServiceName, GATEWAY, MANAGEMENT_PORT } from './names.ts';
import { COLOURS, type Colour } from './release-state.ts';

/**
 * The configuration of HAProxy. It does not depend on what is released: which colour answers is in the traffic map, which
 * changes at run time. Understood by HAProxy 2.6 and newer.
 */
export function gatewayConfig(config: EnvironmentConfig): string {
  const sections = [
    globalSection(config),
    DEFAULTS,
    RESOLVERS,
    ...(config.gateway.http === null ? [] : [redirectToHttps(config)]),
    publicFrontend(config),
    trafficFrontend(config),
    ...COLOURS.map((colour) => colourFrontend(config, colour)),
    ...COLOURS.map((colour) => colourBackend(config, colour)),
    CLIENTS,
    METRICS,
  ];
  return `${sections.map((section) => section.trim()).join('\n\n')}\n`;
}

const { ports } = GATEWAY;
const MAP = GATEWAY.trafficMap;

/** Replicas of one colour, and those that come before the old ones go in a rolling update. */
const SERVER_SLOTS = 24;

function globalSection({ gateway, resources }: EnvironmentConfig): string {
  return `
# Written by \`calculaud\`; changes are made in calculaud.yml.
global
    log stdout format raw local0 info
    # Clients, probes and health checks.
    maxconn ${gateway.max_connections + 200}
    # As many as the processors it may use: HAProxy would take all of the machine's.
    nbthread ${Math.max(1, Math.ceil(resources.gateway.limits.cpus))}
    stats socket ${GATEWAY.runtimeSocket} mode 600 level admin expose-fd listeners
    stats timeout 1h
    server-state-file ${GATEWAY.serverState}
    # After a reload the process before finishes what it has, long uploads among it.
    hard-stop-after 15m
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
    tune.h2.max-concurrent-streams 100`;
}

function problem(status: number, detail: string): string {
  const body = JSON.stringify({ detail });
  return `http-error status ${status} content-type application/json string '${body}'`;
}

const DEFAULTS = `
defaults
    mode http
    log global
    # The API logs what it answers; here only what went wrong is told. No query: links to files are signed in it.
    option dontlog-normal
    log-format '{"time":%Ts.%ms,"client":"%ci","status":%ST,"ended":"%tsc","method":"%HM","path":%{+Q}HPO,"server":"%b/%s","retries":"%rc","ms":%Ta,"bytes":%B,"request":%{+Q}[var(txn.id)]}'
    # A connection that fails is tried again at once with another server. What was sent already is repeated only where
    # that is harmless (see disable-l7-retry).
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response 502 503
    # An old process answers once more on each idle connection before it closes it; else a request would meet the end.
    option idle-close-on-response
    # A server gets a connection for each request: that it is made says that the server is there. On one that was kept, a
    # request to a host that has just lost its power would be sent, and nobody could say any more whether it may be repeated.
    option http-server-close
    # Those that were under way there are given up after 4 s of silence, and repeated where that is harmless.
    option srvtcpka
    srvtcpka-idle 1s
    srvtcpka-intvl 1s
    srvtcpka-cnt 3
    timeout connect 1s
    timeout queue 5s
    # Whoever has gone is not answered any more, while he waits for a free server.
    option abortonclose
    timeout http-request 10s
    timeout http-keep-alive 30s
    timeout client 1m
    timeout server 2m
    # How long a check may take; it comes every 500 ms and is refused at once by whoever is not ready.
    timeout check 2s
    load-server-state-from-file global
    ${problem(400, 'The request cannot be understood.')}
    ${problem(408, 'The request did not arrive in time.')}
    ${problem(500, 'The gateway failed.')}
    ${problem(502, 'The server ended before it had answered.')}
    ${problem(503, 'The system is not available at the moment. Try again in a moment.')} hdr retry-after 5
    ${problem(504, 'The server did not answer in time.')}`;

const RESOLVERS = `
# Docker's own: tasks.<service> are the addresses of its containers. A container is taken out before it is stopped.
resolvers docker
    nameserver docker 127.0.0.11:53
    accepted_payload_size 8192
    timeout resolve 500ms
    timeout retry 1s
    hold valid 500ms
    # A name server that does not answer for a moment takes nobody away; the health checks still do.
    hold nx 10s
    hold other 30s
    hold refused 30s
    hold timeout 30s`;

function redirectToHttps({ domain, gateway }: EnvironmentConfig): string {
  const port = gateway.https === 443 ? '' : `:${gateway.https}`;
  return `
frontend http
    bind :${ports.http}
    http-request redirect code 308 location https://${domain}${port}%[pathq]`;
}

function publicFrontend(config: EnvironmentConfig): string {
  const { gateway, kind, domain } = config;
  const trusted = gateway.trusted_proxies.join(' ');
  return `
frontend https
    bind :${ports.https} ssl crt ${GATEWAY.certificate} alpn h2,http/1.1
    maxconn ${gateway.max_connections}
${lines([
  trusted &&
    `http-request set-src req.hdr_ip(x-forwarded-for,-1) if { src ${trusted} } { req.hdr(x-forwarded-for) -m found }`,
  kind !== 'development' &&
    `http-request return status 421 content-type application/json string '${JSON.stringify({ detail: `This is ${domain}.` })}' unless { req.hdr(host),field(1,:) -m str -i ${domain} }`,
  ...limitByClient(gateway.requests_per_second),
])}
${toTheApi(config, 'https')}
${answers(kind !== 'development')}
${SWITCH}`;
}

function trafficFrontend(config: EnvironmentConfig): string {
  return `
# The same traffic for probes within the front network: switched alike, in plain HTTP, without limits by client.
frontend traffic
    bind :${ports.traffic}
${toTheApi(config, 'http')}
${answers(false)}
${SWITCH}`;
}

function colourFrontend(config: EnvironmentConfig, colour: Colour): string {
  return `
# One colour, whatever the traffic does: for journeys and probes within the front network.
frontend ${colour}
    bind :${ports[colour]}
${toTheApi(config, 'http')}
    default_backend ${backendName(colour)}`;
}

function limitByClient(perSecond: number): string[] {
  if (perSecond === 0) return [];
  const detail = JSON.stringify({ detail: 'Too many requests. Wait ten seconds.' });
  return [
    'http-request track-sc0 src table clients',
    `http-request return status 429 content-type application/json string '${detail}' hdr retry-after 10 if { sc_http_req_rate(0) gt ${perSecond * 10} }`,
  ];
}

/** What the API is told about a request, and which requests may be sent twice. */
function toTheApi({ settings }: EnvironmentConfig, scheme: 'http' | 'https'): string {
  const megabytes = Number(settings['MAX_FILE_SIZE_MB'] ?? 1024);
  return lines([
    // The API refuses what is too large in its own words; this is for what is out of all proportion.
    `http-request return status 413 content-type application/json string '${JSON.stringify({ detail: 'The request is too large.' })}' if { req.hdr_val(content-length) gt ${(megabytes + 16) * 1024 * 1024} }`,
    'http-request del-header x-forwarded- -m beg',
    'http-request del-header forwarded',
    'http-request set-header x-forwarded-for %[src]',
    `http-request set-header x-forwarded-proto ${scheme}`,
    'http-request set-header x-forwarded-host %[req.hdr(host)]',
    'http-request set-header x-request-id %[uuid()] unless { req.hdr(x-request-id) -m found }',
    'http-request set-var(txn.id) req.hdr(x-request-id)',
    'http-request disable-l7-retry unless { method GET HEAD OPTIONS } || { req.hdr(idempotency-key) -m found }',
  ]);
}

/** Headers that the API does not set for itself. */
function answers(encrypted: boolean): string {
  const missing = (name: string): string => `unless { res.hdr(${name}) -m found }`;
  return lines([
    encrypted && 'http-after-response set-header strict-transport-security max-age=31536000',
    `http-after-response set-header x-content-type-options nosniff ${missing('x-content-type-options')}`,
    `http-after-response set-header x-frame-options DENY ${missing('x-frame-options')}`,
    `http-after-response set-header referrer-policy no-referrer ${missing('referrer-policy')}`,
    `http-after-response set-header cross-origin-opener-policy same-origin ${missing('cross-origin-opener-policy')}`,
    `http-after-response set-header permissions-policy 'camera=(), geolocation=(), microphone=()' ${missing('permissions-policy')}`,
    `http-after-response set-header content-security-policy "default-src 'none'; frame-ancestors 'none'" if { res.hdr(content-type) -m beg application/json } !{ res.hdr(content-security-policy) -m found }`,
    'http-after-response del-header server',
    'http-after-response del-header x-powered-by',
  ]);
}

/** The traffic map says who answers. While it names nobody, the colour does that has servers, blue first. */
const SWITCH = lines([
  `http-request set-var(txn.colour) str(active),map_str(${MAP},none)`,
  `http-request set-var(txn.next) str(next),map_str(${MAP},none)`,
  `http-request set-var(txn.canary) str(canary),map_str(${MAP},0),add(0)`,
  `http-request set-var(txn.colour) var(txn.next) if !{ var(txn.next) -m str none } { rand(100),sub(txn.canary) lt 0 }`,
  ...COLOURS.map((colour) => `use_backend ${backendName(colour)} if { var(txn.colour) -m str ${colour} }`),
  ...COLOURS.map((colour) => `use_backend ${backendName(colour)} if { nbsrv(${backendName(colour)}) gt 0 }`),
  `default_backend ${backendName('blue')}`,
]);

/** How the servers begin that are used while none of the checked ones is ready. */
export const UNCHECKED = 'any-';

/**
 * At once for one server, slow uploads and downloads among them. Without a bound, all that comes in a moment of overload is
 * begun: at 200 requests a second on two processors, 2,300 were under way half a minute later, and each of them was answered
 * after its client had given up.
 */
const MOST_REQUESTS = 100;

function colourBackend(config: EnvironmentConfig, colour: Colour): string {
  const service = apiService(colour);
  return `
backend ${backendName(colour)}
    balance roundrobin
    option httpchk GET /health/ready
    http-check expect status 200
    # One failed connection is enough to be left out until the next check.
    default-server check port ${MANAGEMENT_PORT} inter 500ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down
    # The rest waits here, where it can go to any server, is forgotten when its client leaves, and is told after a while.
    default-server maxconn ${MOST_REQUESTS}
    # One that has just become ready still learns: it gets its full share after ten seconds.
    default-server slowstart 10s
    default-server resolvers docker init-addr last,none
    server-template api- 1-${SERVER_SLOTS} tasks.${service}:${API_PORT}
    # While all of them say that they are not ready (the database is away, the machine is starved), they are asked all the
    # same: what an instance answers by itself is better than a 503 of ours, and often it does answer. Under another name
    # of the service, since servers of one name never share an address.
    option allbackups
    server-template ${UNCHECKED} 1-${SERVER_SLOTS} tasks.${fullServiceName(config, service)}:${API_PORT} backup no-check`;
}

const CLIENTS = `
# Counts the requests of each client.
backend clients
    stick-table type ipv6 size 100k expire 30s store http_req_rate(10s)`;

const METRICS = `
frontend metrics
    bind :${ports.metrics}
    option dontlog-normal
    monitor-uri /healthy
    http-request use-service prometheus-exporter if { path /metrics }
    http-request return status 404`;

function lines(texts: readonly (string | false)[]): string {
  return texts
    .filter(Boolean)
    .map((text) => `    ${text}`)
    .join('\n');
}
