import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { readEnvironment } from '../read.ts';
import type { EnvironmentConfig } from '../schema.ts';

const SMALLEST = `
name: test
kind: staging
domain: test.example.org
image: calculaud:1.0.0
hosts:
  - name: one
    docker: unix:///var/run/docker.sock
`;

/** The smallest calculaud.yml, with these parts besides or in place of its own, as text. */
export function environmentText(parts: Readonly<Record<string, unknown>> = {}): string {
  return stringify({ ...z.record(z.string(), z.unknown()).parse(parse(SMALLEST)), ...parts });
}

export function environment(parts: Readonly<Record<string, unknown>> = {}): EnvironmentConfig {
  const { config, problems } = readEnvironment(environmentText(parts));
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}
