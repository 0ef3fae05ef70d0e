import { stringify } from 'yaml';

/** What a new file is told; the rest stays at its defaults. */
export interface NewEnvironment {
  readonly name: string;
  readonly kind: string;
  readonly domain: string;
  readonly image: string;
  /** The name that its Docker gives the host. */
  readonly host: string;
  readonly docker: string;
}

/** The text of a new calculaud.yml. */
export function newEnvironmentFile({ name, kind, domain, image, host, docker }: NewEnvironment): string {
  const development = kind === 'development';
  const document = {
    name,
    kind,
    domain,
    image,
    hosts: [{ name: host, docker }],
    ...(development && {
      replicas: { api: 1, worker: 1 },
      // The usual ports are often taken on a machine that people work on.
      gateway: { http: null, https: 8443 },
    }),
  };
  return `# One environment of Calculaud. docs/operations/environments.md explains every key; \`calculaud config check\` reads it.
# Secrets are not in here: \`calculaud init\` makes them Docker secrets.
${stringify(document)}`;
}
