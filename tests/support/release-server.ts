import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Release } from '../../infra/stack/download/upstream.ts';

/** How a file is served; the defaults are those of a good server. */
interface Served {
  body: Buffer;
  status?: number;
  etag?: string | null;
  ranges?: boolean;
  /** The connection is broken off after so many bytes of an answer, so many times. */
  cut?: { after: number; times: number };
  /** Nothing more comes after so many bytes of an answer. */
  stallAfter?: number;
  /** A piece of 64 KB, then a pause. */
  pauseMs?: number;
  redirect?: string;
}

interface Asked {
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  /** Bytes of the body that were sent. */
  sent: number;
}

export interface ReleaseServer {
  readonly url: string;
  readonly files: Map<string, Served>;
  readonly asked: Asked[];
  of(path: string): Asked[];
  close(): Promise<void>;
}

/** A server of files as forges and hubs are, that can be as bad as networks are. */
export async function startReleaseServer(): Promise<ReleaseServer> {
  const files = new Map<string, Served>();
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const one: Asked = {
      path,
      range: request.headers.range ?? null,
      ifRange: (request.headers['if-range'] as string | undefined) ?? null,
      sent: 0,
    };
    asked.push(one);
    void serve(files.get(path), request, response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    files,
    asked,
    of: (path) => asked.filter((one) => one.path === path),
    close: () => closeServer(server),
  };
}

async function serve(
  file: Served | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked,
): Promise<void> {
  if (file === undefined) return void response.writeHead(404).end('Not Found');
  if (file.redirect !== undefined) return void response.writeHead(302, { location: file.redirect }).end();
  if (file.status !== undefined) return void response.writeHead(file.status).end('no');
  const { body, ranges = true } = file;
  const etag = file.etag === undefined ? `"${createHash('sha256').update(body).digest('hex')}"` : file.etag;
  const start = ranges ? startOf(request, etag) : 0;
  const headers = { ...(etag === null ? {} : { etag }), 'content-type': 'application/octet-stream' };
  if (start > 0 && start >= body.length) {
    return void response.writeHead(416, { ...headers, 'content-range': `bytes */${body.length}` }).end();
  }
  const part = body.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    ...headers,
    'content-length': part.length,
    ...(start > 0 ? { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
  });
  await send(part, file, response, asked);
}

function startOf({ headers }: IncomingMessage, etag: string | null): number {
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return 0;
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
}

async function send(part: Buffer, file: Served, response: ServerResponse, asked: Asked): Promise<void> {
  for (let at = 0; at < part.length; at += 65_536) {
    const left = file.cut !== undefined && file.cut.times > 0 ? file.cut.after - at : Infinity;
    const piece = part.subarray(at, at + Math.min(65_536, Math.max(0, left)));
    if (response.destroyed) return;
    if (piece.length > 0) await new Promise((resolve) => response.write(piece, resolve));
    asked.sent += piece.length;
    if (file.cut !== undefined && left <= 65_536) {
      file.cut.times -= 1;
      return void response.destroy();
    }
    if (file.stallAfter !== undefined && at + piece.length >= file.stallAfter) return;
    if (file.pauseMs !== undefined) await sleep(file.pauseMs);
  }
  response.end();
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** A release of a program `tool` that says it is 1.2.3: its archive on the server, and the checksum file beside it. */
export function publishRelease(
  { url, files }: Pick<ReleaseServer, 'url' | 'files'>,
  folder: string,
  { program = 'tool', version = '1.2.3', paddingBytes = 1_000_000, archive = null as Buffer | null } = {},
): Release {
  const name = `${program}-${version}.tar.gz`;
  const body = archive ?? archiveOf(folder, program, `#!/bin/sh\necho ${program} ${version}\nexit 0\n`, paddingBytes);
  files.set(`/${name}`, { body });
  files.set('/checksums.txt', { body: Buffer.from(`${'0'.repeat(64)}  other.tar.gz\n${sumOf(body)}  ${name}\n`) });
  return {
    title: `${program} ${version}`,
    key: name,
    url: `${url}/${name}`,
    checksum: { kind: 'checksum file', url: `${url}/checksums.txt`, name },
    version,
    program,
    says: new RegExp(`${program} (\\S+)`),
  };
}

/** What cannot be compressed comes after the script, so that the archive is as large. */
export function archiveOf(folder: string, program: string, script: string, paddingBytes: number): Buffer {
  const place = join(folder, `archive-${randomBytes(4).toString('hex')}`);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, program), Buffer.concat([Buffer.from(script), randomBytes(paddingBytes)]), { mode: 0o755 });
  writeFileSync(join(place, 'LICENSE'), 'free\n');
  execFileSync('tar', ['-czf', `${place}.tar.gz`, '-C', place, 'LICENSE', program]);
  const body = readFileSync(`${place}.tar.gz`);
  rmSync(place, { recursive: true });
  rmSync(`${place}.tar.gz`);
  return body;
}

export function sumOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
