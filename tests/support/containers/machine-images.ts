import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '../../../infra/config.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { postgresPrograms } from '../../../infra/postgres-programs.ts';
import { embeddedQdrant } from '../../../infra/stack/qdrant/embedded.ts';
import { installedPostgres } from '../../../infra/stack/prerequisites.js';
import { importImage } from './import-image.ts';
import { npmWithCache, npmWithInstalled } from './npm-offline.ts';
import { fullSize } from '../proof-size.ts';
import { buildTemporalServer } from './temporal-server.ts';

const run = promisify(execFile);
const here = (name: string): string => readFileSync(join(packageRoot, 'tests/support/containers', name), 'utf8');
const searchPath = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface BaseImages {
  /** As BASE of the Dockerfile: Node, git, tini, a shell. */
  readonly base: string;
  /** As BUILD_BASE: npm besides, and what it installs, because a build has no network here. */
  readonly buildBase: string;
}

/** Images of this machine's own programs, for where none can be pulled. `name` is theirs, with a tag for each. */
export async function importBaseImages(socketPath: string, name: string): Promise<BaseImages> {
  const images = { base: `${name}:base`, buildBase: `${name}:build-base` };
  const base = await baseParts();
  await importImage(socketPath, { ...base, tag: images.base });
  const { remove, ...npm } = await (fullSize ? npmWithCache() : npmWithInstalled());
  try {
    await importImage(socketPath, {
      ...{ ...base, tag: images.buildBase, files: npm.files },
      programs: [...base.programs, 'npm'],
      paths: [...base.paths, ...npm.paths],
      changes: [searchPath, ...npm.changes],
    });
  } finally {
    await remove();
  }
  return images;
}

async function baseParts() {
  const { stdout: gitPrograms } = await run('git', ['--exec-path']);
  const [bin = ''] = await postgresPrograms();
  const clients = ['pg_dump', 'pg_restore'].map((name) => join(bin, name));
  return {
    programs: ['tini', 'git', 'zstd', 'sqlite3', ...clients, process.execPath],
    paths: [gitPrograms.trim(), '/etc/ssl/certs/ca-certificates.crt'],
    files: {},
    folders: [],
    changes: [searchPath],
  };
}

/**
 * As the images of Postgres, Temporal and Qdrant that infra/compose.yaml names: one for all three, since they differ in how
 * they are started only. Postgres is that of this machine. Temporal is
 * its real server on Postgres, built from source. Qdrant is the embedded one, with its real engine.
 */
export async function importServers(socketPath: string, tag: string): Promise<void> {
  const [postgres, temporal, qdrant] = [await postgresParts(), await buildTemporalServer(), await qdrantParts()];
  await importImage(socketPath, {
    tag,
    programs: ['bash', 'setpriv', 'getent', ...postgres.programs, ...temporal, ...qdrant.programs],
    paths: [...postgres.paths, ...qdrant.paths],
    without: [...postgres.without, ...qdrant.without],
    files: {
      '/entrypoint.sh': here('postgres.sh'),
      '/qdrant/entrypoint.sh': qdrant.entrypoint,
      '/etc/temporal/entrypoint.sh': here('temporal.sh'),
      '/etc/temporal/config/docker.yaml': here('temporal-server.yaml.template'),
      // That of busybox has no -z.
      '/usr/local/bin/nc': '#!/usr/bin/bash\nexec 3<>"/dev/tcp/$2/$3"\n',
    },
    folders: ['/qdrant/storage', '/qdrant/snapshots', '/var/lib/postgresql/data'],
    changes: [searchPath, 'WORKDIR /qdrant', 'ENTRYPOINT ["/entrypoint.sh"]'],
  });
}

async function postgresParts() {
  const [newest] = await installedPostgres();
  if (newest === undefined) throw new Error('No Postgres is installed here');
  const asked = ['--sharedir', '--pkglibdir'].map((what) => run(join(newest.bin, 'pg_config'), [what]));
  const folders = (await Promise.all(asked)).map(({ stdout }) => stdout.trim());
  // The compiler at run time brings more than all the rest, and is not needed.
  const without = folders.flatMap((folder) => ['llvmjit.so', 'bitcode'].map((name) => join(folder, name)));
  const programs = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_isready'].map((name) => join(newest.bin, name));
  return { programs, paths: [...folders, '/usr/share/zoneinfo'], without };
}

/** The interpreter, its own modules, and the environment that was made for the packages of the server. */
async function qdrantParts() {
  const { cache } = loadConfig();
  const making = { cache, say: () => undefined, signal: new AbortController().signal };
  const { argv, env } = await embeddedQdrant(making);
  const [python] = argv;
  const tell = 'import sys, sysconfig; print(sys._base_executable); print(sysconfig.get_path("stdlib"))';
  const { stdout } = await run(python, ['-c', tell]);
  const [program = '', modules = ''] = stdout.trim().split('\n');
  const source = env['PYTHONPATH'] ?? '';
  const variables = Object.entries(env).map(([name, value]) => `export ${name}='${value ?? ''}'`);
  return {
    programs: [program],
    paths: [modules, python, dirname(dirname(python)), source],
    without: ['site-packages', 'dist-packages', 'test'].map((name) => join(modules, name)),
    entrypoint: [
      '#!/bin/sh',
      ...variables,
      // The default of the official image; its own is loopback.
      'export QDRANT__SERVICE__HOST=0.0.0.0',
      `exec ${argv.map((word) => `'${word}'`).join(' ')}`,
      '',
    ].join('\n'),
  };
}
