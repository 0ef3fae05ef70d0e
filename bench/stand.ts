import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { connectEmbedded, type EmbeddedConnection } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import {
  adminToken,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from '../e2e/system.ts';
import { buildDataset } from './dataset.ts';
import type { Options } from './options.ts';

/** The built server as `npm start` runs it, on a big database. */
export interface Stand {
  readonly system: System;
  /** Its process; the database is another one. */
  readonly pid: number;
  readonly token: string;
  readonly database: EmbeddedConnection;
  readonly purposes: number;
  readonly version: string;
  close(): Promise<void>;
}

export async function setUp(options: Options, log: (line: string) => void): Promise<Stand> {
  const directory = options.data ? resolve(options.data) : newDataDirectory();
  if (!existsSync(directory)) {
    mkdirSync(directory, { recursive: true });
  }
  let system = await startSystem(directory, environment);
  const close = async () => {
    await system.stop();
    if (!options.data) {
      removeDataDirectory(directory);
    }
  };
  try {
    const { purposes, version } = await fill(await databaseOf(directory), options, log);
    const token = await adminToken(directory);
    // Anew, so that neither its memory nor its plans know how the data came in.
    await system.stop();
    system = await startSystem(directory, environment);
    const { pid } = system.process;
    if (pid === undefined) {
      throw new Error('a started server has a process');
    }
    return { system, pid, token, database: await databaseOf(directory), purposes, version, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const environment = { CALCULAUD_DEMO: '0' };

async function databaseOf(directory: string): Promise<EmbeddedConnection> {
  const database = await connectEmbedded(directory);
  if (!database) {
    throw new Error(`no database server runs on ${directory}`);
  }
  return database;
}

/** Fills the database, unless an earlier run has done so. */
async function fill(
  database: EmbeddedConnection,
  options: Options,
  log: (line: string) => void,
): Promise<{ purposes: number; version: string }> {
  const client = new pg.Client({ connectionString: database.superuserConnectionString() });
  await client.connect();
  try {
    const count = async () => {
      const { rows } = await client.query<{ purposes: number; version: string }>(
        `select count(*)::integer as purposes, current_setting('server_version') as version from purpose`,
      );
      if (!rows[0]) {
        throw new Error('a count has one row');
      }
      return rows[0];
    };
    const found = await count();
    if (found.purposes > 0) {
      log(`${found.purposes} purposes are there from an earlier run`);
      return found;
    }
    await buildDataset(database.superuserConnectionString(), { purposes: options.purposes, log });
    // What was just written must not be written to its files in the middle of a measurement.
    await client.query('checkpoint');
    return await count();
  } finally {
    await client.end();
  }
}
