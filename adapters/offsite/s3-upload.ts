import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { open, type FileHandle } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { Count, LocalFile } from './remote-store.ts';

/** Of the size that S3 takes at least (5 MiB) upwards; so much is in memory, for each that is under way. */
const usualPartBytes = 8 * 2 ** 20;
/** S3 takes 10,000. */
const mostParts = 9_000;
const partsAtOnce = 3;

interface Place {
  readonly client: S3Client;
  readonly Bucket: string;
  readonly Key: string;
  readonly abortSignal: AbortSignal;
}

/**
 * An object that is there when all of it is. In parts where it is large; those that an earlier attempt brought over stay. (The
 * SDK's own lib-storage begins anew in another process.)
 */
export async function uploadObject(place: Place, file: LocalFile, count: Count): Promise<void> {
  const source = await open(file.path);
  try {
    if (file.bytes <= usualPartBytes) await putWhole(place, source, file.bytes, count);
    else await putInParts(place, source, file.bytes, count);
  } finally {
    await source.close();
  }
}

async function putWhole(place: Place, source: FileHandle, bytes: number, count: Count): Promise<void> {
  const { client, Bucket, Key, abortSignal } = place;
  await client.send(new PutObjectCommand({ Bucket, Key, Body: await readPart(source, 0, bytes) }), { abortSignal });
  count(bytes);
}

async function putInParts(place: Place, source: FileHandle, bytes: number, count: Count): Promise<void> {
  const { client, Bucket, Key } = place;
  const stop = new AbortController();
  const abortSignal = AbortSignal.any([place.abortSignal, stop.signal]);
  const partBytes = Math.max(usualPartBytes, Math.ceil(bytes / mostParts));
  const sizeOf = (number: number): number => Math.min(partBytes, bytes - (number - 1) * partBytes);
  const UploadId = (await openUpload(place)) ?? (await beginUpload(place));
  const there = await partsOf(place, UploadId, sizeOf);
  for (const { PartNumber = 0 } of there) count(sizeOf(PartNumber));

  const have = new Set(there.map(({ PartNumber }) => PartNumber));
  const numbers = Array.from({ length: Math.ceil(bytes / partBytes) }, (_, index) => index + 1);
  const turns = pLimit(partsAtOnce);
  const uploaded = numbers
    .filter((number) => !have.has(number))
    .map((PartNumber) =>
      turns(async (): Promise<CompletedPart> => {
        abortSignal.throwIfAborted();
        const Body = await readPart(source, (PartNumber - 1) * partBytes, sizeOf(PartNumber));
        const sent = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }), {
          abortSignal,
        });
        count(Body.byteLength);
        return { PartNumber, ETag: sent.ETag };
      }),
    );
  const parts = await Promise.all(uploaded).catch(async (error: unknown) => {
    // What is under way beside it reads a file that is closed now.
    stop.abort(error);
    await Promise.allSettled(uploaded);
    throw error;
  });
  const Parts = [...there, ...parts].sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
  const whole = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
  await client.send(new CompleteMultipartUploadCommand(whole), { abortSignal });
}

/** The one that an earlier attempt began, if it is open still. */
async function openUpload({ client, Bucket, Key, abortSignal }: Place): Promise<string | null> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }), { abortSignal });
  return Uploads.find((upload) => upload.Key === Key)?.UploadId ?? null;
}

async function beginUpload({ client, Bucket, Key, abortSignal }: Place): Promise<string> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }), { abortSignal });
  if (UploadId === undefined) throw new Error('The server began an upload in parts and gave it no id');
  return UploadId;
}

/** Those of the size that they should have. That they are the right bytes is seen when the whole is read back. */
async function partsOf(
  { client, Bucket, Key, abortSignal }: Place,
  UploadId: string,
  sizeOf: (number: number) => number,
): Promise<CompletedPart[]> {
  const parts: CompletedPart[] = [];
  for (let PartNumberMarker: string | undefined; ;) {
    const page = await client.send(new ListPartsCommand({ Bucket, Key, UploadId, PartNumberMarker }), { abortSignal });
    for (const { PartNumber = 0, ETag, Size } of page.Parts ?? []) {
      if (Size === sizeOf(PartNumber)) parts.push({ PartNumber, ETag });
    }
    if (page.IsTruncated !== true) return parts;
    PartNumberMarker = page.NextPartNumberMarker;
  }
}

async function readPart(source: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await source.read(buffer, done, bytes - done, position + done);
    if (bytesRead === 0) throw new Error('The member became shorter while it was copied');
    done += bytesRead;
  }
  return buffer;
}
