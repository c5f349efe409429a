import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openTarget } from '../../../adapters/offsite/open-target.ts';
import { readLocalPoint, type LocalPoint } from '../../../adapters/offsite/local-point.ts';
import type { OffsiteTarget } from '../../../adapters/offsite/target.ts';
import { targetSpecSchema, type TargetSpec } from '../../../domain/offsite/spec.ts';
import { openLine, type Line } from '../../support/line.ts';
import { writePoint, type PointOptions } from '../../support/offsite-point.ts';
import { createFolder } from '../../support/own-home.ts';
import { startS3Server } from '../../support/s3-server.ts';
import { startSshServer } from '../../support/ssh-server.ts';

export type Kind = TargetSpec['kind'];

/** A target of a kind on a real server, reached over a line that can be cut. */
export interface OffsiteGround {
  readonly path: string;
  readonly id: string;
  readonly spec: TargetSpec;
  /** null: a directory has none. */
  readonly line: Line | null;
  /** Where the target's files are on this machine; a folder of its own for each, and for each test. */
  readonly files: string;
  open(over?: Partial<{ spec: TargetSpec; id: string | null; signal: AbortSignal }>): Promise<OffsiteTarget>;
  point(options?: PointOptions): Promise<LocalPoint>;
  close(): Promise<void>;
}

export interface GroundOptions {
  /** Where the target's files are to be; a folder that is there. */
  readonly files?: string;
}

export async function offsiteGround(kind: Kind, options: GroundOptions = {}): Promise<OffsiteGround> {
  const folder = createFolder();
  const files = options.files ?? join(folder.path, 'far');
  mkdirSync(files, { recursive: true });
  const server = await startServer(kind, folder.path, files);
  const id = randomUUID();
  const scratch = join(folder.path, 'scratch');
  return {
    ...{ path: folder.path, id, spec: server.spec, line: server.line, files: server.files },
    open: ({ spec = server.spec, id: other = id, signal = new AbortController().signal } = {}) =>
      openTarget({ spec, id: other }, { env: process.env, scratch, signal }),
    point: (wanted = {}) => readLocalPoint(writePoint(join(folder.path, 'points'), wanted).folder),
    async close() {
      await server.line?.close();
      await server.stop();
      folder.remove();
    },
  };
}

interface Started {
  readonly spec: TargetSpec;
  readonly line: Line | null;
  readonly files: string;
  stop(): Promise<void>;
}

async function startServer(kind: Kind, folder: string, files: string): Promise<Started> {
  if (kind === 'directory') {
    return { spec: targetSpecSchema.parse({ kind, path: files }), line: null, files, stop: async () => undefined };
  }
  if (kind === 's3') {
    const server = await startS3Server(join(folder, 's3'), files);
    const line = await openLine(server.port);
    const spec = targetSpecSchema.parse({
      ...{ kind, endpoint: `http://127.0.0.1:${line.port}`, bucket: server.bucket, prefix: 'far/points' },
      ...{ access_key_id: { file: server.accessFile }, secret_access_key: { file: server.secretFile } },
    });
    return { spec, line, files: join(server.files, 'far/points'), stop: () => server.stop() };
  }
  const server = await startSshServer(join(folder, 'ssh'));
  const line = await openLine(server.port);
  const spec = targetSpecSchema.parse({
    ...{ kind, host: '127.0.0.1', port: line.port, user: server.user, path: files },
    ...{ host_keys: server.hostKeys, identity_file: server.identityFile },
  });
  return { spec, line, files, stop: () => server.stop() };
}
