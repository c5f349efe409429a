import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import type { RemoteFile } from '../../domain/offsite/layout.ts';
import type { S3Spec } from '../../domain/offsite/spec.ts';
import type { Environment } from '../process/inherited-env.ts';
import type { RemoteStore } from './remote-store.ts';
import { s3Trouble } from './s3-trouble.ts';
import { uploadObject } from './s3-upload.ts';
import { readSecret } from './secret.ts';

/** A server that has said nothing for so long is gone. */
const silenceMs = 60_000;
const connectMs = 10_000;
/** That one request may delete. */
const mostAtOnce = 1_000;

interface Surroundings {
  readonly env: Environment;
  readonly signal: AbortSignal;
}

/** A bucket, or what is below a prefix in it, of anything that speaks S3. */
export function openS3(spec: S3Spec, { env, signal: abortSignal }: Surroundings): RemoteStore {
  const { bucket: Bucket, prefix } = spec;
  const keyOf = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
  const pathOf = (key: string): string => (prefix === '' ? key : key.slice(prefix.length + 1));
  const options = { abortSignal };
  let opened: Promise<S3Client> | null = null;

  async function guarded<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
    abortSignal.throwIfAborted();
    try {
      opened ??= createClient(spec, env);
      return await work(await opened);
    } catch (error) {
      abortSignal.throwIfAborted();
      throw s3Trouble(error, spec);
    }
  }

  async function keysBelow(client: S3Client, folder: string): Promise<RemoteFile[]> {
    const files: RemoteFile[] = [];
    const Prefix = folder === '' ? (prefix === '' ? undefined : `${prefix}/`) : `${keyOf(folder)}/`;
    for (let ContinuationToken: string | undefined; ;) {
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), options);
      for (const { Key = '', Size = 0 } of page.Contents ?? []) files.push({ path: pathOf(Key), bytes: Size });
      if (page.IsTruncated !== true) return files;
      ContinuationToken = page.NextContinuationToken;
    }
  }

  /** Parts of uploads that were never completed: they cost room, and no listing shows them. */
  async function abortUploads(client: S3Client, Prefix: string): Promise<void> {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }), options);
    for (const { Key, UploadId } of Uploads)
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options);
  }

  return {
    list: (folder) => guarded((client) => keysBelow(client, folder)),

    open: (path) =>
      guarded(async (client) => {
        try {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(path) }), options);
          return Body === undefined ? null : Readable.from(told(Body as Readable, spec), { objectMode: false });
        } catch (error) {
          if ((error as Error).name === 'NoSuchKey') return null;
          throw error;
        }
      }),

    upload: (file, path, count) =>
      guarded((client) => uploadObject({ client, Bucket, Key: keyOf(path), abortSignal }, file, count)),

    remove: (path) =>
      guarded(async (client) => {
        await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(path) }), options);
        await abortUploads(client, keyOf(path));
      }),

    // There are no folders in S3.
    removeAll: (paths, folders) =>
      guarded(async (client) => {
        for (let from = 0; from < paths.length; from += mostAtOnce) {
          const Objects = paths.slice(from, from + mostAtOnce).map((path) => ({ Key: keyOf(path) }));
          const batch = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
          const [denied] = (await client.send(batch, options)).Errors ?? [];
          if (denied !== undefined) throw Object.assign(new Error(denied.Message), { name: denied.Code });
        }
        for (const folder of folders) await abortUploads(client, `${keyOf(folder)}/`);
      }),

    close: async () => (await opened?.catch(() => null))?.destroy(),
  };
}

async function createClient(spec: S3Spec, env: Environment): Promise<S3Client> {
  const credentials = {
    accessKeyId: await readSecret(spec.access_key_id, env),
    secretAccessKey: await readSecret(spec.secret_access_key, env),
  };
  return new S3Client({
    ...(spec.endpoint === null ? {} : { endpoint: spec.endpoint }),
    ...{ region: spec.region, forcePathStyle: spec.path_style, credentials, maxAttempts: 3 },
    requestHandler: { connectionTimeout: connectMs, requestTimeout: silenceMs, socketTimeout: silenceMs },
    // Bodies are signed, and everything is read back: what not every server knows is not asked of it.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
  });
}

/** A connection that breaks while it is read is the server's trouble, not a fault of ours. */
async function* told(body: AsyncIterable<Buffer>, spec: S3Spec): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw s3Trouble(error, spec);
  }
}
