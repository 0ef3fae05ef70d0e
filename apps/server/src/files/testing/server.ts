import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { z } from 'zod';
import { type fileAttachment, uploadFile } from '@calculaud/contract/files';
import { createPurpose, getPurpose, type purpose } from '@calculaud/contract/purposes';
import { type TestApp, type TestResponse, testApp } from '../../testing/app.ts';
import { sweepObjects } from '../sweep.ts';
import { form, type FormFile, formHeaders } from './form.ts';

export type Attachment = z.output<typeof fileAttachment>;
type Purpose = z.output<typeof purpose>;

export interface FileServer extends TestApp {
  /** The owner's connection to the database: he sees and may do what the application does not. */
  readonly owner: pg.Client;
  upload(file: FormFile, path?: string, headers?: Record<string, string>): Promise<TestResponse>;
  /** Uploads and expects it to work. */
  stored(file?: FormFile, path?: string, headers?: Record<string, string>): Promise<Attachment>;
  /** What the link of an answer leads to, for somebody without credentials. */
  download(url: string, headers?: Record<string, string>): Promise<TestResponse>;
  newPurpose(body?: object): Promise<Purpose>;
  purpose(id: number): Promise<Purpose>;
  /** The names of all objects in the local store. */
  objects(): string[];
  /** The keys that the sweep will remove if nobody owns them by then. */
  announced(): Promise<string[]>;
  sweep(): Promise<void>;
  /** A statement of the owner of the tables. */
  sql(statement: string): Promise<void>;
}

export async function fileServer(environment: Record<string, string> = {}): Promise<FileServer> {
  const server = await testApp(environment);
  const owner = new pg.Client({ connectionString: server.ownerUrl });
  await owner.connect();
  const folder = join(server.services.config.data.directory, 'files');

  const upload: FileServer['upload'] = async (file, path = '/files/upload', headers = {}) =>
    server.post(path, form(file), { headers: { ...formHeaders, ...headers } });

  return {
    ...server,
    owner,
    upload,
    stored: async (file = { filename: 'plan.pdf' }, path, headers) =>
      (await upload(file, path, headers)).as(uploadFile),
    download: async (url, headers = {}) => {
      const { pathname, search } = new URL(url);
      return server.get(`/${pathname}${search}`, { role: null, headers });
    },
    newPurpose: async (body = {}) => (await server.post('/purposes/', body)).as(createPurpose),
    purpose: async (id) => (await server.get(`/purposes/${id}`)).as(getPurpose),
    objects: () => (existsSync(folder) ? readdirSync(folder).toSorted() : []),
    announced: async () => {
      const { rows } = await owner.query<{ s3_key: string }>('select s3_key from object_removal');
      return rows.map((row) => row.s3_key);
    },
    sweep: () => sweepObjects(server.services, { log: server.app.log, signal: AbortSignal.timeout(10_000) }),
    sql: async (statement) => void (await owner.query(statement)),
    close: async () => {
      await owner.end();
      await server.close();
    },
  };
}
