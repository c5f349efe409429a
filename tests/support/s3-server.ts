import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import getPort from 'get-port';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadConfig } from '../../infra/config.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { originOf, placeFolder, seal } from '../../infra/stack/download/cached-files.ts';
import { findGo } from '../../infra/stack/prerequisites.js';

const run = promisify(execFile);

/** The version of tests/support/versitygw/go.mod. */
const version = '1.8.0';
const source = 'github.com/versity/versitygw/cmd/versitygw';
/** Two minutes of work on two cores that have nothing else to do. */
export const buildMs = 1_200_000;

export interface S3Server {
  readonly port: number;
  readonly bucket: string;
  /** Where the objects of the bucket are files. */
  readonly files: string;
  readonly accessFile: string;
  readonly secretFile: string;
  stop(): Promise<void>;
}

/** A real S3 server in `folder`, with a bucket in it. `files`: where its buckets are, here in the folder if not given. */
export async function startS3Server(folder: string, files = join(folder, 'files')): Promise<S3Server> {
  const program = await builtServer();
  for (const each of [folder, files, join(folder, 'sidecar')]) mkdirSync(each, { recursive: true });
  const keys = { access: 'test-access', secret: 'a secret of this test' };
  const [accessFile, secretFile] = [join(folder, 'access'), join(folder, 'secret')];
  writeFileSync(accessFile, keys.access, { mode: 0o600 });
  writeFileSync(secretFile, keys.secret, { mode: 0o600 });
  const port = await getPort({ host: '127.0.0.1' });
  const log = join(folder, 's3.log');
  const child = spawn(
    program,
    ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', join(folder, 'sidecar'), files],
    {
      env: { PATH: process.env['PATH'], ROOT_ACCESS_KEY: keys.access, ROOT_SECRET_KEY: keys.secret },
      stdio: ['ignore', openSync(log, 'a'), openSync(log, 'a')],
    },
  );
  const client = new S3Client({
    ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId: keys.access, secretAccessKey: keys.secret },
  });
  const bucket = 'points';
  const deadline = Date.now() + 30_000;
  while (!(await isMade(client, bucket))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`versitygw: ${readFileSync(log, 'utf8')}`);
    await sleep(100);
  }
  client.destroy();
  return {
    ...{ port, bucket, files: join(files, bucket), accessFile, secretFile },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function isMade(client: S3Client, bucket: string): Promise<boolean> {
  return client.send(new CreateBucketCommand({ Bucket: bucket })).then(
    () => true,
    () => false,
  );
}

/** From the cache, else built with Go once. Throws where there is no Go: a test never goes without. */
async function builtServer(): Promise<string> {
  const program = join(loadConfig().cache, `versitygw-${version}`, 'versitygw');
  const isWhole = async (): Promise<boolean> => (await originOf(program)) !== null;
  if (await isWhole()) return program;
  const go = await findGo();
  if (go === null) throw new Error('The tests of S3 need Go 1.25 or newer, to build versitygw');
  await placeFolder(join(program, '..'), isWhole, async (folder) => {
    const output = join(folder, 'versitygw');
    await run(
      go,
      ['build', '-mod=readonly', '-buildvcs=false', '-trimpath', '-ldflags', '-s -w', '-o', output, source],
      {
        cwd: join(packageRoot, 'tests/support/versitygw'),
        // The version that is here; fetching another toolchain is not what was asked for.
        env: { ...process.env, GOTOOLCHAIN: 'local' },
        maxBuffer: 2 ** 26,
      },
    );
    await seal(output, `built from source, version ${version}`);
  });
  return program;
}
